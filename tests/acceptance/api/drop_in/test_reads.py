"""Reading calls for integrations written against the hosted product: golden pairs over one day of an account."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.calls.directory import Directory, User
from gateway.calls.record import Attempt, Callee, Caller, CallRecord, Party, Segment
from gateway.store import calls, keys
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers
from tests.acceptance.api.drop_in import pairs
from tests.acceptance.api.records import SECOND, inbound, instant, through_queue, through_ring_group

READS = ("get-user-calls", "get-queue-calls", "get-ringgroup-calls", "get-system-status")
ROWS = {
    "get-user-calls": (
        "unique_call_id, type, caller_id, caller_name, dest_number, user_name, user_number, call_start_at, "
        "connected_at, call_duration, conversation_duration"
    ),
    "get-queue-calls": (
        "unique_call_id, callerid, caller_name, dest_number, call_start_at, connected_at, call_duration, "
        "conversation_duration, user_name, user_number, queue_name, status"
    ),
    "get-ringgroup-calls": (
        "unique_call_id, callerid, caller_name, dest_number, call_start_at, connected_at, call_duration, "
        "conversation_duration, user_name, user_number, ring_group_name, status"
    ),
}


def at(time: str) -> int:
    return instant(f"2026-11-03T{time}:00+11:00")


def talked(call: CallRecord, user: User) -> CallRecord:
    """From the answer to the end."""
    assert call.answered_at is not None
    parties = Party(call.caller.number, call.caller.name, call.caller.user), Party(user.number, user.name, user.ref)
    return replace(call, segments=(Segment(parties, "dial", call.answered_at, call.ended_at),))


def missed(directory: Directory, start: int) -> CallRecord:
    """Alice is rung for 20 seconds by somebody who shows no number."""
    call = inbound(directory, start, seconds=20)
    [attempt] = call.attempts
    unanswered = replace(attempt, answered_at=None, result="no_answer")
    return replace(
        call,
        outcome="no_answer",
        caller=Caller(None, None, None),
        answered_at=None,
        ring_ms=20_000,
        talk_ms=0,
        attempts=(unanswered,),
    )


def abandoned(directory: Directory, start: int) -> CallRecord:
    """Nobody is free in the queue, and the caller leaves after 21 seconds."""
    queued = through_queue(directory, inbound(directory, start, seconds=21))
    [visit] = queued.visits
    waited = replace(visit, status="abandoned", user=None, answered_at=None, wait_ms=21_000, talk_ms=0)
    return replace(queued, outcome="abandoned", answered_at=None, ring_ms=0, talk_ms=0, attempts=(), visits=(waited,))


def answered_by_bob(directory: Directory, start: int) -> CallRecord:
    """The ring group rings Alice and Bob."""
    alice, bob = directory.users[:2]
    call = talked(through_ring_group(directory, inbound(directory, start, user=bob)), bob)
    [his] = call.attempts
    [rung] = call.visits
    visit = replace(rung, user=bob.ref)
    hers = Attempt(
        alice.ref,
        alice.devices[0],
        alice.number,
        "ring_group",
        start,
        None,
        his.answered_at,
        "answered_elsewhere",
        visit.id,
    )
    return replace(call, attempts=(replace(his, via="ring_group", visit=visit.id), hers), visits=(visit,))


def outbound(directory: Directory, start: int) -> CallRecord:
    """Alice calls out; durations are no whole seconds."""
    alice = directory.users[0]
    call = inbound(directory, start)
    return replace(
        call,
        direction="outbound",
        caller=Caller(alice.number, alice.name, alice.ref),
        callee=Callee("+61255501234"),
        answered_at=start + 14 * SECOND,
        ring_ms=4_260,
        talk_ms=13_499,
        attempts=(),
    )


@pytest.fixture
async def day(pool: Pool, acme: Directory) -> list[CallRecord]:
    alice, _, carol = acme.users
    going_on = inbound(acme, at("15:00"))
    records = [
        talked(inbound(acme, at("09:00"), user=carol), carol),
        talked(through_queue(acme, inbound(acme, at("10:00"))), alice),
        answered_by_bob(acme, at("11:00")),
        abandoned(acme, at("12:00")),
        missed(acme, at("13:00")),
        outbound(acme, at("14:00")),
        replace(going_on, state="in_progress", outcome=None, ended_at=None, duration_ms=None, settled=False),
    ]
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, records)
    return records


@pytest.mark.parametrize(("what", "name"), [(what, name) for what in READS for name in pairs.names(what)])
async def test_the_answer_is_the_golden_one(
    anybody: httpx.AsyncClient, key: str, day: list[CallRecord], what: str, name: str
) -> None:
    pair = pairs.read(what, name)
    response = await pair.ask(anybody, key)
    assert (response.status_code, response.json()) == (pair.status, pair.answer)
    assert list(response.json()) == ["code", "status", "message", "data"]
    assert response.headers["content-type"] == "application/json"
    for row in response.json()["data"] if what in ROWS else []:
        assert ", ".join(row) == ROWS[what]


async def test_both_versions_answer_alike(anybody: httpx.AsyncClient, key: str, day: list[CallRecord]) -> None:
    anybody.headers["token"] = key
    for what in READS:
        first, second = [(await anybody.get(f"/api/integration/{version}/{what}")).json() for version in ("v1", "v2")]
        assert first == second
        assert first["data"]


async def test_no_duration_is_anything_but_an_integer_and_nothing_is_null(
    anybody: httpx.AsyncClient, key: str, day: list[CallRecord]
) -> None:
    anybody.headers["token"] = key
    for what in ROWS:
        for row in (await anybody.get(f"/api/integration/v2/{what}")).json()["data"]:
            durations = {name: value for name, value in row.items() if name.endswith("_duration")}
            assert {type(value) for value in durations.values()} == {int}
            assert all(isinstance(value, str) for name, value in row.items() if name not in durations)


async def test_fifty_to_eighty_as_the_hosted_product_counts(
    anybody: httpx.AsyncClient, key: str, pool: Pool, acme: Directory
) -> None:
    records = [inbound(acme, at("09:00") + n * 60 * SECOND) for n in range(100)]
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, records)
    query = "sort_by=oldest_first&offset=50&limit=30"
    response = await anybody.get(f"/api/integration/v2/get-user-calls?{query}", headers={"token": key})
    assert [row["unique_call_id"] for row in response.json()["data"]] == [record.id for record in records[50:80]]


async def test_a_call_that_merged_is_found_by_the_id_it_had(
    anybody: httpx.AsyncClient, key: str, pool: Pool, day: list[CallRecord]
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_merged(connection, [("acme", day[1].id, day[0].id)])
    asked = f"/api/integration/v2/get-user-calls?unique_call_id={day[1].id}"
    rows = (await anybody.get(asked, headers={"token": key})).json()["data"]
    assert [row["unique_call_id"] for row in rows] == [day[0].id]


async def test_a_name_that_passed_to_somebody_else_is_the_present_bearers(
    anybody: httpx.AsyncClient, key: str, pool: Pool, acme: Directory, day: list[CallRecord]
) -> None:
    """And a name that nobody bears any more is theirs who did."""
    alice, bob, carol = acme.users
    await pool.execute("update users set removed_at = now(), name = 'Bob' where id = $1", carol.id)
    await pool.execute("update users set removed_at = now() where id = $1", alice.id)

    async def starts(query: str) -> set[str]:
        answer = await anybody.get(f"/api/integration/v2/get-user-calls?{query}", headers={"token": key})
        return {row["call_start_at"] for row in answer.json()["data"]}

    assert bob.name == "Bob"
    assert await starts("users_names=Bob") == {"2026-11-03T00:00:00.000Z"}
    assert len(await starts("users_names=Alice")) == 4


async def test_the_status_says_what_is_so(
    anybody: httpx.AsyncClient, key: str, pool: Pool, asterisk: AsteriskThatAnswers, day: list[CallRecord]
) -> None:
    async def status() -> Any:
        return (await anybody.get("/api/integration/v2/get-system-status", headers={"token": key})).json()["data"]

    assert await status() == {"asterisk_connected": True, "open_calls": 1, "settled_until": ""}
    asterisk.connected = False
    await pool.execute(
        "insert into nodes (node, row_at, row_committed_at, looked_at) "
        "values ('pbx1', '2026-11-23T23:59:00Z', now() - interval '65 seconds', now())"
    )
    expected = {"asterisk_connected": False, "open_calls": 1, "settled_until": "2026-11-24T00:00:00.000Z"}
    assert await status() == expected


async def test_who_may_not_read_is_told_so_in_the_envelope(
    anybody: httpx.AsyncClient, pool: Pool, key: str, day: list[CallRecord]
) -> None:
    write_only = await keys.create(pool, "acme", "dialler", ["calls:write"])
    for what in READS:
        for token, status in ((write_only, 403), ("nonsense", 401)):
            response = await anybody.get(f"/api/integration/v2/{what}", headers={"token": token})
            answer = response.json()
            assert (response.status_code, answer["code"], answer["status"], answer["data"]) == (
                status,
                status,
                "error",
                [],
            )
