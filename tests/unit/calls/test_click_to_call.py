"""Click to call as CEL shows it: a Local pair between the user's devices and the destination."""

from dataclasses import replace

import pytest

from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.origination import Origination
from gateway.calls.record import CallRecord, Origin
from tests.unit.calls.tables import ACME, START, fold, rows, to_e164

ID = "019bd5b3-1f00-7abc-8def-000000000001"
# ruff: noqa: E501 - a row a line
RINGING = f"""
0.000 CHAN_START   Local/101@gw-ring-0;1 u={ID} l={ID} s@gw-ring
0.000 CHAN_START   Local/101@gw-ring-0;2 u={ID}-2 l={ID} 101@gw-ring
0.001 APP_START Local/101@gw-ring-0;2 u={ID}-2 l={ID} 101@gw-ring cid=+61255501234 app=Dial(PJSIP/101-desk/sip:a@127.0.0.1&PJSIP/101-mobile/sip:b@127.0.0.2,9)
0.002 CHAN_START   PJSIP/101-desk-1 u=.1 l={ID} s@from-internal
0.003 CHAN_START   PJSIP/101-mobile-2 u=.2 l={ID} s@from-internal
"""
USER_ANSWERED = f"""
2.000 ANSWER       PJSIP/101-desk-1 u=.1 l={ID} 101@gw-ring
2.000 HANGUP       PJSIP/101-mobile-2 u=.2 l={ID} 26
2.000 CHAN_END     PJSIP/101-mobile-2 u=.2 l={ID}
2.001 BRIDGE_ENTER PJSIP/101-desk-1 u=.1 l={ID} bridge=b1
2.001 APP_START    Local/101@gw-ring-0;1 u={ID} l={ID} +61255501234@gw-connect app=Dial(PJSIP/+61255501234@trunk,60,I)
2.002 BRIDGE_ENTER Local/101@gw-ring-0;2 u={ID}-2 l={ID} bridge=b1
2.003 CHAN_START   PJSIP/trunk-3 u=.3 l={ID} s@from-trunk
"""
DESTINATION_ANSWERED = f"""
4.000 BRIDGE_ENTER PJSIP/trunk-3 u=.3 l={ID} bridge=b2
4.000 BRIDGE_ENTER Local/101@gw-ring-0;1 u={ID} l={ID} bridge=b2
9.000 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16 PJSIP/101-desk-1
9.000 CHAN_END     PJSIP/101-desk-1 u=.1 l={ID}
9.000 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} 16 PJSIP/101-desk-1 ANSWER
9.000 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} 16 - ANSWER
9.001 HANGUP       PJSIP/trunk-3 u=.3 l={ID} 16
9.001 LINKEDID_END PJSIP/trunk-3 u=.3 l={ID}
"""


def test_answered_on_both_legs() -> None:
    record = _told(RINGING + USER_ANSWERED + DESTINATION_ANSWERED)
    assert record.id == ID
    assert (record.outcome, record.direction, record.hung_up_by) == ("answered", "outbound", "caller")
    assert (record.caller.number, record.callee.number) == ("101", "+61255501234")
    assert [(a.device or a.number, a.via, a.result) for a in record.attempts] == [
        ("PJSIP/101-desk", "click_to_call", "answered"),
        ("PJSIP/101-mobile", "click_to_call", "answered_elsewhere"),
        ("+61255501234", "direct", "answered"),
    ]
    assert (record.ring_ms, record.talk_ms) == (1997, 5000)
    assert record.origin == Origin("click_to_call", ACME.users[0].ref, None)
    assert [[p.number for p in s.parties] for s in record.segments] == [["101", "+61255501234"]]


ONE = "PJSIP/101-desk/sip:a@127.0.0.1"
TWO = f"{ONE}&PJSIP/101-mobile/sip:b@127.0.0.2"


def _to_nobody(other: int | None, cause: int, app: str = "") -> CallRecord:
    """The user answers, and the destination's dialplan rings nobody; `other`: cause of the user's other device."""
    mobile = f"PJSIP/101-mobile-2 u=.2 l={ID}"
    return _told(
        f"""
    0.000 CHAN_START   Local/101@gw-ring-0;1 u={ID} l={ID} s@gw-ring
    0.000 CHAN_START   Local/101@gw-ring-0;2 u={ID}-2 l={ID} 101@gw-ring
    0.001 APP_START    Local/101@gw-ring-0;2 u={ID}-2 l={ID} 101@gw-ring cid=+61255501234 app=Dial({ONE if other is None else TWO},9)
    0.002 CHAN_START   PJSIP/101-desk-1 u=.1 l={ID} s@from-internal
    {f"0.003 CHAN_START {mobile} s@from-internal" if other is not None else ""}
    2.000 ANSWER       PJSIP/101-desk-1 u=.1 l={ID} 101@gw-ring
    {f"2.000 HANGUP {mobile} {other}" if other is not None else ""}
    2.001 BRIDGE_ENTER PJSIP/101-desk-1 u=.1 l={ID} bridge=b1
    {f"2.001 APP_START Local/101@gw-ring-0;1 u={ID} l={ID} +61255501234@from-internal app={app}(1)" if app else ""}
    2.002 BRIDGE_ENTER Local/101@gw-ring-0;2 u={ID}-2 l={ID} bridge=b1
    3.500 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} {cause}
    3.501 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} {cause} - ANSWER
    3.502 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16
    3.503 LINKEDID_END PJSIP/101-desk-1 u=.1 l={ID}
    """
    )


@pytest.mark.parametrize("other", [None, 26, 17, 21, 19])
@pytest.mark.parametrize(
    ("cause", "app", "outcome"),
    [
        (34, "", "failed"),
        (1, "", "failed"),
        (0, "", "failed"),
        (17, "", "busy"),
        (21, "", "declined"),
        (16, "", "no_answer"),
        (0, "Busy", "busy"),
        (0, "Congestion", "failed"),
    ],
)
def test_what_a_dialplan_refuses_does_not_depend_on_the_users_other_devices(
    other: int | None, cause: int, app: str, outcome: str
) -> None:
    record = _to_nobody(other, cause, app)
    assert (record.outcome, record.end_reason, record.hung_up_by) == (outcome, f"destination_{outcome}", "system")


def test_a_call_is_told_of_as_soon_as_it_is_known_whose_it_is() -> None:
    first = [replace(row, account_code="acme") for row in rows(RINGING)[:1]]
    assert [event.type for event in fold(first)[1]] == ["call.started"]


def test_a_visit_goes_on_when_the_local_channels_leave() -> None:
    record = _told(
        RINGING
        + f"""
    2.000 ANSWER       PJSIP/101-desk-1 u=.1 l={ID} 101@gw-ring
    2.000 HANGUP       PJSIP/101-mobile-2 u=.2 l={ID} 26
    2.001 BRIDGE_ENTER PJSIP/101-desk-1 u=.1 l={ID} bridge=b1
    2.001 APP_START    Local/101@gw-ring-0;1 u={ID} l={ID} 700@from-internal app=Queue(support,tT,,,60)
    2.002 BRIDGE_ENTER Local/101@gw-ring-0;2 u={ID}-2 l={ID} bridge=b1
    2.003 CHAN_START   PJSIP/103-3 u=.3 l={ID} s@from-internal
    4.000 BRIDGE_ENTER PJSIP/103-3 u=.3 l={ID} bridge=b2
    4.000 BRIDGE_ENTER Local/101@gw-ring-0;1 u={ID} l={ID} bridge=b2
    5.000 BRIDGE_EXIT  PJSIP/101-desk-1 u=.1 l={ID} bridge=b1
    5.000 BRIDGE_ENTER PJSIP/101-desk-1 u=.1 l={ID} bridge=b2
    5.001 BRIDGE_EXIT  Local/101@gw-ring-0;1 u={ID} l={ID} bridge=b2
    5.001 BRIDGE_EXIT  Local/101@gw-ring-0;2 u={ID}-2 l={ID} bridge=b1
    5.001 APP_END      Local/101@gw-ring-0;1 u={ID} l={ID} 700@from-internal app=Queue(support,tT,,,60)
    5.001 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} 16
    5.001 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} 16
    9.000 BRIDGE_EXIT  PJSIP/101-desk-1 u=.1 l={ID} bridge=b2
    9.000 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16 PJSIP/101-desk-1
    9.000 BRIDGE_EXIT  PJSIP/103-3 u=.3 l={ID} bridge=b2
    9.001 HANGUP       PJSIP/103-3 u=.3 l={ID} 16
    9.001 LINKEDID_END PJSIP/103-3 u=.3 l={ID}
    """
    )
    (visit,) = record.visits
    assert (visit.status, visit.talk_ms, visit.ended_at) == ("answered", 5000, START + 9_000_000)


def test_the_states_as_they_happen() -> None:
    states = [_told(RINGING), _told(RINGING + USER_ANSWERED), _told(RINGING + USER_ANSWERED + DESTINATION_ANSWERED)]
    assert [record.state for record in states] == ["ringing_user", "ringing_destination", "ended"]


def test_a_user_who_does_not_answer() -> None:
    record = _told(
        RINGING
        + f"""
    5.000 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 0
    5.000 HANGUP       PJSIP/101-mobile-2 u=.2 l={ID} 0
    5.001 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} 0 - NOANSWER
    5.001 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} 0
    5.001 LINKEDID_END Local/101@gw-ring-0;1 u={ID} l={ID}
    """
    )
    assert (record.outcome, record.end_reason) == ("no_answer", "user_no_answer")
    assert record.callee.number == "+61255501234"
    assert {a.result for a in record.attempts} == {"no_answer"}


def test_a_busy_destination() -> None:
    record = _told(
        RINGING
        + USER_ANSWERED
        + f"""
    3.000 HANGUP       PJSIP/trunk-3 u=.3 l={ID} 17 PJSIP/trunk-3
    3.000 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} 17 dialplan/builtin BUSY
    3.001 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} 17 - ANSWER
    3.001 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16
    3.001 LINKEDID_END PJSIP/101-desk-1 u=.1 l={ID}
    """
    )
    assert (record.outcome, record.end_reason, record.hangup_cause) == ("busy", "destination_busy", 17)
    assert record.talk_ms == 0


def test_a_user_who_hangs_up_while_the_destination_rings() -> None:
    record = _told(
        RINGING
        + USER_ANSWERED
        + f"""
    3.000 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16 PJSIP/101-desk-1
    3.000 HANGUP       Local/101@gw-ring-0;2 u={ID}-2 l={ID} 16 PJSIP/101-desk-1 ANSWER
    3.000 HANGUP       Local/101@gw-ring-0;1 u={ID} l={ID} 16 - CANCEL
    3.001 HANGUP       PJSIP/trunk-3 u=.3 l={ID} 16
    3.001 LINKEDID_END PJSIP/trunk-3 u=.3 l={ID}
    """
    )
    assert (record.outcome, record.hung_up_by) == ("cancelled", "caller")
    assert record.attempts[-1].result == "cancelled"


def test_a_call_whose_first_rows_were_missed_is_known_by_its_id() -> None:
    """Of the user's phone and the destination's the ends are heard, and what bridged them."""
    placed = Origination("acme", ID, "pbx1", ACME.users[0].ref, "+61255501234", None, "ref-7", START)
    machine = Fold("pbx1", lambda _: NodeDirectory([ACME]), to_e164)
    machine.know(placed)
    heard = [row for row in rows(DESTINATION_ANSWERED) if not row.channel.startswith("Local/")]
    for row in heard:
        machine.take(row)
    machine.take(replace(heard[-1], at=heard[-1].at + 31_000_000, unique_id="1.9", linked_id="1.9", event="CHAN_START"))
    record = next(one for one in machine.drain().records if one.id == ID)
    assert record.origin == Origin("click_to_call", placed.user, "ref-7")
    assert (record.caller.user, record.callee.number, record.direction) == (placed.user, "+61255501234", "outbound")
    assert (record.state, record.complete) == ("ended", False)


def test_the_user_of_such_a_call_is_its_caller() -> None:
    """The Local channels left while the two talked; of what came before nothing is heard."""
    machine = Fold("pbx1", lambda _: NodeDirectory([ACME]), to_e164)
    machine.know(Origination("acme", ID, "pbx1", ACME.users[0].ref, "+61255501234", None, None, START))
    for row in rows(f"""
    4.000 BRIDGE_ENTER PJSIP/trunk-3 u=.3 l={ID} bridge=b2
    4.001 BRIDGE_ENTER PJSIP/101-desk-1 u=.1 l={ID} bridge=b2
    9.000 BRIDGE_EXIT  PJSIP/101-desk-1 u=.1 l={ID} bridge=b2
    9.000 HANGUP       PJSIP/101-desk-1 u=.1 l={ID} 16 PJSIP/101-desk-1
    9.000 BRIDGE_EXIT  PJSIP/trunk-3 u=.3 l={ID} bridge=b2
    9.001 HANGUP       PJSIP/trunk-3 u=.3 l={ID} 16
    9.001 LINKEDID_END PJSIP/trunk-3 u=.3 l={ID}
    """):
        machine.take(row)
    record = machine.drain().records[-1]
    assert (record.outcome, record.hung_up_by, record.talk_ms) == ("answered", "caller", 4999)


def test_a_call_that_one_that_was_placed_joins_is_not_the_placed_one() -> None:
    machine = Fold("pbx1", lambda _: NodeDirectory([ACME]), to_e164)
    machine.know(Origination("acme", ID, "pbx1", ACME.users[0].ref, "+61255501234", None, None, START))
    inbound = rows("""
    -1.000 CHAN_START  PJSIP/trunk-9 u=.9 l=.9 +61290000001@from-trunk cid=+61255509999
    0.100 BRIDGE_ENTER PJSIP/trunk-9 u=.9 l=.9 bridge=b2
    """)
    for row in sorted([*inbound, *rows(RINGING + USER_ANSWERED + DESTINATION_ANSWERED)[:15]], key=lambda row: row.at):
        machine.take(row)
    (record,) = machine.drain().records
    assert record.merged_ids == (ID,)
    assert (record.origin, record.callee.number) == (None, "+61290000001")


def _told(table: str) -> CallRecord:
    """The record of the table, with the account on its rows as Originate's Account header puts it there."""
    feed = [replace(row, account_code="acme") for row in rows(table)]
    (record,) = fold(feed)[0]
    return record
