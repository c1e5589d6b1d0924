"""Ring groups and queues: who was rung, who was wanted no more, and why the caller left."""

from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.rows import QueueRow, Row, Watermark
from gateway.calls.views import user_calls
from tests.unit.calls.tables import ACME, START, fold, rows, to_e164, told

CALLER = """
0.000 CHAN_START   PJSIP/trunk-0 u=.0 l=.0 +61290000002@from-trunk cid=+61411000999 "Jo Citizen"
"""
GROUP = (
    CALLER
    + """
0.001 APP_START    PJSIP/trunk-0 u=.0 l=.0 600@from-internal app=Dial(PJSIP/102&PJSIP/103,8)
0.002 CHAN_START   PJSIP/102-1 u=.1 l=.0 s@from-internal
0.003 CHAN_START   PJSIP/103-2 u=.2 l=.0 s@from-internal
"""
)
QUEUE = (
    CALLER
    + """
0.001 APP_START    PJSIP/trunk-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,12)
0.002 CHAN_START   PJSIP/102-1 u=.1 l=.0 s@from-internal
0.003 CHAN_START   PJSIP/103-2 u=.2 l=.0 s@from-internal
"""
)
BOB_ANSWERS = """
2.000 HANGUP       PJSIP/103-2 u=.2 l=.0 26
2.001 BRIDGE_ENTER PJSIP/102-1 u=.1 l=.0 bridge=b
2.002 BRIDGE_ENTER PJSIP/trunk-0 u=.0 l=.0 bridge=b
7.000 HANGUP       PJSIP/trunk-0 u=.0 l=.0 16 PJSIP/102-1 ANSWER
7.000 HANGUP       PJSIP/102-1 u=.1 l=.0 16 PJSIP/102-1
7.000 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
"""
NOBODY = """
8.000 HANGUP       PJSIP/102-1 u=.1 l=.0 0
8.000 HANGUP       PJSIP/103-2 u=.2 l=.0 0
8.001 APP_END      PJSIP/trunk-0 u=.0 l=.0 {exten}@from-internal app={app}
8.002 USER_DEFINED PJSIP/trunk-0 u=.0 l=.0 {said}
8.100 HANGUP       PJSIP/trunk-0 u=.0 l=.0 16 dialplan/builtin NOANSWER
8.100 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
"""
GIVEN_UP = """
4.000 HANGUP       PJSIP/102-1 u=.1 l=.0 {cause}
4.000 HANGUP       PJSIP/103-2 u=.2 l=.0 {cause}
4.000 HANGUP       PJSIP/trunk-0 u=.0 l=.0 {cause} PJSIP/trunk-0 CANCEL
4.000 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
"""


def test_a_colleague_answering_is_not_a_missed_call() -> None:
    record = told(GROUP + BOB_ANSWERS)
    assert (record.direction, record.outcome, record.hung_up_by) == ("inbound", "answered", "callee")
    assert record.caller.number == "+61411000999"
    assert record.callee.ring_group is not None
    (visit,) = record.visits
    assert (visit.kind, visit.status, visit.group.name, visit.user and visit.user.name) == (
        "ring_group",
        "answered",
        "sales",
        "Bob",
    )
    assert [(row.user.name, row.type) for row in user_calls(record)] == [
        ("Bob", "user_inbound_answered"),
        ("Carol", "user_inbound_answered_elsewhere"),
    ]


def test_a_group_in_which_nobody_answers() -> None:
    record = told(GROUP + NOBODY.format(exten="600", app="Dial(PJSIP/102&PJSIP/103,8)", said=""))
    assert (record.outcome, record.visits[0].status) == ("no_answer", "no_answer")
    assert {row.type for row in user_calls(record)} == {"user_inbound_missed"}


def test_a_caller_who_gives_a_group_up() -> None:
    record = told(GROUP + GIVEN_UP.format(cause="127"))
    assert (record.outcome, record.visits[0].status, record.hung_up_by) == ("cancelled", "cancelled", "caller")


def test_a_queue_that_answers_tells_waiting_and_talking_apart() -> None:
    record = told(QUEUE + BOB_ANSWERS)
    (visit,) = record.visits
    assert (visit.status, visit.group.number, visit.wait_ms, visit.talk_ms) == ("answered", "700", 2001, 4998)
    assert {attempt.via for attempt in record.attempts} == {"queue"}
    assert [attempt.result for attempt in record.attempts] == ["answered", "answered_elsewhere"]


def test_a_caller_who_leaves_a_queue_has_abandoned_it() -> None:
    record = told(QUEUE + GIVEN_UP.format(cause="0"))
    assert (record.outcome, record.visits[0].status) == ("abandoned", "abandoned")


def test_a_queues_time_out_is_known_where_the_dialplan_tells_it() -> None:
    table = QUEUE + NOBODY.format(exten="700", app="Queue(support,tT,,,12)", said="said=QUEUESTATUS:TIMEOUT")
    record = told(table)
    assert (record.outcome, record.visits[0].status) == ("timed_out", "timed_out")


def test_a_queues_time_out_is_known_from_queue_log() -> None:
    table = QUEUE + NOBODY.format(exten="700", app="Queue(support,tT,,,12)", said="")
    log: list[Row] = [
        QueueRow("ENTERQUEUE", START, "1795489263.0", "support", position=1),
        QueueRow("EXITWITHTIMEOUT", START + 8_000_000, "1795489263.0", "support", position=1),
    ]
    (record,) = fold([*log, *rows(table)])[0]
    (visit,) = record.visits
    assert (record.outcome, visit.status, visit.position_at_entry) == ("timed_out", "timed_out", 1)


def test_why_a_caller_left_a_queue_is_not_guessed() -> None:
    table = QUEUE + NOBODY.format(exten="700", app="Queue(support,tT,,,12)", said="")
    assert told(table).visits[0].status == "left"


LEFT = """
4.000 HANGUP       PJSIP/102-1 u=.1 l=.0 0
4.000 HANGUP       PJSIP/103-2 u=.2 l=.0 0
4.000 APP_END      PJSIP/trunk-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,12)
4.000 HANGUP       PJSIP/trunk-0 u=.0 l=.0 0 PJSIP/trunk-0 CANCEL
4.000 LINKEDID_END PJSIP/trunk-0 u=.0 l=.0
"""


def ami_rows(*events: str, at: float = 4.0) -> list[Row]:
    return [QueueRow(event, START + round(at * 1_000_000), "1795489263.0", "support", position=2) for event in events]


def test_a_queue_may_tell_of_a_leaving_after_the_call_is_over() -> None:
    """AMI sends queue events beside CEL, in no order."""
    table = QUEUE + LEFT
    for late in (["ABANDON", "LEAVE"], ["LEAVE"]):
        (record,), events = fold([*ami_rows("ENTERQUEUE", at=0), *rows(table), *ami_rows(*late)])
        assert (record.settled, record.complete, record.visits[0].position_at_leave) == (True, True, 2)
        assert [event.type for event in events].count("call.ended") == 1
        assert events[-1].type == "call.ended"


def test_a_call_whose_queue_tells_no_leaving_ends_all_the_same() -> None:
    table = QUEUE + LEFT
    another = rows("9.000 CHAN_START PJSIP/102-9 u=.9 l=.9 103@from-internal")
    (record, _), _ = fold([*ami_rows("ENTERQUEUE", at=0), *rows(table), *another])
    assert (record.outcome, record.settled, record.complete) == ("abandoned", True, False)


def test_such_a_call_ends_by_a_watermark_too_and_no_other_watermark_need_be_kept() -> None:
    machine = Fold("pbx1", lambda _: NodeDirectory([ACME]), to_e164)
    kept = [machine.take(row) for row in [*ami_rows("ENTERQUEUE", at=0), *rows(QUEUE + LEFT)]]
    assert all(kept)
    assert [machine.take(Watermark(START + at)) for at in (5_900_000, 6_000_000, 7_000_000)] == [False, True, False]
    (record,) = machine.drain().records
    assert (record.outcome, record.settled, record.complete) == ("abandoned", True, False)
