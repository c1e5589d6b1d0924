"""Which rows make two linked ids one call, which do not, and which are no call's."""

from dataclasses import replace

import pytest

from tests.unit.calls.tables import START, fold, rows

TWO_CALLS = """
0.000 CHAN_START PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102 "Bob"
1.000 CHAN_START PJSIP/103-1 u=.1 l=.1 102@from-internal cid=103 "Carol"
"""
OTHER = "1795489263.1"
NAMING = [
    ("PICKUP", "pickup_channel_uniqueid"),
    ("ATTENDEDTRANSFER", "channel2_uniqueid"),
    ("ATTENDEDTRANSFER", "transferee_channel_uniqueid"),
    ("ATTENDEDTRANSFER", "transfer_target_channel_uniqueid"),
    ("BLINDTRANSFER", "transferee_channel_uniqueid"),
]


@pytest.mark.parametrize(("event", "member"), NAMING)
def test_an_event_that_names_a_channel_of_another_call_joins_the_two(event: str, member: str) -> None:
    first, second = rows(TWO_CALLS)
    joining = replace(first, event=event, at=second.at + 1, extra={member: OTHER})
    (record,), events = fold([first, second, joining])
    assert record.linked_ids == (first.linked_id, second.linked_id)
    assert [one.type for one in events if one.call_id in record.merged_ids] == ["call.started", "call.merged"]
    assert len(fold([first, second, replace(joining, extra={})])[0]) == 2


def test_whoever_fetches_a_parked_call_joins_it() -> None:
    first, second = rows(TWO_CALLS)
    fetched = {"reason": "ParkedCallUnparked", "retriever": second.channel}
    (record,), _ = fold([first, second, replace(first, event="PARK_END", at=second.at + 1, extra=fetched)])
    assert len(record.merged_ids) == 1


def test_channels_in_one_bridge_are_of_one_call() -> None:
    """Something must have brought them together; as long as no row says what, one is missing."""
    table = (
        TWO_CALLS
        + """
    1.001 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b
    1.002 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.1 bridge=b
    """
    )
    (record,), _ = fold(rows(table))
    assert (len(record.merged_ids), record.complete) == (1, False)
    told = "1.003 ATTENDEDTRANSFER PJSIP/103-1 u=.1 l=.1 transferee_channel_uniqueid=1795489263.0"
    (record,), _ = fold(rows(f"{table}\n{told}"))
    assert (len(record.merged_ids), record.complete) == (1, True)


def test_a_channel_that_goes_over_to_another_call_joins_them_and_says_that_a_row_is_missing() -> None:
    first, second = rows(TWO_CALLS)
    gone_over = replace(second, event="ANSWER", at=second.at + 1, linked_id=first.linked_id)
    to_first = {"transferee_channel_uniqueid": first.unique_id}
    named = replace(second, event="ATTENDEDTRANSFER", at=second.at + 2, linked_id=first.linked_id, extra=to_first)
    for feed in ([first, second, gone_over], [first, second, gone_over, named]):
        (record,), _ = fold(feed)
        assert (len(record.merged_ids), record.complete) == (1, False)


def test_a_channel_that_enters_another_calls_bridge_may_have_been_transferred_there() -> None:
    """By then its rows bear that call's linked id; the event that says why comes after."""
    first, second = rows(TWO_CALLS)
    in_bridge = {"bridge_id": "b", "bridge_technology": "simple_bridge"}
    feed = [
        first,
        second,
        replace(first, event="BRIDGE_ENTER", at=second.at + 1, extra=in_bridge),
        replace(second, event="BRIDGE_ENTER", at=second.at + 2, linked_id=first.linked_id, extra=in_bridge),
    ]
    (record,), _ = fold(feed)
    assert (len(record.merged_ids), record.complete) == (1, False)
    said = replace(first, event="ATTENDEDTRANSFER", at=second.at + 3, extra={"transferee_channel_uniqueid": OTHER})
    (record,), _ = fold([*feed, said])
    assert (len(record.merged_ids), record.complete) == (1, True)
    (record,), _ = fold([*feed, replace(said, extra={})])
    assert not record.complete


def test_a_transfer_does_not_say_what_joined_two_calls_long_before() -> None:
    """Somebody picked up, which was not seen; the transfer of that call later on is another matter."""
    first, second = rows(TWO_CALLS)
    in_bridge = {"bridge_id": "b", "bridge_technology": "simple_bridge"}
    met = [
        replace(row, event="BRIDGE_ENTER", at=second.at + n, extra=in_bridge) for n, row in enumerate((first, second))
    ]
    later = replace(first, event="ATTENDEDTRANSFER", at=second.at + 2_000_000, extra={"bridge1_id": "b"})
    (record,), _ = fold([first, second, *met, later])
    assert (len(record.merged_ids), record.complete) == (1, False)


def test_pairs_that_talk_at_once_in_one_call_do_not_cut_each_other_short() -> None:
    (record,), _ = fold(
        rows("""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102
    0.001 APP_START    PJSIP/102-0 u=.0 l=.0 103@from-internal app=Dial(PJSIP/103,9)
    0.002 CHAN_START   PJSIP/103-1 u=.1 l=.0 s@from-internal
    1.000 CHAN_START   PJSIP/105-2 u=.2 l=.2 101@from-internal cid=105
    1.001 APP_START    PJSIP/105-2 u=.2 l=.2 101@from-internal app=Dial(PJSIP/101-desk,9)
    1.002 CHAN_START   PJSIP/101-desk-3 u=.3 l=.2 s@from-internal
    2.000 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.0 bridge=b1
    2.000 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b1
    3.000 BRIDGE_ENTER PJSIP/105-2 u=.2 l=.2 bridge=b2
    3.000 BRIDGE_ENTER PJSIP/101-desk-3 u=.3 l=.2 bridge=b2
    3.500 ATTENDEDTRANSFER PJSIP/102-0 u=.0 l=.0 transferee_channel_uniqueid=1795489263.2
    5.000 BRIDGE_EXIT  PJSIP/105-2 u=.2 l=.2 bridge=b2
    5.000 BRIDGE_EXIT  PJSIP/101-desk-3 u=.3 l=.2 bridge=b2
    6.000 BRIDGE_EXIT  PJSIP/102-0 u=.0 l=.0 bridge=b1
    6.000 BRIDGE_EXIT  PJSIP/103-1 u=.1 l=.0 bridge=b1
    """)
    )
    spans = [({p.number for p in one.parties}, one.started_at - START, one.ended_at) for one in record.segments]
    assert spans == [({"102", "103"}, 2_000_000, START + 6_000_000), ({"105", "101"}, 3_000_000, START + 5_000_000)]


@pytest.mark.parametrize("app", ["ConfBridge(800)", "MeetMe(800)", "Page(PJSIP/104)"])
def test_a_room_holds_many_calls(app: str) -> None:
    table = f"""
    0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 800@from-internal cid=102 "Bob"
    0.001 APP_START    PJSIP/102-0 u=.0 l=.0 800@from-internal app={app}
    0.002 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 800@from-internal app={app} bridge=b
    1.000 CHAN_START   PJSIP/103-1 u=.1 l=.1 800@from-internal cid=103 "Carol"
    1.001 APP_START    PJSIP/103-1 u=.1 l=.1 800@from-internal app={app}
    1.002 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.1 800@from-internal app={app} bridge=b
    """
    records, _ = fold(rows(table))
    assert [(record.merged_ids, record.answered_at) for record in records] == [((), None), ((), None)]


@pytest.mark.parametrize("event", ["STREAM_BEGIN", "STREAM_END", "DTMF", "LINKEDID_END"])
def test_what_is_told_of_a_channel_that_nobody_saw_begin_is_no_call(event: str) -> None:
    (row,) = rows("0.000 ANSWER PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102")
    assert fold([replace(row, event=event)])[0] == []
    assert fold([replace(row, channel="CBAnn/800-0")])[0] == []
    assert len(fold([row])[0]) == 1


@pytest.mark.parametrize(("kind", "told"), [("QUEUESTATUS", 0), ("VMSTATUS", 0), ("ORDER", 1)])
def test_what_a_dialplan_says_is_told_on_unless_it_is_meant_for_the_record(kind: str, told: int) -> None:
    first, _ = rows(TWO_CALLS)
    said = replace(first, event="USER_DEFINED", user_type=kind, extra={"extra": "4711"})
    _, events = fold([first, said])
    assert [event.type for event in events].count("dialplan.custom") == told
