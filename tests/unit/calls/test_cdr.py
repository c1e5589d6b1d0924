"""Calls told by CDRs: those of a real Asterisk beside what was played on it, and the cases one by one."""

import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any

import pytest

from gateway.asterisk.cdr_csv import cdr_fields, cdr_row
from gateway.calls.cdr import call_of
from gateway.calls.cdr_rows import CdrCalls, CdrRow
from gateway.calls.compact_json import compact
from gateway.calls.directory import NodeDirectory
from gateway.calls.document import call_document
from gateway.calls.record import CallRecord
from gateway.numbering import to_e164
from tests.lab.recordings import PROJECT, directories

PLACE = PROJECT / "tests/cdr"
PLAYED: dict[str, list[dict[str, Any]]] = json.loads((PLACE / "expected.json").read_text())
UNKNOWN_TO_CDR = {
    "abandoned": "no_answer",
    "timed_out": "no_answer",
    "declined": "no_answer",
    "cancelled": "no_answer",
}
"""What was, and what CDRs know of it."""

SECOND = 1_000_000
DAY = 1_795_000_000 * SECOND


def told(rows: Iterable[CdrRow], open_groups: int = 100) -> list[CallRecord]:
    calls = CdrCalls(open_groups)
    groups = [group for row in rows for group in calls.take(row)] + list(calls.finish())
    known = NodeDirectory(directories())
    records = [record for group in groups if (record := call_of(group, "pbx1", known, to_e164))]
    return sorted(records, key=lambda record: (record.started_at, record.id))


def recorded() -> list[CallRecord]:
    lines = (PLACE / "Master.csv").read_bytes().splitlines()
    return told(cdr_row(cdr_fields(line), UTC) for line in lines)


def row(
    channel: str, dst_channel: str = "", disposition: str = "NO ANSWER", since: int = 0, until: int = 10, **more: Any
) -> CdrRow:
    fields: dict[str, Any] = {
        "src": "+61411000999",
        "dst": "102",
        "caller_name": "",
        "app": "Dial",
        "app_data": "PJSIP/102,20",
        "answered_at": DAY + (since + 4) * SECOND if disposition == "ANSWERED" else None,
        "unique_id": "1795000000.1",
        "context": "from-internal",
    }
    return CdrRow(
        channel=channel,
        dst_channel=dst_channel,
        started_at=DAY + since * SECOND,
        ended_at=DAY + until * SECOND,
        disposition=disposition,
        **fields | more,
    )


def test_what_a_real_asterisk_played_is_told_as_far_as_its_cdrs_say() -> None:
    played = [call for name, calls in PLAYED.items() if name != "account_of_nobody" for call in calls]
    records = recorded()
    assert len(records) == len(played)
    for record, call in zip(records, played, strict=True):
        assert record.outcome == UNKNOWN_TO_CDR.get(call["outcome"], call["outcome"])
        assert record.direction == call["direction"]
        assert record.caller.number == call["caller"]
        assert record.account == call["account"]
        assert [visit.group.name for visit in record.visits] == [name for name, _ in call["visits"]]
        assert {attempt.device or attempt.number for attempt in record.attempts} == {
            attempt["who"] for attempt in call["attempts"]
        }
        assert (record.complete, record.settled, record.state, record.linked_ids) == (False, True, "ended", ())
        assert (record.hung_up_by, record.hangup_cause, record.end_reason) == (None, None, None)
        assert compact(call_document(record))


def test_the_ids_are_those_that_channel_events_give() -> None:
    lines = (PLACE / "journal.csv").read_text().splitlines()
    linked = {line.split('","')[15] for line in lines}
    assert all(one.unique_id in linked for one in _rows_of_real_callers())


def _rows_of_real_callers() -> list[CdrRow]:
    lines = (PLACE / "Master.csv").read_bytes().splitlines()
    return [one for line in lines if not (one := cdr_row(cdr_fields(line), UTC)).channel.startswith("Local/")]


def test_several_devices_are_attempts_of_one_call() -> None:
    [record] = told(
        [
            row("PJSIP/trunk-1", "PJSIP/101-desk-2", until=4, dst="101"),
            row("PJSIP/trunk-1", "PJSIP/101-mobile-3", "ANSWERED", until=30, dst="101"),
        ]
    )
    assert [(one.device, one.result) for one in record.attempts] == [
        ("PJSIP/101-desk", "answered_elsewhere"),
        ("PJSIP/101-mobile", "answered"),
    ]
    assert record.answered_by
    assert (record.outcome, record.answered_by.device) == ("answered", "PJSIP/101-mobile")
    assert (record.ring_ms, record.talk_ms, record.duration_ms) == (4_000, 26_000, 30_000)
    assert record.callee.user
    assert (record.callee.number, record.callee.user.name) == ("101", "Alice")


def test_contacts_of_one_device_are_one_attempt_and_ringing_it_again_is_another() -> None:
    [record] = told(
        [
            row("PJSIP/trunk-1", "PJSIP/102-2", until=5),
            row("PJSIP/trunk-1", "PJSIP/102-3", until=5),
            row("PJSIP/trunk-1", "PJSIP/102-4", since=5),
        ]
    )
    assert [one.result for one in record.attempts] == ["no_answer", "no_answer"]
    assert record.outcome == "no_answer"


def test_a_queue_is_visited_and_why_it_was_left_is_not_known() -> None:
    queue: dict[str, Any] = {"app": "Queue", "app_data": "support,tT,,,20", "dst": "700"}
    [record] = told(
        [
            row("PJSIP/trunk-1", "PJSIP/102-2", answered_at=DAY, **queue),
            row("PJSIP/trunk-1", "PJSIP/103-3", answered_at=DAY, **queue),
        ]
    )
    [visit] = record.visits
    assert (visit.id, visit.kind, visit.group.name, visit.status) == (f"{record.id}-q1", "queue", "support", "left")
    assert (visit.wait_ms, visit.talk_ms, visit.answered_at) == (10_000, 0, None)
    assert {one.visit for one in record.attempts} == {visit.id}
    assert record.callee.queue
    assert (record.outcome, record.callee.queue.name) == ("no_answer", "support")


def test_a_local_channel_is_looked_through_whichever_side_is_told_first() -> None:
    near = row("PJSIP/trunk-1", "Local/103@agents-7;1", "ANSWERED", app="Queue", app_data="support", dst="700")
    far = row("Local/103@agents-7;2", "PJSIP/103-2", "ANSWERED", dst="103", unique_id="1795000000.3")
    for rows in ([near, far], [far, near]):
        [record] = told(rows)
        assert record.id == told([near])[0].id
        assert [(one.device, one.via) for one in record.attempts] == [("PJSIP/103", "queue")]
        assert record.visits[0].status == "answered"


def test_the_same_local_channel_name_at_another_time_is_another_call() -> None:
    near = row("PJSIP/102-1", "Local/103@agents-7;1", dst="103")
    far = row("Local/103@agents-7;2", "PJSIP/103-2", since=500, until=510, dst="103", unique_id="1795000500.3")
    assert len(told([near, far])) == 2


def test_linked_ids_join_what_unique_ids_cannot() -> None:
    rows = [
        row("PJSIP/102-1", "PJSIP/103-2", "ANSWERED", linked_id="1795000000.1"),
        row("PJSIP/103-5", "PJSIP/104-6", since=20, until=25, unique_id="1795000020.5", linked_id="1795000000.1"),
    ]
    [record] = told(rows)
    assert record.direction == "internal"
    assert len(record.attempts) == 2


def test_a_mailbox_was_reached() -> None:
    [record] = told(
        [
            row("PJSIP/trunk-1", "PJSIP/103-2", dst="103"),
            row("PJSIP/trunk-1", "", "ANSWERED", since=10, until=20, app="VoiceMail", app_data="103@default,u"),
        ]
    )
    assert record.voicemail
    assert record.outcome == "voicemail"
    assert (record.voicemail.mailbox, record.voicemail.message_left) == ("103@default", None)


@pytest.mark.parametrize(
    ("disposition", "outcome"),
    [("BUSY", "busy"), ("FAILED", "failed"), ("CONGESTION", "failed"), ("NO ANSWER", "no_answer")],
)
def test_an_outbound_call_that_came_to_nothing(disposition: str, outcome: str) -> None:
    [record] = told([row("PJSIP/102-1", "PJSIP/trunk-2", disposition, src="102", dst="0255501234")])
    assert (record.direction, record.outcome) == ("outbound", outcome)
    assert (record.callee.number, record.attempts[0].number) == ("+61255501234", "+61255501234")
    assert record.caller.user
    assert record.caller.user.name == "Bob"


def test_what_nobody_owns_is_no_record() -> None:
    assert told([row("PJSIP/301-1", "PJSIP/302-2", context="elsewhere", dst="302")]) == []
    assert told([row("PJSIP/trunk-1", "", "ANSWERED", context="elsewhere", dst="900", app="Playback")]) == []


def test_a_number_of_ones_own_tells_whose_call_of_a_shared_trunk_it_is() -> None:
    [record] = told([row("PJSIP/trunk-1", "", "ANSWERED", dst="+61290000001", app="Playback")])
    assert (record.account, record.outcome, record.attempts) == ("acme", "no_answer", ())


def test_an_extension_that_one_account_has_tells_whose_call_of_a_shared_trunk_it_is() -> None:
    [record] = told([row("PJSIP/trunk-1", "", "ANSWERED", dst="700", app="Hangup", context="elsewhere")])
    assert record.account == "acme"


def test_no_more_calls_are_held_than_may_be() -> None:
    calls = CdrCalls(open_groups=3)
    whole = 0
    for number in range(100):
        whole += len(list(calls.take(row("PJSIP/102-1", "PJSIP/103-2", unique_id=f"1795000000.{number}"))))
    assert whole == 97
    assert len(list(calls.finish())) == 3
