"""The whole range as csv and ndjson, in constant memory; and pages that are said to be unchanged."""

import asyncio
import csv
import io
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.api.problems import Problem
from gateway.api.streams import Exports
from gateway.calls.directory import Directory
from gateway.calls.record import Caller, CallRecord
from gateway.store import calls, keys, listings, networks
from gateway.store.connection import Pool
from gateway.store.list_query import Filter
from tests.acceptance.api.records import inbound, instant, through_queue

NOON = instant("2026-11-03T12:00:00+11:00")
MINUTE = 60 * 1_000_000
DAY = {"from": "2026-11-03", "to": "2026-11-03"}
LISTS = ("calls", "user-calls", "queue-calls", "ring-group-calls")


@pytest.fixture
async def three(pool: Pool, acme: Directory) -> list[CallRecord]:
    records = [through_queue(acme, inbound(acme, NOON + n * MINUTE)) for n in range(3)]
    records[1] = replace(records[1], caller=Caller("=1+1", '=HYPERLINK("http://evil")', None))
    async with pool.acquire() as connection:
        await calls.write_records(connection, records)
    return records


async def settle(pool: Pool, until: str = "2026-11-23T23:59:05Z") -> None:
    await pool.execute(
        "insert into nodes (node, row_at, row_committed_at, looked_at) "
        f"values ('pbx1', '{until}', now(), now()) on conflict (node) do update set row_at = excluded.row_at"
    )


@pytest.mark.parametrize("path", LISTS)
async def test_ndjson_is_the_rows_and_then_their_number(
    client: httpx.AsyncClient, pool: Pool, three: list[CallRecord], path: str
) -> None:
    await settle(pool)
    page = (await client.get(f"/v1/{path}")).json()
    rows = page["data"]
    for answer in (
        await client.get(f"/v1/{path}?format=ndjson"),
        await client.get(f"/v1/{path}", headers={"Accept": "application/x-ndjson, */*;q=0.1"}),
    ):
        assert answer.headers["content-type"] == "application/x-ndjson"
        *lines, last = answer.text.splitlines()
        assert [json.loads(line) for line in lines] == rows
        assert last == json.dumps({"end": True, "rows": len(rows)})
        assert answer.headers["x-as-of"] >= page["as_of"]
        assert answer.headers["x-settled-until"] == page["settled_until"]
        assert answer.headers["vary"] == "Accept"


async def test_csv_of_each_list(client: httpx.AsyncClient, three: list[CallRecord]) -> None:
    for path in LISTS:
        page = (await client.get(f"/v1/{path}")).json()["data"]
        answer = await client.get(f"/v1/{path}", headers={"Accept": "text/csv"})
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == f'attachment; filename="{path}.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert [row["id"] for row in rows] == [row["id"] for row in page]
    rows = list(csv.DictReader(io.StringIO((await client.get("/v1/calls?format=csv")).text, newline="")))
    assert rows[0]["caller_number"] == "+61255501234"
    assert (rows[1]["caller_number"], rows[1]["caller_name"]) == ("'=1+1", '\'=HYPERLINK("http://evil")')
    assert (rows[0]["duration"], rows[0]["complete"], rows[0]["answered_by_id"]) == ("60.0", "true", "")


async def test_a_whole_range_is_filtered_and_sorted_like_a_page(
    client: httpx.AsyncClient, three: list[CallRecord], pool: Pool
) -> None:
    async with pool.acquire() as connection:
        await calls.write_merged(connection, [("acme", three[0].id, three[1].id)])
    for query in ("sort=oldest_first", "number=%2B61255501234", "user=101&user=102", "updated_since=2026-01-01"):
        page = (await client.get(f"/v1/calls?{query}")).json()["data"]
        answer = await client.get(f"/v1/calls?{query}&format=ndjson")
        assert [json.loads(line) for line in answer.text.splitlines()[:-1]] == page
        assert page
    answer = await client.get("/v1/calls?updated_since=2026-01-01&format=csv&sort=oldest_first")
    first = next(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert (first["id"], first["merged_into"], first["state"]) == (three[0].id, three[1].id, "")


async def test_what_belongs_to_pages_is_refused_there(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/calls?format=csv&limit=10&offset=0&include=total")
    assert answer.status_code == 422
    told = {fault["parameter"]: fault["code"] for fault in answer.json()["errors"]}
    assert told == dict.fromkeys(("limit", "offset", "include"), "not_with_format")
    assert (await client.get("/v1/calls?format=xml")).json()["errors"][0]["parameter"] == "format"
    refused = await client.get("/v1/calls", headers={"Accept": "application/xml"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert (await client.get("/v1/calls", headers={"Accept": browser})).json()["data"] == []


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (["application/json;q=0, */*"], "text/csv"),
        (["text/csv;q=0.2,*/*;q=0.1, application/json;q=0"], "text/csv"),
        (["text/csv;q=0,application/json;q=0.0,*/*;q=0.1"], "application/x-ndjson"),
        (["application/x-ndjson;q=0, application/json;q=0, application/*, text/csv;q=0.1"], "text/csv"),
        (["*/*, text/csv"], "application/json"),
        (["text/csv, */*"], "text/csv"),
        (["TEXT/CSV;Q=0.9, application/json;q=0.8"], "text/csv"),
        (["text/csv;q=1.5, application/json"], "text/csv"),
        (["text/html", "text/csv"], "text/csv"),
        (["application/jsonl", "text/csv;q=0.5"], "application/x-ndjson"),
        ([""], "application/json"),
        (["text/csv;q=0"], None),
        (["*/*;q=0"], None),
        (["application/xml", "text/html"], None),
    ],
)
async def test_what_is_liked_best_is_chosen_and_what_is_not_accepted_never(
    client: httpx.AsyncClient, accept: list[str], form: str | None
) -> None:
    answer = await client.get("/v1/calls", headers=[("Accept", line) for line in accept])
    if form is None:
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    else:
        assert answer.headers["content-type"].partition(";")[0] == form


async def test_a_few_streams_at_once_and_each_lets_go_of_what_it_held(
    client: httpx.AsyncClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        assert (await client.get("/v1/calls?format=csv")).status_code == 200
    monkeypatch.setattr("gateway.api.streams.MOST_AT_ONCE", 0)
    busy = await client.get("/v1/calls?format=csv")
    assert (busy.status_code, busy.json()["code"]) == (503, "too_many_exports")
    assert busy.headers["retry-after"]


async def test_memory_does_not_grow_with_the_range(pool: Pool, acme: Directory, client: httpx.AsyncClient) -> None:
    async with pool.acquire() as connection:
        await calls.write_records(connection, [inbound(acme, NOON)])
        await connection.execute(
            """
            insert into calls (account_id, id, node, linked_ids, state, direction, started_at, duration_ms, document)
            select account_id, lpad(to_hex(n), 32, '0')::uuid, node, linked_ids, state, direction, started_at,
                   duration_ms, json_build_object('id', n, 'text', repeat('x', 2000))
            from calls, generate_series(1, 20000) n
            """
        )
    most, rows = 0, 0
    tracemalloc.start()
    try:
        async with listings.whole(pool, "calls", "acme", Filter(), "newest_first") as (_, batches):
            async for batch in batches:
                rows += len(batch)
                most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert rows == 20_001
    assert most < 10_000_000, "20 000 rows of 2 kB are 40 MB"


async def test_a_page_of_a_time_that_is_over_is_said_to_be_unchanged(
    client: httpx.AsyncClient, pool: Pool, three: list[CallRecord]
) -> None:
    assert "etag" not in (await client.get("/v1/calls", params=DAY)).headers  # not settled
    await settle(pool)
    assert "etag" not in (await client.get("/v1/calls?from=2026-11-03")).headers  # not over
    for path in LISTS:
        for more in ({}, {"limit": "2"}, {"offset": "1", "include": "total"}):
            answer = await client.get(f"/v1/{path}", params=DAY | more)
            tag = answer.headers["etag"]
            again = await client.get(f"/v1/{path}", params=DAY | more, headers={"If-None-Match": f'"x", {tag}'})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert again.headers["cache-control"] == "private, no-cache"
    async with pool.acquire() as connection:
        await calls.write_records(connection, [replace(three[0], hung_up_by="callee")])
    changed = await client.get("/v1/calls", params=DAY, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["data"][-1]["revision"] == 2


async def test_a_call_that_is_still_open_leaves_its_day_open(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, three: list[CallRecord]
) -> None:
    await settle(pool)
    going_on = replace(inbound(acme, NOON - MINUTE), state="in_progress", outcome=None, ended_at=None, settled=False)
    async with pool.acquire() as connection:
        await calls.write_records(connection, [going_on])
    assert "etag" not in (await client.get("/v1/calls", params=DAY)).headers
    before = {"from": "2026-11-02", "to": "2026-11-02"}
    assert "etag" in (await client.get("/v1/calls", params=before)).headers


def scope(key: str, method: str) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": "/v1/calls", "query_string": b"format=ndjson",
        "headers": [(b"token", key.encode())], "client": ("192.0.2.7", 1), "server": ("g", 80), "scheme": "http",
        "root_path": "",
    }  # fmt: skip


async def test_who_asks_for_the_head_is_read_no_rows(context: ApiContext, key: str, three: list[CallRecord]) -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await create_app(context)(scope(key, "HEAD"), receive, send)
    start, end = sent
    assert dict(start["headers"])[b"content-type"] == b"application/x-ndjson"
    assert (start["status"], end["body"], end["more_body"]) == (200, b"", False)


async def stream_to_who_takes_nothing(
    context: ApiContext, key: str, then: Callable[[], Awaitable[object]]
) -> list[Any]:
    """What was sent until the stream broke off, `then` having happened while it waited for its client."""
    waiting, sent = asyncio.Event(), list[Any]()
    request = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(request, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            waiting.set()
            await asyncio.Event().wait()

    streaming = asyncio.create_task(create_app(context)(scope(key, "GET"), receive, send))
    async with asyncio.timeout(30):
        await waiting.wait()
        await then()
        await streaming
    return sent


async def test_a_stream_breaks_off_when_its_key_is_revoked(
    context: ApiContext, key: str, pool: Pool, three: list[CallRecord]
) -> None:
    revoked_at = 0.0

    async def revoke() -> None:
        nonlocal revoked_at
        await keys.revoke(pool, key.split("_")[2])
        revoked_at = asyncio.get_running_loop().time()

    sent = await stream_to_who_takes_nothing(context, key, revoke)
    assert [message.get("more_body") for message in sent] == [None, True], "no end"
    assert asyncio.get_running_loop().time() - revoked_at < 10, "a loaded machine's second"


async def test_a_stream_breaks_off_when_its_address_is_removed(
    context: ApiContext, key: str, pool: Pool, three: list[CallRecord]
) -> None:
    sent = await stream_to_who_takes_nothing(
        context, key, lambda: networks.remove(pool, "acme", networks.parse_network("192.0.2.0/24"))
    )
    assert sent[-1]["more_body"]


async def test_a_stream_is_not_endless_whatever_its_client_does(
    context: ApiContext, key: str, three: list[CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.streams.LONGEST_SECONDS", 0.3)
    assert (await stream_to_who_takes_nothing(context, key, lambda: asyncio.sleep(0)))[-1]["more_body"]


def test_one_account_leaves_room_for_the_others() -> None:
    exports = Exports()
    with exports.one_more("acme"), exports.one_more("acme"):
        with pytest.raises(Problem, match="too_many_exports"), exports.one_more("acme"):
            pass
        with exports.one_more("other"):
            pass
    with exports.one_more("acme"):
        pass
