"""A rule that fails on one call: that is noted, the call is told as far as it is beyond doubt, and no other suffers."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from gateway.calls.directory import NodeDirectory
from gateway.calls.document import call_document
from gateway.calls.facts import CallFacts
from gateway.calls.fold import Changes, Fold
from gateway.calls.rows import ChannelsAlive, QueueRow, Row, Watermark
from tests.unit.calls.tables import ACME, START, rows, to_e164
from tests.unit.calls.test_direct_calls import ANSWERED

OTHER = """
0.000 CHAN_START   PJSIP/103-7 u=.7 l=.7 104@from-internal cid=103 "Carol"
0.100 HANGUP       PJSIP/103-7 u=.7 l=.7 17 dialplan/builtin
0.100 LINKEDID_END PJSIP/103-7 u=.7 l=.7
"""


def machine() -> Fold:
    directory = NodeDirectory([ACME])
    return Fold("pbx1", lambda _: directory, to_e164)


def test_a_call_that_no_rule_understands_is_told_all_the_same() -> None:
    folding = machine()
    with patch("gateway.calls.fold.interpret", side_effect=ValueError("no such thing")):
        for row in rows(ANSWERED):
            folding.take(row)
        changes = folding.drain()
    record = changes.records[-1]
    assert (record.settled, record.complete, record.end_reason) == (True, False, "not_understood")
    assert (record.caller.number, record.callee.number, record.duration_ms) == ("102", "103", 6001)
    assert call_document(record)["id"] == record.id
    assert {one for one, _ in changes.failures} == {record.id}
    assert changes.events[-1].type == "call.ended"


def test_a_row_that_cannot_be_noted_makes_its_call_incomplete_and_no_other() -> None:
    folding = machine()
    first, *rest = rows(ANSWERED)
    folding.take(first)
    with patch("gateway.calls.facts.channel_from", side_effect=ValueError("no such channel")):
        folding.take(rest[1])
    for row in [*rest, *rows(OTHER)]:
        folding.take(row)
    changes = folding.drain()
    assert [text for _, text in changes.failures] == ["ValueError('no such channel')"]
    told = {record.caller.number: (record.outcome, record.complete) for record in changes.records if record.settled}
    assert told == {"102": ("answered", False), "103": ("busy", True)}


def failing_for(linked_id: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """`act`, whose first argument are a call's facts, and which fails on one call."""

    def fails(facts: CallFacts, *others: Any) -> Any:
        if linked_id in facts.linked_ids:
            raise ValueError("not this one")
        return act(facts, *others)

    return fails


def folded(*feed: Row) -> Changes:
    folding = machine()
    for row in feed:
        folding.take(row)
    return folding.drain()


ONE, TWO = "1795489263.0", "1795489263.7"
DOUBTFUL = [*rows(ANSWERED)[:-1], *rows(OTHER)[:-1]]
"""Of two calls whose channels all ended, and whose linked ids were not said to."""


def ended_of(changes: Changes) -> set[str]:
    return {linked_id for record in changes.records if record.settled for linked_id in record.linked_ids}


@pytest.mark.parametrize(
    "after", [Watermark(START + 60_000_000), rows("60.000 CHAN_START PJSIP/105-9 u=.9 l=.9 s@x")[0]]
)
def test_a_doubtful_call_that_cannot_be_closed_keeps_no_other_from_it(after: Row) -> None:
    ended_at = "gateway.calls.fold._ended_at"
    with patch(ended_at, failing_for(ONE, lambda facts: facts.last_row_at)):
        changes = folded(*DOUBTFUL, after)
    assert ended_of(changes) == {TWO}
    assert [text for _, text in changes.failures] == ["ValueError('not this one')"]
    assert set(changes.closed) == {ONE, TWO}


def test_a_call_that_cannot_be_compared_with_what_is_alive_keeps_no_other_from_it() -> None:
    at = START + 9_000_000
    alive = ChannelsAlive(at, at, frozenset({ONE}))
    with patch.object(CallFacts, "end_unheard", failing_for(ONE, CallFacts.end_unheard)):
        changes = folded(*rows(ANSWERED)[:5], *rows(OTHER)[:1], alive)
    assert ended_of(changes) == {TWO}
    assert [text for _, text in changes.failures] == ["ValueError('not this one')"]
    assert [record.complete for record in changes.records if ONE in record.linked_ids] == [False]


def test_a_fact_of_a_queue_that_cannot_be_noted_makes_its_call_incomplete_and_no_other() -> None:
    first, *rest = rows(ANSWERED)
    entered = QueueRow("ENTERQUEUE", START, ONE, "support", position=1)
    folding = machine()
    folding.take(first)
    with patch("gateway.calls.doubts.Doubts.about_queues", side_effect=ValueError("not this one")):
        folding.take(entered)
    others: list[Row] = [*rest, QueueRow("ABANDON", START, ONE, "support"), *rows(OTHER)]
    for row in others:
        folding.take(row)
    changes = folding.drain()
    assert [text for _, text in changes.failures] == ["ValueError('not this one')"]
    assert {record.caller.number: record.complete for record in changes.records} == {"102": False, "103": True}


@pytest.mark.parametrize("fails", ["account_of", "interpret and not_understood"])
def test_a_call_of_which_nothing_can_be_told_keeps_no_other_from_being_told(fails: str) -> None:
    names = [f"gateway.calls.fold.{name}" for name in fails.split(" and ")]
    folding = machine()
    for row in rows(ANSWERED)[:5]:
        folding.take(row)
    first, *_ = names
    with patch(first, side_effect=ValueError("nothing")), patch(names[-1], side_effect=ValueError("nothing")):
        folding.take(rows(ANSWERED)[5])
        changes = folding.drain()
    assert (changes.records, {text for _, text in changes.failures}) == ((), {"ValueError('nothing')"})
    for row in rows(OTHER):
        folding.take(row)
    assert ended_of(folding.drain()) == {TWO}
