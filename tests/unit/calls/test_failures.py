"""A rule that fails on one call: that is noted, the call is told as far as it is beyond doubt, and no other suffers."""

from unittest.mock import patch

from gateway.calls.directory import NodeDirectory
from gateway.calls.document import call_document
from gateway.calls.fold import Fold
from tests.unit.calls.tables import ACME, rows, to_e164
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
