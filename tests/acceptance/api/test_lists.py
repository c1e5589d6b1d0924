"""Reading calls: range, sort, who, paging, and every wrong parameter told at once."""

from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from gateway.api import openings
from gateway.calls.directory import Directory
from gateway.calls.record import CallRecord
from gateway.store import calls, directories, listings
from gateway.store.connection import Connection, Pool
from tests.acceptance.api.records import inbound, instant, through_queue

NOON = "2026-11-03T12:00:00+11:00"
HOUR = 3600 * 1_000_000


@pytest.fixture
async def three(pool: Pool, acme: Directory) -> list[CallRecord]:
    """Noon, one and two o'clock in Sydney; the second through the queue, the third for Bob and the longest."""
    noon = instant(NOON)
    records = [
        inbound(acme, noon),
        through_queue(acme, inbound(acme, noon + HOUR, seconds=30)),
        inbound(acme, noon + 2 * HOUR, seconds=90, user=acme.users[1]),
    ]
    async with pool.acquire() as connection:
        await calls.write_records(connection, records)
    return records


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [row["id"] for row in response.json()["data"]]


async def test_sorts_and_pages(client: httpx.AsyncClient, three: list[CallRecord], pool: Pool) -> None:
    first, second, third = (record.id for record in three)
    assert ids(await client.get("/v1/calls")) == [third, second, first]
    assert ids(await client.get("/v1/calls?sort=oldest_first")) == [first, second, third]
    assert ids(await client.get("/v1/calls?sort=longest_first")) == [third, first, second]
    await pool.execute(
        "insert into nodes (node, row_at, row_committed_at, looked_at) "
        "values ('pbx1', '2026-11-23T23:59:00Z', now() - interval '65 seconds', now())"
    )
    page = await client.get("/v1/calls?limit=2&include=total")
    envelope = page.json()
    assert (envelope["has_more"], envelope["total"], envelope["open_calls"]) == (True, 3, 0)
    assert envelope["settled_until"] == "2026-11-24T00:00:00.000Z"
    assert f"cursor={envelope['next_cursor']}" in page.links["next"]["url"]
    last = await client.get(page.links["next"]["url"])
    assert ids(last) == [first]
    about = last.json()
    assert (about["has_more"], about["next_cursor"], about["total"], "next" in last.links) == (False, None, 3, False)
    assert about["as_of"] == envelope["as_of"]


async def test_the_document_is_the_folds_with_revision_and_time(
    client: httpx.AsyncClient, three: list[CallRecord]
) -> None:
    response = await client.get(f"/v1/calls/{three[0].id}")
    call = response.json()
    assert call["caller"]["name"] == 'Jo "Ö" Citizen'
    assert list(call)[-3:] == ["settled", "revision", "updated_at"]
    assert call["revision"] == 1


async def test_who_asks_for_what_was_updated_since_the_last_answer_misses_nothing(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    """Rows bear the time at which their transaction began, and the answer came before it was committed."""
    record = inbound(acme, instant(NOON))
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, [record])
        first = (await client.get("/v1/calls")).json()
        status = (await client.get("/v1/status")).json()
    assert first["data"] == []
    for as_of in (first["as_of"], status["as_of"]):
        assert ids(await client.get("/v1/calls", params={"updated_since": as_of})) == [record.id]


async def test_an_answer_that_follows_at_once_goes_by_the_directory_that_was_applied_between(
    client: httpx.AsyncClient,
    pool: Pool,
    acme: Directory,
    three: list[CallRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a page begins with is remembered for a moment: only for as long as the same directory is in force."""
    monkeypatch.setattr(openings, "RECENT_SECONDS", 60.0)
    asked: list[str] = []
    opening = listings.opening

    async def counted(connection: Connection, account: str) -> listings.Opening:
        asked.append(account)
        return await opening(connection, account)

    monkeypatch.setattr(listings, "opening", counted)
    that_day = "/v1/calls?limit=2&from=2026-11-03&to=2026-11-03"
    first = await client.get(that_day)
    further = (first.json()["next_cursor"], three[0].id)
    assert ids(first) == ids(await client.get(that_day)) == [three[2].id, three[1].id]
    assert ids(await client.get(f"{that_day}&cursor={further[0]}")) == [further[1]]
    assert asked == ["acme"]
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, time_zone="America/Los_Angeles"))
    refused = await client.get(f"{that_day}&cursor={further[0]}")
    assert refused.json()["errors"][0]["code"] == "cursor_of_another_list", refused.text
    assert ids(await client.get(that_day)) == []
    assert asked == ["acme", "acme"]


async def test_a_plain_date_is_the_accounts_whole_day(client: httpx.AsyncClient, three: list[CallRecord]) -> None:
    assert len(ids(await client.get("/v1/calls?from=2026-11-03&to=2026-11-03"))) == 3
    assert ids(await client.get("/v1/calls?from=2026-11-04")) == []
    half_open = f"/v1/calls?from={NOON}&to=2026-11-03T13:00:00%2B11:00"
    assert ids(await client.get(half_open)) == [three[0].id]


@pytest.mark.parametrize(
    "noon",
    ["2026-11-03 12:00:00 11:00", "2026-11-03T12:00 11:00", "2026-11-03T12:00:00 1100", "2026-11-03 12:00 11",
     "20261103T120000 1100", "2026-11-03t01:00:00z", "2026-11-03 01:00:00z", "2026-11-03t12:00:00%2B11:00"],
)  # fmt: skip
async def test_an_instant_is_read_in_each_of_its_forms(
    client: httpx.AsyncClient, three: list[CallRecord], noon: str
) -> None:
    assert ids(await client.get(f"/v1/calls?from={noon}&to=2026-11-03T12:00:01%2B11:00")) == [three[0].id]


@pytest.mark.parametrize("moment", ["2026-11-03 12:00", "2026-11-03 12:00:00", "12:00 11:00"])
async def test_what_has_no_offset_gets_none(client: httpx.AsyncClient, moment: str) -> None:
    response = await client.get("/v1/calls", params={"from": moment})
    assert [fault["code"] for fault in response.json()["errors"]] == ["unreadable_time"]


async def test_who(client: httpx.AsyncClient, acme: Directory, three: list[CallRecord]) -> None:
    for term in (acme.users[1].id, "102", "Bob"):
        assert ids(await client.get("/v1/calls", params={"user": term})) == [three[2].id]
        assert ids(await client.get("/v1/user-calls", params={"user": term})) == [f"{three[2].id}-{acme.users[1].id}"]
    assert len(ids(await client.get("/v1/calls?user=101&user=102"))) == 3
    for term in ("700", "support"):
        assert ids(await client.get("/v1/calls", params={"queue": term})) == [three[1].id]
        assert ids(await client.get("/v1/queue-calls", params={"queue": term})) == [f"{three[1].id}-q1"]
    assert ids(await client.get("/v1/user-calls?queue=700")) == []
    assert ids(await client.get("/v1/ring-group-calls?ring_group=sales&queue=700")) == []


async def test_filters(client: httpx.AsyncClient, three: list[CallRecord]) -> None:
    assert len(ids(await client.get("/v1/calls", params={"number": "0255501234"}))) == 3
    assert len(ids(await client.get("/v1/calls?number= 61255501234&direction=inbound&outcome=answered"))) == 3
    assert ids(await client.get("/v1/calls?state=open")) == []
    assert len(ids(await client.get("/v1/calls?updated_since=2026-01-01"))) == 3
    assert ids(await client.get(f"/v1/calls?call_id={three[1].id}")) == [three[1].id]
    assert len(ids(await client.get("/v1/user-calls?type=user_inbound_answered&result=answered"))) == 3
    assert len(ids(await client.get("/v1/queue-calls?status=answered"))) == 1


async def test_all_faults_at_once(client: httpx.AsyncClient) -> None:
    query = "limit=0&offset=-1&sort=sideways&colour=red&from=2026-11-01&from=2026-11-02&reference=%00&user=999&to=now"
    response = await client.get(f"/v1/calls?{query}")
    assert response.status_code == 422
    faults = {fault["parameter"]: fault["code"] for fault in response.json()["errors"]}
    assert set(faults) == {"limit", "offset", "sort", "colour", "from", "reference", "user", "to"}
    assert faults["colour"] == "unknown_parameter"


async def test_what_does_not_go_together_is_told_with_the_other_faults(
    client: httpx.AsyncClient, three: list[CallRecord]
) -> None:
    cursor = (await client.get("/v1/calls?limit=1")).json()["next_cursor"]
    for query, faults in {
        "cursor=abc&user=nobody": {("cursor", "unreadable_cursor"), ("user", "unknown_user")},
        "cursor=abc&sort=sideways": {("cursor", "unreadable_cursor"), ("sort", "not_one_of")},
        "cursor=abc&offset=0": {("cursor", "unreadable_cursor"), ("offset", "not_with_cursor")},
        "cursor=abc&offset=-1": {
            ("cursor", "unreadable_cursor"),
            ("offset", "too_small"),
            ("offset", "not_with_cursor"),
        },
        f"cursor={cursor}&user=nobody": {("user", "unknown_user")},
        f"cursor={cursor}&sort=sideways": {("sort", "not_one_of")},
        f"cursor={cursor}&direction=inbound&limit=0&colour=red": {
            ("cursor", "cursor_of_another_list"),
            ("limit", "too_small"),
            ("colour", "unknown_parameter"),
        },
        "format=csv&limit=5&user=nobody": {("limit", "not_with_format"), ("user", "unknown_user")},
        "format=csv&cursor=abc&offset=0&from=now": {
            ("cursor", "not_with_format"),
            ("offset", "not_with_format"),
            ("from", "unreadable_time"),
        },
    }.items():
        response = await client.get(f"/v1/calls?{query}")
        assert response.status_code == 422, query
        errors = [(fault["parameter"], fault["code"]) for fault in response.json()["errors"]]
        assert (query, set(errors), len(errors)) == (query, faults, len(faults))


async def test_names_and_times_that_say_nothing(client: httpx.AsyncClient) -> None:
    who = "user=999&queue=none&ring_group=none"
    when = "from=yesterday&to=2026-11-03T10:00:00&updated_since=2026-02-30"
    response = await client.get(f"/v1/calls?{who}&{when}")
    assert response.status_code == 422
    assert {fault["code"] for fault in response.json()["errors"]} == {
        "unknown_user",
        "unknown_queue",
        "unknown_ring_group",
        "unreadable_time",
    }


@pytest.mark.parametrize(
    "moment", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31"]
)
@pytest.mark.parametrize("name", ["from", "to", "updated_since"])
async def test_the_first_and_the_last_of_the_calendar_are_times(
    client: httpx.AsyncClient, three: list[CallRecord], name: str, moment: str
) -> None:
    response = await client.get("/v1/calls", params={name: moment})
    assert response.status_code == 200
    assert len(response.json()["data"]) == (3 if (moment < "1") == (name != "to") else 0)


async def test_a_merged_call_is_found_under_its_old_id(
    client: httpx.AsyncClient, pool: Pool, three: list[CallRecord]
) -> None:
    async with pool.acquire() as connection:
        await calls.write_merged(connection, [("acme", three[0].id, three[1].id)])
    assert (await client.get(f"/v1/calls/{three[0].id}")).json()["id"] == three[1].id
    assert three[0].id not in ids(await client.get("/v1/calls"))
    rows = (await client.get("/v1/calls?updated_since=2026-01-01")).json()["data"]
    assert {"id": three[0].id, "merged_into": three[1].id} in rows
    for kind in ("calls", "user-calls", "queue-calls"):
        old, new = [ids(await client.get(f"/v1/{kind}?call_id={one.id}")) for one in three[:2]]
        assert old == new != []


async def test_whoever_follows_the_open_calls_is_told_of_those_that_merged(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    going_on, joined = (
        replace(inbound(acme, instant(NOON) + n), state="in_progress", outcome=None, ended_at=None, duration_ms=None)
        for n in (0, HOUR)
    )
    over = inbound(acme, instant(NOON) + 2 * HOUR)
    async with pool.acquire() as connection:
        await calls.write_records(connection, [going_on, joined, over])
        await calls.write_merged(connection, [("acme", joined.id, going_on.id)])
    query = "/v1/calls?state=open&updated_since=2026-01-01&sort=oldest_first"
    rows = (await client.get(query)).json()["data"]
    assert rows[1:] == [{"id": joined.id, "merged_into": going_on.id}]
    assert rows[0]["state"] == "in_progress"
    first = await client.get(f"{query}&limit=1")
    assert ids(first) + ids(await client.get(first.links["next"]["url"])) == [going_on.id, joined.id]
    assert ids(await client.get("/v1/calls?state=open")) == [going_on.id]
    assert ids(await client.get("/v1/user-calls?state=open&updated_since=2026-01-01&sort=oldest_first"))[1:] == [
        f"{joined.id}-{acme.users[0].id}"
    ]


async def test_the_next_page_by_offset_begins_where_offsets_end_at_most(
    client: httpx.AsyncClient, three: list[CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the cursor goes on from the same row."""
    monkeypatch.setattr("gateway.api.lists.MOST_OFFSET", 1)
    by_offset = await client.get("/v1/calls?offset=0&limit=1&user=101&user=102")
    assert "offset=1" in by_offset.links["next"]["url"]
    second = await client.get(by_offset.links["next"]["url"])
    url = second.links["next"]["url"]
    assert ("offset=" in url, "cursor=" in url) == (False, True)
    third = await client.get(url)
    assert [*ids(by_offset), *ids(second), *ids(third)] == [record.id for record in reversed(three)]


async def test_another_accounts_calls_do_not_exist(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    other = replace(inbound(acme, instant(NOON)), account="other")
    await pool.execute(
        "insert into accounts (id, name, time_zone, country, directory_version) values ('other', 'O', 'UTC', 'AU', 1)"
    )
    async with pool.acquire() as connection:
        await calls.write_records(connection, [other])
    assert ids(await client.get("/v1/calls?state=all")) == []
    assert (await client.get(f"/v1/calls/{UUID(other.id)}")).status_code == 404
    assert (await client.post(f"/v1/calls/{UUID(other.id)}/hangup")).status_code == 404
    assert (await client.get("/v1/calls/nonsense")).status_code == 404
