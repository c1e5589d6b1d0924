"""What several that were rung come to: a call's outcome, a user's row, a group's status; and why a queue was left."""

from itertools import combinations

import pytest

from gateway.calls.record import CallRecord
from gateway.calls.rows import QueueRow, Row
from gateway.calls.views import user_calls
from tests.unit.calls.tables import START, fold, rows, told
from tests.unit.calls.test_direct_calls import ANSWERED, UNANSWERED

ENDS = {
    "no_answer": "0",
    "busy": "17 {own}",
    "declined": "21 {own}",
    "answered_elsewhere": "26",
    "failed": "34 {own}",
}
"""How the leg ends that comes to this."""

OUTCOMES = {
    "no_answer": "no_answer",
    "answered_elsewhere": "no_answer",
    "declined": "declined",
    "busy": "busy",
    "failed": "failed",
    "unreachable": "failed",
}
"""What a call comes to in which the called did this, the one that says most first."""

TELLING = ("declined", "busy", "answered_elsewhere", "no_answer", "failed", "unreachable")
"""What a user reads whose devices did this, the one that says most first."""

PAIRS = [pair for pair in combinations(OUTCOMES, 2) if pair != ("no_answer", "answered_elsewhere")]


def rung(dialled: str, one: str, other: str, *ends: str) -> CallRecord:
    """The record of a call from outside that rang two devices, each with its own end."""
    legs = [(device, end, number) for number, (device, end) in enumerate(zip((one, other), ends, strict=True), 1)]
    reached = [leg for leg in legs if leg[1] != "unreachable"]
    begun = [f"0.00{n + 1} CHAN_START {device}-{n} u=.{n} l=.0 s@from-internal" for device, _, n in reached]
    ended = [
        f"5.000 HANGUP {device}-{n} u=.{n} l=.0 {ENDS[end].format(own=f'{device}-{n}')}" for device, end, n in reached
    ]
    return told(
        "\n".join(
            [
                f"0.000 CHAN_START PJSIP/trunk-0 u=.0 l=.0 {dialled}@from-trunk cid=+61411000999",
                f"0.001 APP_START PJSIP/trunk-0 u=.0 l=.0 {dialled}@from-trunk app=Dial({one}&{other},9)",
                *begun,
                *ended,
                f"5.001 APP_END PJSIP/trunk-0 u=.0 l=.0 {dialled}@from-trunk app=Dial({one}&{other},9)",
                "5.002 HANGUP PJSIP/trunk-0 u=.0 l=.0 16 dialplan/builtin NOANSWER",
                "5.002 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0",
            ]
        )
    )


@pytest.mark.parametrize(("more", "less"), PAIRS)
def test_what_two_that_were_rung_together_come_to(more: str, less: str) -> None:
    for ends in ((more, less), (less, more)):
        record = rung("+61290000001", "PJSIP/101-desk", "PJSIP/103", *ends)
        assert {attempt.result for attempt in record.attempts} == set(ends)
        assert (record.outcome, record.end_reason) == (OUTCOMES[more], OUTCOMES[more])


@pytest.mark.parametrize(("more", "less"), list(combinations(TELLING, 2)))
def test_what_a_user_reads_whose_two_devices_were_rung(more: str, less: str) -> None:
    for ends in ((more, less), (less, more)):
        record = rung("+61290000001", "PJSIP/101-desk", "PJSIP/101-mobile", *ends)
        (row,) = user_calls(record)
        assert row.result == ("missed" if more in ("no_answer", "unreachable") else more)


def test_a_user_missed_a_call_that_reached_none_of_their_devices() -> None:
    record = rung("+61290000001", "PJSIP/101-desk", "PJSIP/101-mobile", "unreachable", "unreachable")
    assert (record.outcome, record.end_reason) == ("failed", "unreachable")
    assert [row.result for row in user_calls(record)] == ["missed"]


CALLERS = [
    ("17 PJSIP/103-1", "17 dialplan/builtin BUSY", "busy"),
    ("21 PJSIP/103-1", "16 dialplan/builtin", "declined"),
    ("34 PJSIP/103-1", "34 dialplan/builtin", "failed"),
    ("127 -", "127 PJSIP/102-0 CANCEL", "cancelled"),
    ("0", "16 dialplan/builtin NOANSWER", "missed"),
]


@pytest.mark.parametrize(("called", "caller", "result"), CALLERS)
def test_what_a_caller_reads_of_a_call_that_nobody_answered(called: str, caller: str, result: str) -> None:
    caller_row, _ = user_calls(told(UNANSWERED.format(called=called, caller=caller)))
    assert (caller_row.user.number, caller_row.result, caller_row.type) == ("102", result, f"user_internal_{result}")


def test_what_either_reads_of_a_talk() -> None:
    rows_told = [(one.user.number, one.result, one.talk_ms) for one in user_calls(told(ANSWERED))]
    assert rows_told == [("102", "answered", 3998), ("103", "answered", 3998)]


def test_a_user_missed_a_call_that_the_caller_gave_up() -> None:
    record = told("""
    0.000 CHAN_START PJSIP/trunk-0 u=.0 l=.0 +61290000001@from-trunk cid=+61411000999
    0.001 APP_START  PJSIP/trunk-0 u=.0 l=.0 +61290000001@from-trunk app=Dial(PJSIP/101-desk&PJSIP/101-mobile,9)
    0.002 CHAN_START PJSIP/101-desk-1 u=.1 l=.0 s@from-internal
    0.003 CHAN_START PJSIP/101-mobile-2 u=.2 l=.0 s@from-internal
    2.000 HANGUP     PJSIP/101-mobile-2 u=.2 l=.0 34 PJSIP/101-mobile-2
    4.000 HANGUP     PJSIP/101-desk-1 u=.1 l=.0 127
    4.000 HANGUP     PJSIP/trunk-0 u=.0 l=.0 127 PJSIP/trunk-0 CANCEL
    4.000 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
    """)
    assert [attempt.result for attempt in record.attempts] == ["cancelled", "failed"]
    assert [row.result for row in user_calls(record)] == ["missed"]
    assert record.outcome == "cancelled"


GROUP_STATUSES = [
    ("no_answer", "busy", "no_answer"),
    ("busy", "busy", "busy"),
    ("busy", "declined", "busy"),
    ("busy", "unreachable", "busy"),
    ("declined", "declined", "no_answer"),
    ("failed", "unreachable", "failed"),
    ("failed", "busy", "no_answer"),
]


@pytest.mark.parametrize(("one", "other", "status"), GROUP_STATUSES)
def test_what_a_ring_group_comes_to_in_which_nobody_answered(one: str, other: str, status: str) -> None:
    record = rung("600", "PJSIP/102", "PJSIP/103", one, other)
    assert [visit.status for visit in record.visits] == [status]


LEFT = """
0.000 CHAN_START PJSIP/trunk-0 u=.0 l=.0 +61290000003@from-trunk cid=+61411000999
0.001 APP_START  PJSIP/trunk-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,60)
8.000 APP_END    PJSIP/trunk-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,60)
8.001 {event} PJSIP/trunk-0 u=.0 l=.0 700@from-internal {said}
8.100 HANGUP     PJSIP/trunk-0 u=.0 l=.0 16 dialplan/builtin
8.100 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
"""
BY_DIALPLAN = [
    ("TIMEOUT", "timed_out"),
    ("JOINEMPTY", "joined_empty"),
    ("JOINUNAVAIL", "joined_empty"),
    ("LEAVEEMPTY", "left_empty"),
    ("LEAVEUNAVAIL", "left_empty"),
    ("FULL", "failed"),
    ("CONTINUE", "left"),
]
BY_QUEUE = [
    ("EXITWITHTIMEOUT", "timed_out"),
    ("EXITWITHKEY", "left_by_key"),
    ("EXITEMPTY", "left_empty"),
    ("JOINEMPTY", "joined_empty"),
    ("LEAVE", "left"),
]


@pytest.mark.parametrize(("said", "status"), BY_DIALPLAN)
def test_why_a_queue_was_left_where_the_dialplan_says_it(said: str, status: str) -> None:
    record = told(LEFT.format(event="USER_DEFINED", said=f"said=QUEUESTATUS:{said}"))
    assert [visit.status for visit in record.visits] == [status]


@pytest.mark.parametrize(("event", "status"), BY_QUEUE)
def test_why_a_queue_was_left_where_the_queue_says_it(event: str, status: str) -> None:
    entered = [] if event == "JOINEMPTY" else [QueueRow("ENTERQUEUE", START, "1795489263.0", "support")]
    said: list[Row] = [*entered, QueueRow(event, START + 8_000_000, "1795489263.0", "support")]
    table = rows(LEFT.format(event="ANSWER", said=""))
    (record,), _ = fold([*said, *table])
    assert [(visit.status, visit.id) for visit in record.visits] == [(status, f"{record.id}-q1")]
    assert record.complete
    if entered:
        (record,), _ = fold([*said[1:], *table])
        assert not record.complete


def test_a_caller_whose_channel_was_hung_up_while_waiting_has_abandoned_the_queue() -> None:
    said: list[Row] = [
        QueueRow("ENTERQUEUE", START, "1795489263.0", "support"),
        QueueRow("ABANDON", START + 8_000_000, "1795489263.0", "support"),
    ]
    hung_up = LEFT.format(event="ANSWER", said="").replace("8.100", "8.001").replace("16 dialplan/builtin", "16")
    (record,), _ = fold([*said, *rows(hung_up)])
    assert [visit.status for visit in record.visits] == ["abandoned"]


def test_a_queue_that_is_left_is_told_of_while_the_call_goes_on() -> None:
    _, events = fold(rows(LEFT.format(event="ANSWER", said=""))[:3])
    assert [event.type for event in events] == ["call.started", "queue.entered", "queue.left"]


REFUSED = [("17", "busy"), ("21", "declined"), ("34", "failed"), ("20", "failed")]


@pytest.mark.parametrize(("cause", "outcome"), REFUSED)
def test_a_dialplan_that_rings_nobody_refuses_by_its_cause(cause: str, outcome: str) -> None:
    record = told(f"""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
    0.100 HANGUP       PJSIP/102-0 u=.0 l=.0 {cause} dialplan/builtin
    0.100 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert (record.outcome, record.hung_up_by) == (outcome, "system")
