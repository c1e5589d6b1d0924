"""Every recorded call, folded from either of its two forms, is what its scenario says (see tests/lab/record.py)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.journal import JournalSource
from gateway.calls.directory import Directory, NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.origination import Origination
from gateway.calls.record import CallRecord
from gateway.calls.rows import Row
from gateway.directory_file import read
from gateway.numbering import to_e164
from tests.lab.scenarios import SCENARIOS

PROJECT = Path(__file__).resolve().parents[3]
RECORDINGS = sorted(path.parent for path in PROJECT.glob("tests/recordings/[a-z]*/expected.json"))
SAME_MOMENT = 0.1


def _directory() -> Directory:
    directory = read(PROJECT / "asterisk-conf/demo-pbx/directory.yaml")
    return replace(directory, users=tuple(replace(user, id=f"user-{user.number}") for user in directory.users))


async def _rows(recording: Path, source: str) -> list[Row]:
    if source == "journal":
        return list((await JournalSource(recording / "journal.csv", recording / "queue_log").read({}, 100_000)).rows)
    events = [json.loads(line) for line in (recording / "ami.jsonl").read_text().splitlines()]
    return [row for event in events if (row := row_of_event(event, 0)) is not None]


def _record(rows: list[Row], expected: dict[str, Any]) -> CallRecord:
    directory = _directory()
    node = NodeDirectory([directory])
    fold = Fold("pbx1", lambda _: node, to_e164)
    if expected["placed"]:
        alice = next(user for user in directory.users if user.number == "101")
        caller_id = None if expected["direction"] == "internal" else alice.caller_id
        fold.know(
            Origination("acme", expected["placed"], "pbx1", alice.ref, expected["callee"], caller_id, None, rows[0].at)
        )
    for row in rows:
        fold.take(row)
    (record,) = {record.id: record for record in fold.drain().records}.values()
    assert fold.open_calls == 0
    return record


def test_every_scenario_is_recorded() -> None:
    assert [recording.name for recording in RECORDINGS] == sorted(play.__name__ for play in SCENARIOS)


@pytest.mark.parametrize("source", ["journal", "ami"])
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recorded_call_is_told_as_it_was(recording: Path, source: str) -> None:
    expected = json.loads((recording / "expected.json").read_text())
    record = _record(await _rows(recording, source), expected)

    assert (record.outcome, record.direction) == (expected["outcome"], expected["direction"])
    assert (record.caller.number, record.callee.number) == (expected["caller"], expected["callee"])
    # A queue may ring a member again: what came of each is a set.
    assert {(one.device or one.number, one.result) for one in record.attempts} == {
        (who, result) for who, result in expected["attempts"]
    }
    if expected["hung_up_by"]:
        assert record.hung_up_by == expected["hung_up_by"]
    if expected["end_reason"]:
        assert record.end_reason == expected["end_reason"]
    if expected["placed"]:
        assert record.id == expected["placed"]
    visits = [[visit.group.name, visit.status] for visit in record.visits]
    assert visits == ([expected["visit"]] if expected["visit"] else [])
    assert record.settled
    assert record.complete
    _rang_when_the_phones_did(record, json.loads((recording / "phones.json").read_text()))


def _rang_when_the_phones_did(record: CallRecord, phones: dict[str, list[dict[str, Any]]]) -> None:
    for attempt in record.attempts:
        if attempt.result == "unreachable":
            continue
        seen = phones[attempt.device.removeprefix("PJSIP/") if attempt.device else "carrier"]
        invited = [one["at"] for one in seen if one["what"] == "invite"]
        assert any(abs(at - attempt.started_at / 1_000_000) < SAME_MOMENT for at in invited), attempt
