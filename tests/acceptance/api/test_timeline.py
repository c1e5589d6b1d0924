"""How a call's record came about, row by row and event by event: what was read from the source, on a real Postgres."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.api.answers.timeline import Timeline
from gateway.calls.directory import Directory
from gateway.calls.rows import ClockStep, Gap, QueueRow, Row
from gateway.store import calls, directories, event_log
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers
from tests.acceptance.api.records import inbound, instant
from tests.directories import ACME, of_another_account
from tests.postgres.test_ingest import read_all
from tests.unit.calls.tables import START, rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP, QUEUE

SECOND = 1_000_000


async def timeline(client: httpx.AsyncClient, call_id: object) -> dict[str, Any]:
    response = await client.get(f"/v1/calls/{call_id}/timeline")
    assert response.status_code == 200, response.text
    Timeline.model_validate_json(response.content, strict=True)
    return response.json()  # type: ignore[no-any-return]


async def only_call(pool: Pool) -> object:
    [record] = await pool.fetch("select id from calls where merged_into is null")
    return record["id"]


async def test_rows_and_events_come_in_order(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    feed = rows(GROUP + BOB_ANSWERS)
    await read_all(pool, feed)
    call_id = await only_call(pool)
    told = await timeline(client, call_id)
    assert (told["id"], told["rows_complete"]) == (str(call_id), True)
    entries = told["data"]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert [entry["event"] for entry in entries if entry["kind"] == "row"] == [row.event for row in feed]
    events = await event_log.after(pool, "acme", 0, 100)
    shown = [entry for entry in entries if entry["kind"] == "event"]
    assert {entry["id"]: (entry["sequence"], entry["type"], entry["data"]) for entry in shown} == {
        event.id: (event.sequence, event.type, json.loads(event.data)) for event in events
    }
    assert len(shown) == len(events) > 10
    # What a row led to comes after it.
    kinds = [entry.get("type") or entry["event"] for entry in entries]
    assert kinds.index("CHAN_START") < kinds.index("call.started") < kinds.index("BRIDGE_ENTER")
    assert kinds.index("call.answered") < kinds.index("BRIDGE_EXIT" if "BRIDGE_EXIT" in kinds else "LINKEDID_END")
    assert kinds[-1] == "call.ended"


async def test_a_row_is_told_without_the_arguments_of_applications(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    await read_all(pool, rows(ANSWERED.replace("app=Dial(PJSIP/103,5,tTkK)", "app=Authenticate(4711)")))
    told = await timeline(client, await only_call(pool))
    assert "4711" not in str(told)
    started, application, *_ = (entry for entry in told["data"] if entry["kind"] == "row")
    assert started == {
        "at": "2026-11-24T03:01:03.000Z",
        "kind": "row",
        "event": "CHAN_START",
        "unique_id": "1795489263.0",
        "linked_id": "1795489263.0",
        "channel": "PJSIP/102-0",
        "caller": {"number": "102", "name": "Bob"},
        "extension": "103",
        "application": None,
        "peers": [],
        "user_event": None,
        "extra": {},
    }
    assert application["application"] == "Authenticate"
    hangup = next(entry for entry in told["data"] if entry.get("event") == "HANGUP")
    assert hangup["extra"] == {"hangupcause": "16", "hangupsource": "PJSIP/102-0", "dialstatus": "ANSWER"}


async def test_what_the_queue_told_and_what_was_not_heard_is_in_it(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    own, another = "1795489263.0", "1795489263.99"
    feed: list[Row] = [
        *rows(QUEUE + BOB_ANSWERS),
        QueueRow("ENTERQUEUE", START + SECOND, own, "support", position=1),
        QueueRow("ENTERQUEUE", START + SECOND, another, "support", position=2),
        QueueRow("CONNECT", START + 2 * SECOND, own, "support", member="PJSIP/102", original_position=1),
        Gap(START - 60 * SECOND),
        Gap(START + 3 * SECOND),
        ClockStep(START + 4 * SECOND),
        Gap(START + 60 * SECOND),
    ]
    await read_all(pool, sorted(feed, key=lambda row: row.at), size=1000)
    entries = (await timeline(client, await only_call(pool)))["data"]
    queue = [entry for entry in entries if entry["kind"] == "queue"]
    assert [(entry["event"], entry["unique_id"]) for entry in queue] == [("ENTERQUEUE", own), ("CONNECT", own)]
    assert queue[1] == {
        "at": "2026-11-24T03:01:05.000Z",
        "kind": "queue",
        "event": "CONNECT",
        "unique_id": own,
        "queue": "support",
        "member": "PJSIP/102",
        "position": None,
        "original_position": 1,
    }
    others = [(entry["kind"], entry["at"]) for entry in entries if entry["kind"] in ("gap", "clock_step")]
    assert others == [("gap", "2026-11-24T03:01:06.000Z"), ("clock_step", "2026-11-24T03:01:07.000Z")]


async def test_it_names_nothing_of_another_account(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, of_another_account(ACME))
    theirs = "PJSIP/other-103"
    feed = [
        replace(row, peer=f"PJSIP/103-1,{theirs}-2") if row.event == "BRIDGE_ENTER" else row
        for row in rows(ANSWERED.replace("PJSIP/103-1", f"{theirs}-1").replace("cid=103", 'cid=103 "Their Carol"'))
    ]
    await read_all(pool, feed)
    told = await timeline(client, await only_call(pool))
    entries = [entry for entry in told["data"] if entry["kind"] == "row"]
    assert len(entries) == len(feed)
    for text in (theirs, "Their Carol"):
        assert text not in str(entries)
    hidden = [entry for entry in entries if entry["channel"] is None]
    assert {entry["unique_id"] for entry in hidden} == {"1795489263.1"}
    assert {entry["channel"] for entry in entries} == {None, "PJSIP/102-0"}
    entered = next(entry for entry in entries if entry["event"] == "BRIDGE_ENTER" and entry["channel"])
    assert entered["peers"] == ["PJSIP/103-1"]


async def test_the_id_that_merged_tells_of_the_whole_call(
    client: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    first, second = (inbound(acme, instant(f"2026-11-03T12:0{n}:00+11:00")) for n in range(2))
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, [first, second])
        await calls.write_merged(connection, [("acme", second.id, first.id)])
        await pool.execute(
            "insert into events (account_id, sequence, id, type, occurred_at, call_id, data) "
            "values ('acme', 1, 'evt_acme_1', 'call.merged', '2026-11-03T01:02:00Z', $1::text::uuid, '{}')",
            second.id,
        )
    for call_id in (first.id, second.id):
        told = await timeline(client, call_id)
        assert (told["id"], [entry["type"] for entry in told["data"]]) == (first.id, ["call.merged"])
        assert told["rows_complete"] is False, "there are none of it"


@pytest.mark.parametrize("dropped", ["2026-11-24T03:01:02Z", "2026-11-24T03:01:04Z"])
async def test_that_rows_were_dropped_is_told(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, dropped: str
) -> None:
    await read_all(pool, rows(ANSWERED))
    await pool.execute("update nodes set dropped_until = $1::text::timestamptz", dropped)
    told = await timeline(client, await only_call(pool))
    assert told["rows_complete"] is (dropped < "2026-11-24T03:01:03Z")


async def test_a_call_that_was_placed_begins_with_who_asked(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    placed = await client.post("/v1/calls", json={"user": "101", "to": "+61255501234", "reference": "crm-4711"})
    call = placed.json()
    told = await timeline(client, call["id"])
    assert told["data"] == [
        {
            "at": call["started_at"],
            "kind": "placed",
            "user": call["origin"]["user"],
            "to": "+61255501234",
            "caller_id": "+61290000001",
            "reference": "crm-4711",
        }
    ]
