"""Calls from one party to another, as CEL shows them."""

import pytest

from tests.unit.calls.tables import ACME, START, fold, rows, told

ANSWERED = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
0.001 APP_START    PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5,tTkK)
0.002 CHAN_START   PJSIP/103-1 u=.1 l=.0 s@from-internal cid=103
2.000 ANSWER       PJSIP/103-1 u=.1 l=.0 app=AppDial((Outgoing Line))
2.000 ANSWER       PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5,tTkK)
2.001 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.0 bridge=b1
2.002 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b1
6.000 BRIDGE_EXIT  PJSIP/102-0 u=.0 l=.0 bridge=b1
6.000 APP_END      PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5,tTkK)
6.000 HANGUP       PJSIP/102-0 u=.0 l=.0 16 PJSIP/102-0 ANSWER
6.000 CHAN_END     PJSIP/102-0 u=.0 l=.0
6.001 BRIDGE_EXIT  PJSIP/103-1 u=.1 l=.0 bridge=b1
6.001 HANGUP       PJSIP/103-1 u=.1 l=.0 16 PJSIP/102-0
6.001 CHAN_END     PJSIP/103-1 u=.1 l=.0
6.001 LINKEDID_END PJSIP/103-1 u=.1 l=.0
"""

UNANSWERED = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
0.001 APP_START    PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5,tTkK)
0.002 CHAN_START   PJSIP/103-1 u=.1 l=.0 s@from-internal cid=103
5.000 HANGUP       PJSIP/103-1 u=.1 l=.0 {called}
5.000 CHAN_END     PJSIP/103-1 u=.1 l=.0
5.001 APP_END      PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,5,tTkK)
5.001 HANGUP       PJSIP/102-0 u=.0 l=.0 {caller}
5.001 CHAN_END     PJSIP/102-0 u=.0 l=.0
5.001 LINKEDID_END PJSIP/102-0 u=.0 l=.0
"""


def test_an_answered_call_tells_who_talked_how_long_and_who_hung_up() -> None:
    record = told(ANSWERED)
    assert (record.outcome, record.direction, record.hung_up_by) == ("answered", "internal", "caller")
    assert (record.duration_ms, record.ring_ms, record.talk_ms) == (6001, 2000, 3998)
    assert record.hangup_cause == 16
    assert record.answered_by is not None
    assert record.answered_by.device == "PJSIP/103"
    assert [(a.device, a.result) for a in record.attempts] == [("PJSIP/103", "answered")]
    assert [[p.number for p in s.parties] for s in record.segments] == [["102", "103"]]
    assert record.complete
    assert record.settled


def test_the_called_party_hanging_up_is_told() -> None:
    assert told(ANSWERED.replace("16 PJSIP/102-0", "16 PJSIP/103-1")).hung_up_by == "callee"


def test_an_operator_hanging_up_is_the_system() -> None:
    assert told(ANSWERED.replace("16 PJSIP/102-0", "16 -")).hung_up_by == "system"


def test_no_answer() -> None:
    record = told(UNANSWERED.format(called="0", caller="16 dialplan/builtin NOANSWER"))
    assert (record.outcome, record.attempts[0].result, record.hung_up_by) == ("no_answer", "no_answer", "system")
    assert record.ring_ms == 4999


def test_busy_by_the_called_legs_own_cause() -> None:
    record = told(UNANSWERED.format(called="17 PJSIP/103-1", caller="17 dialplan/builtin BUSY"))
    assert (record.outcome, record.attempts[0].result, record.hangup_cause) == ("busy", "busy", 17)


def test_declined_though_dialstatus_says_no_answer() -> None:
    record = told(UNANSWERED.format(called="21 PJSIP/103-1", caller="21 dialplan/builtin NOANSWER"))
    assert (record.outcome, record.attempts[0].result) == ("declined", "declined")


@pytest.mark.parametrize("cause", ["0", "16", "127"])
def test_cancelled_by_the_caller(cause: str) -> None:
    record = told(UNANSWERED.format(called="0 -", caller=f"{cause} PJSIP/102-0 CANCEL"))
    assert (record.outcome, record.attempts[0].result, record.hung_up_by) == ("cancelled", "cancelled", "caller")


def test_a_dialplan_that_says_busy_is_not_a_caller_who_hung_up() -> None:
    """Busy() names the caller's channel, too."""
    record = told(UNANSWERED.format(called="0 -", caller="17 PJSIP/102-0 NOANSWER"))
    assert (record.outcome, record.attempts[0].result, record.hung_up_by) == ("no_answer", "no_answer", "system")


def test_an_unregistered_device_is_an_attempt_though_it_has_no_channel() -> None:
    record = told("""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 105@from-internal cid=102 "Bob"
    0.001 APP_START    PJSIP/102-0 u=.0 l=.0 105@from-internal app=Dial(PJSIP/105,8,tT)
    0.002 APP_END      PJSIP/102-0 u=.0 l=.0 105@from-internal app=Dial(PJSIP/105,8,tT)
    0.002 HANGUP       PJSIP/102-0 u=.0 l=.0 20 dialplan/builtin
    0.002 CHAN_END     PJSIP/102-0 u=.0 l=.0
    0.002 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert [(a.device, a.result) for a in record.attempts] == [("PJSIP/105", "unreachable")]
    assert (record.outcome, record.end_reason, record.ring_ms) == ("failed", "unreachable", 0)


def test_a_refused_trunk_is_failed_outbound_with_the_number_dialled() -> None:
    record = told("""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 +61255501234@from-internal cid=102 "Bob"
    0.001 APP_START PJSIP/102-0 u=.0 l=.0 +61255501234@from-internal cid=+61290000001 app=Dial(PJSIP/+61255501234@trunk)
    0.002 CHAN_START   PJSIP/trunk-1 u=.1 l=.0 s@from-trunk
    0.100 HANGUP       PJSIP/trunk-1 u=.1 l=.0 34 PJSIP/trunk-1
    0.100 CHAN_END     PJSIP/trunk-1 u=.1 l=.0
    0.101 HANGUP       PJSIP/102-0 u=.0 l=.0 34 dialplan/builtin CONGESTION
    0.101 CHAN_END     PJSIP/102-0 u=.0 l=.0
    0.101 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert (record.direction, record.outcome, record.hangup_cause) == ("outbound", "failed", 34)
    assert (record.caller.number, record.callee.number) == ("102", "+61255501234")
    assert [(a.number, a.device, a.result) for a in record.attempts] == [("+61255501234", None, "failed")]


def test_events_do_not_depend_on_batching() -> None:
    everything = rows(ANSWERED)
    whole, events = fold(everything)
    assert [event.type for event in events] == [
        "call.started",
        "call.ringing",
        "user.ringing",
        "call.answered",
        "user.answered",
        "user.answered",
        "user.ended",
        "user.ended",
        "call.ended",
    ]
    for size in range(1, len(everything) + 1):
        assert fold(everything, size) == (whole, events)


def test_every_suffix_folds_and_says_that_it_is_not_complete() -> None:
    everything = rows(ANSWERED)
    for start in range(1, len(everything) - 1):
        for record in fold(everything[start:])[0]:
            assert not record.complete


def test_two_numbers_rung_at_once_over_one_trunk_are_two_attempts() -> None:
    record = told("""
    0.000 CHAN_START PJSIP/102-0 u=.0 l=.0 800@from-internal cid=102 "Bob"
    0.001 APP_START  PJSIP/102-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/+61255501234@trunk&PJSIP/+61255501235@trunk)
    0.002 CHAN_START PJSIP/trunk-1 u=.1 l=.0 s@from-trunk
    0.003 CHAN_START PJSIP/trunk-2 u=.2 l=.0 s@from-trunk
    2.000 HANGUP     PJSIP/trunk-1 u=.1 l=.0 17 PJSIP/trunk-1
    3.000 HANGUP     PJSIP/trunk-2 u=.2 l=.0 21 PJSIP/trunk-2
    3.001 HANGUP     PJSIP/102-0 u=.0 l=.0 21 dialplan/builtin NOANSWER
    3.001 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert [attempt.result for attempt in record.attempts] == ["busy", "declined"]


def test_a_number_that_no_directory_knows_is_for_whoever_it_rang() -> None:
    record = told("""
    0.000 CHAN_START PJSIP/trunk-0 u=.0 l=.0 +61290000099@from-trunk cid=+61411000999
    0.001 APP_START  PJSIP/trunk-0 u=.0 l=.0 +61290000099@from-trunk app=Dial(PJSIP/102,5)
    0.002 CHAN_START PJSIP/102-1 u=.1 l=.0 s@from-internal
    """)
    assert (record.callee.number, record.callee.user) == ("+61290000099", ACME.users[1].ref)


@pytest.mark.parametrize(("by", "via"), [("PJSIP/102-1", "direct"), ("PJSIP/trunk-0", "transfer")])
def test_who_is_rung_after_a_talk_was_meant_by_the_dialplan_or_by_whoever_talked(by: str, via: str) -> None:
    """The called party who hangs up lets the dialplan go on; one from whom the caller is taken transferred them."""
    record = told(f"""
    0.000 CHAN_START   PJSIP/trunk-0 u=.0 l=.0 +61290000099@from-trunk cid=+61411000999
    0.001 APP_START    PJSIP/trunk-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/102,5,g)
    0.002 CHAN_START   PJSIP/102-1 u=.1 l=.0 s@from-internal
    1.000 BRIDGE_ENTER PJSIP/102-1 u=.1 l=.0 bridge=b1
    1.000 BRIDGE_ENTER PJSIP/trunk-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/102,5,g) bridge=b1
    2.000 BRIDGE_EXIT  PJSIP/102-1 u=.1 l=.0 bridge=b1
    2.000 BRIDGE_EXIT  PJSIP/trunk-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/102,5,g) bridge=b1
    2.000 HANGUP       PJSIP/102-1 u=.1 l=.0 16 {by}
    2.001 APP_END      PJSIP/trunk-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/102,5,g)
    2.002 APP_START    PJSIP/trunk-0 u=.0 l=.0 800@from-internal app=Dial(PJSIP/103,5)
    2.003 CHAN_START   PJSIP/103-2 u=.2 l=.0 s@from-internal
    """)
    assert [attempt.via for attempt in record.attempts] == ["direct", via]


def test_a_stay_in_a_room_is_talk() -> None:
    record = told("""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 800@from-internal cid=102 "Bob"
    0.001 APP_START    PJSIP/102-0 u=.0 l=.0 800@from-internal app=ConfBridge(800)
    0.001 ANSWER       PJSIP/102-0 u=.0 l=.0 800@from-internal app=ConfBridge(800)
    1.000 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 800@from-internal app=ConfBridge(800) bridge=b
    4.000 BRIDGE_EXIT  PJSIP/102-0 u=.0 l=.0 800@from-internal app=ConfBridge(800) bridge=b
    4.000 APP_END      PJSIP/102-0 u=.0 l=.0 800@from-internal app=ConfBridge(800)
    4.000 HANGUP       PJSIP/102-0 u=.0 l=.0 16 PJSIP/102-0
    4.000 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert (record.talk_ms, [(one.how, one.room) for one in record.segments]) == (3000, [("conference", "800")])


WANTED = ["Echo()", "VoiceMailMain(102@default)", "ConfBridge(800)", "MeetMe(800)", "Page(PJSIP/103)"]


@pytest.mark.parametrize("app", WANTED)
def test_an_application_that_the_caller_wanted_is_an_answer_by_nobody(app: str) -> None:
    record = told(f"""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 800@from-internal cid=102 "Bob"
    0.001 ANSWER       PJSIP/102-0 u=.0 l=.0 800@from-internal
    0.001 APP_START    PJSIP/102-0 u=.0 l=.0 800@from-internal app={app}
    2.000 APP_END      PJSIP/102-0 u=.0 l=.0 800@from-internal app={app}
    2.000 HANGUP       PJSIP/102-0 u=.0 l=.0 16 PJSIP/102-0
    2.000 LINKEDID_END PJSIP/102-0 u=.0 l=.0
    """)
    assert (record.outcome, record.answered_by, record.hung_up_by) == ("answered", None, "caller")


ORIGINATED = """
0.000 CHAN_START PJSIP/102-0 u=.0 l=.0 s@from-internal cid=102
2.000 ANSWER     PJSIP/102-0 u=.0 l=.0 s@from-internal app=AppDial2((Outgoing Line))
"""
QUEUED = """
2.001 APP_START  PJSIP/102-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,12)
5.000 APP_END    PJSIP/102-0 u=.0 l=.0 700@from-internal app=Queue(support,tT,,,12)
5.000 HANGUP     PJSIP/102-0 u=.0 l=.0 0 PJSIP/102-0 CANCEL
5.000 LINKEDID_END PJSIP/102-0 u=.0 l=.0
"""
IN_VAIN = """
2.001 APP_START  PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,3)
2.002 CHAN_START PJSIP/103-1 u=.1 l=.0 s@from-internal
5.000 HANGUP     PJSIP/103-1 u=.1 l=.0 0
5.000 APP_END    PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,3)
5.000 HANGUP     PJSIP/102-0 u=.0 l=.0 16 dialplan/builtin NOANSWER
5.001 LINKEDID_END PJSIP/102-0 u=.0 l=.0
"""


def test_where_a_program_called_for_a_user_is_where_the_dialplan_first_stood() -> None:
    record = told(ORIGINATED + QUEUED)
    assert (record.caller.number, record.callee.number, record.outcome) == ("102", "700", "abandoned")


def test_a_user_whom_a_program_rang_first_answered_though_nobody_else_did() -> None:
    record = told(ORIGINATED + IN_VAIN)
    assert [(one.device, one.result, one.answered_at) for one in record.attempts] == [
        ("PJSIP/102", "answered", START + 2_000_000),
        ("PJSIP/103", "no_answer", None),
    ]
    assert (record.outcome, record.answered_at, record.complete) == ("no_answer", None, True)


def test_such_a_user_who_is_connected_and_was_not_seen_to_answer_is_said_to_be_incomplete() -> None:
    table = ORIGINATED.replace("ANSWER  ", "NOTHING ") + IN_VAIN.replace(
        "5.000 HANGUP     PJSIP/103-1",
        """3.000 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.0 bridge=b
3.001 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b
5.000 BRIDGE_EXIT PJSIP/103-1 u=.1 l=.0 bridge=b
5.000 BRIDGE_EXIT PJSIP/102-0 u=.0 l=.0 bridge=b
5.000 HANGUP     PJSIP/103-1""",
    )
    assert not told(table).complete
