"""What the fold gives, taken apart by call, and given again; and of which placed calls it was told."""

from gateway.calls.fold import Changes, Fold
from gateway.calls.origination import Origination
from gateway.calls.rows import CelRow
from tests.unit.calls.tables import ACME, START, rows
from tests.unit.calls.test_click_to_call import ID
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_failures import OTHER, machine

JOINED = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102
1.000 CHAN_START   PJSIP/103-1 u=.1 l=.1 102@from-internal cid=103
3.000 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b1
3.001 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.1 bridge=b1
"""


def taken(folding: Fold, feed: list[CelRow]) -> Changes:
    for row in feed:
        folding.take(row)
    return folding.drain()


def test_the_calls_that_are_told_of_are_those_of_records_events_and_what_merged() -> None:
    changes = taken(machine(), [*rows(ANSWERED), *rows(OTHER)])
    assert changes.calls() == {("acme", record.id) for record in changes.records}
    assert len(changes.calls()) == 2
    joined = taken(machine(), rows(JOINED))
    assert joined.merged
    assert {(account, old) for account, old, _ in joined.merged} < joined.calls()
    events_alone = Changes((), (), changes.events, (), ())
    assert events_alone.calls() == changes.calls()


def test_what_is_told_of_some_calls_is_all_of_theirs_and_nothing_of_others() -> None:
    changes = taken(machine(), [*rows(ANSWERED), *rows(OTHER)])
    first, second = [{("acme", record.id)} for record in changes.records]
    one, other = changes.of(first), changes.of(second)
    assert (*one.records, *other.records) == changes.records
    assert sorted((*one.events, *other.events), key=str) == sorted(changes.events, key=str)
    assert one.calls() == first
    assert (one.opened, one.closed) == ((), ())
    assert changes.of(set()).calls() == set()


def test_what_is_put_back_is_given_first_and_once() -> None:
    folding = machine()
    before = taken(folding, rows(ANSWERED))
    folding.put_back(before.of(before.calls()))
    after = taken(folding, rows(OTHER))
    assert after.records[: len(before.records)] == before.records
    assert after.events[: len(before.events)] == before.events
    assert len(after.calls()) == 2
    assert folding.drain().calls() == set()


def test_a_placed_call_is_known_once_told_while_it_goes_on_and_when_it_is_over() -> None:
    placed = Origination("acme", ID, "pbx1", ACME.users[0].ref, "+61255501234", None, None, START)
    folding = machine()
    assert not folding.knows(ID)
    folding.know(placed)
    assert folding.knows(ID)
    first = rows(ANSWERED)[0].linked_id
    assert not folding.knows(first)
    folding.take(rows(ANSWERED)[0])
    assert folding.knows(first)
    taken(folding, rows(ANSWERED)[1:])
    assert folding.knows(first)
