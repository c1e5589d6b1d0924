"""A walk by cursor shows what its first page saw: whatever comes, ends, is amended, merges or goes meanwhile."""

import base64
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.calls.directory import Directory
from gateway.calls.record import CallRecord
from gateway.store import calls, retention
from gateway.store.connection import Pool
from tests.acceptance.api.records import inbound, instant, through_queue

NOON = instant("2026-11-03T12:00:00+11:00")
MINUTE = 60 * 1_000_000
SORTS = ("newest_first", "oldest_first", "longest_first")


def call(acme: Directory, n: int, **more: Any) -> CallRecord:
    return inbound(acme, NOON + n * MINUTE, seconds=100 + (n * 37) % 50, **more)


def still_open(record: CallRecord) -> CallRecord:
    return replace(record, state="in_progress", outcome=None, ended_at=None, duration_ms=None, settled=False)


async def write(pool: Pool, *records: CallRecord) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, records)


class Walk:
    """Page by page, as one follows `Link`."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self.next: str | None = url
        self.rows: list[dict[str, Any]] = []

    async def page(self) -> dict[str, Any]:
        assert self.next is not None
        response = await self._client.get(self.next)
        assert response.status_code == 200, response.text
        self.rows += response.json()["data"]
        self.next = response.links["next"]["url"] if "next" in response.links else None
        return response.json()  # type: ignore[no-any-return]

    async def to_its_end(self) -> list[dict[str, Any]]:
        while self.next is not None:
            await self.page()
        return self.rows


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("path", ["calls", "user-calls", "queue-calls"])
async def test_whatever_happens_the_rest_of_a_walk_is_what_it_would_have_been(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, path: str, sort: str
) -> None:
    records = [through_queue(acme, call(acme, n)) for n in range(30)]
    await write(pool, *records, still_open(call(acme, 100)))
    url = f"/v1/{path}?sort={sort}&limit=7"
    expected = await Walk(client, url).to_its_end()
    assert len(expected) == 30

    walk = Walk(client, url)
    await walk.page()
    await write(pool, *(through_queue(acme, call(acme, n + 200)) for n in range(10)))  # come
    await write(pool, *(through_queue(acme, call(acme, -n - 1)) for n in range(10)))  # come late, of long ago
    await write(pool, call(acme, 100))  # ends
    longer = [replace(one, duration_ms=(one.duration_ms or 0) + 500_000, talk_ms=1) for one in records[::3]]
    await write(pool, *longer)  # is amended, more than once
    await write(pool, *(replace(one, duration_ms=1, talk_ms=2, direction="internal") for one in records[::3]))
    await walk.page()
    async with pool.acquire() as connection, connection.transaction():  # merges
        await calls.write_merged(connection, [("acme", records[4].id, records[5].id)])
    await write(pool, replace(records[10], attempts=(), visits=()))  # loses its rows
    assert await walk.to_its_end() == expected


@pytest.mark.parametrize("sort", SORTS)
async def test_open_calls_that_end_meanwhile_are_neither_skipped_nor_repeated(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, sort: str
) -> None:
    over = [call(acme, n) for n in range(0, 20, 2)]
    going_on = [still_open(call(acme, n)) for n in range(1, 20, 2)]
    await write(pool, *over, *going_on)
    for state, expected in (("all", {one.id for one in over + going_on}), ("open", {one.id for one in going_on})):
        for n in range(0, 20, 2):
            await write(pool, still_open(call(acme, n + 1)))
        walk = Walk(client, f"/v1/calls?state={state}&sort={sort}&limit=3")
        await walk.page()
        ended = [call(acme, n) for n in range(1, 20, 2)]
        await write(pool, *ended, still_open(call(acme, 50)))
        await write(pool, *(replace(one, hung_up_by="callee") for one in ended[::2]))
        found = [row["id"] for row in await walk.to_its_end()]
        assert len(found) == len(set(found))
        assert set(found) == expected
        await pool.execute("delete from calls where id = $1::text::uuid", call(acme, 50).id)
        await pool.execute("truncate superseded_calls")
        await pool.execute("delete from calls where id = any($1::text[]::uuid[])", [one.id for one in ended])


async def test_calls_that_arrive_while_a_cursor_walks(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    there = [call(acme, n) for n in range(60)]
    await write(pool, *there)
    walk = Walk(client, "/v1/calls?limit=5&include=total")
    n = 1000
    while walk.next is not None:
        assert (await walk.page())["total"] == 60
        await write(pool, *(call(acme, n + i) for i in range(5)), *(call(acme, -n - i) for i in range(5)))
        n += 5
    assert [row["id"] for row in walk.rows] == [one.id for one in reversed(there)]


async def test_a_transaction_that_was_running_when_a_walk_began_is_not_in_it(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    """Its rows bear an earlier time than those that were there."""
    async with pool.acquire() as connection:
        running = connection.transaction()
        await running.start()
        await calls.write_records(connection, [call(acme, 2)])
        await write(pool, call(acme, 3), call(acme, 1))
        walk = Walk(client, "/v1/calls?limit=1")
        await walk.page()
        await running.commit()
    assert [row["id"] for row in await walk.to_its_end()] == [call(acme, 3).id, call(acme, 1).id]


async def test_offset_and_limit(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    there = [call(acme, n) for n in range(100)]
    await write(pool, *there)
    answer = await client.get("/v1/calls?sort=oldest_first&offset=50&limit=30")
    assert [row["id"] for row in answer.json()["data"]] == [one.id for one in there[50:80]]
    assert httpx.URL(answer.links["next"]["url"]).params["offset"] == "80"
    last = await client.get(answer.links["next"]["url"])
    assert [row["id"] for row in last.json()["data"]] == [one.id for one in there[80:]]
    assert "next" not in last.links
    cursor = answer.json()["next_cursor"]
    on = await client.get("/v1/calls", params={"sort": "oldest_first", "limit": 30, "cursor": cursor})
    assert on.json()["data"] == last.json()["data"]


async def test_a_cursor_is_good_for_its_own_list_for_a_day(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, key: str
) -> None:
    await write(pool, *(call(acme, n) for n in range(3)))
    cursor = (await client.get("/v1/calls?limit=1")).json()["next_cursor"]

    async def refused(**query: str) -> dict[str, str]:
        answer = await client.get("/v1/calls", params=query)
        assert answer.status_code == 422, answer.text
        return {fault["parameter"]: fault["code"] for fault in answer.json()["errors"]}

    assert await refused(cursor=cursor, sort="oldest_first") == {"cursor": "cursor_of_another_list"}
    assert await refused(cursor=cursor, state="all") == {"cursor": "cursor_of_another_list"}
    assert await refused(cursor=cursor, offset="0") == {"offset": "not_with_cursor"}
    fields = json.loads(base64.urlsafe_b64decode(cursor + "=="))

    def made_up(place: int, value: Any) -> str:
        changed = [*fields[:place], value, *fields[place + 1 :]]
        return base64.urlsafe_b64encode(json.dumps(changed).encode()).decode()

    assert await refused(cursor=made_up(2, fields[2] - 25 * 3600 * 1_000_000)) == {"cursor": "cursor_expired"}
    wrong = ["x", "%00", "bnVsbA==", made_up(3, "1"), made_up(3, "9:1:"), made_up(3, "1:9:9"), made_up(3, "1:9:3,3")]
    wrong += [made_up(6, 10**30), made_up(6, None), made_up(7, "no id"), made_up(7, 3), made_up(0, 2), made_up(5, -1)]
    wrong += [made_up(3, "\u0661:\u0669:")]  # digits, but none that Postgres knows
    for one in wrong:
        assert await refused(cursor=one) == {"cursor": "unreadable_cursor"}


@pytest.mark.parametrize("row", ["\ud800", "a\0b", "", "x" * 256, 3])
async def test_a_cursor_whose_row_is_no_text_that_the_database_takes_is_unreadable(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, row: object
) -> None:
    await write(pool, *(call(acme, n) for n in range(3)))
    cursor = (await client.get("/v1/user-calls?limit=1")).json()["next_cursor"]
    fields = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    made_up = base64.urlsafe_b64encode(json.dumps([*fields[:-1], row]).encode()).decode()
    answer = await client.get("/v1/user-calls", params={"cursor": made_up})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unreadable_cursor")


async def test_an_incremental_pull_of_rows_hears_of_those_that_went(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    one, other, third = (through_queue(acme, call(acme, n)) for n in range(3))
    await write(pool, one, other, third)
    for path in ("user-calls", "queue-calls"):
        before = (await client.get(f"/v1/{path}")).json()
        assert len(before["data"]) == 3
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_merged(connection, [("acme", one.id, other.id)])
    await write(pool, replace(third, attempts=(), visits=()))
    alice = acme.users[0].id
    since = before["as_of"]
    rows = (await client.get("/v1/user-calls", params={"updated_since": since, "user": alice})).json()["data"]
    assert {"id": f"{one.id}-{alice}", "merged_into": other.id} in rows
    assert {"id": f"{third.id}-{alice}", "merged_into": None} in rows
    rows = (await client.get("/v1/queue-calls", params={"updated_since": since, "queue": "support"})).json()["data"]
    assert {"id": f"{one.id}-q1", "merged_into": other.id} in rows
    assert {"id": f"{third.id}-q1", "merged_into": None} in rows
    await write(pool, third)
    rows = (await client.get("/v1/user-calls", params={"updated_since": since, "limit": 1000})).json()["data"]
    there = [row["call_id"] for row in rows if "call_id" in row]
    assert third.id in there
    assert one.id not in there
    assert {"id": one.id, "merged_into": other.id} in (
        await client.get("/v1/calls", params={"updated_since": since, "user": alice})
    ).json()["data"]


async def test_versions_are_kept_for_as_long_as_a_cursor_lives(pool: Pool, acme: Directory) -> None:
    await write(pool, call(acme, 1))
    await write(pool, replace(call(acme, 1), hung_up_by="callee"))
    kept = "select count(*) from superseded_calls"
    assert await pool.fetchval(kept) == 1
    await pool.execute("update superseded_calls set superseded_at = now() - interval '25 hours'")
    await retention.prune(pool, retention.AUDITS_KEPT)
    assert await pool.fetchval(kept) == 1
    await pool.execute("update superseded_calls set superseded_at = now() - interval '49 hours'")
    await retention.prune(pool, retention.AUDITS_KEPT)
    assert await pool.fetchval(kept) == 0
