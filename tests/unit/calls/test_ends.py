"""When a call is over: once all of it is shown, else after some of the source's time, or when it can live no more."""

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest

from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, QueueRow, Row, Watermark
from tests.unit.calls.tables import ACME, START, fold, rows, to_e164
from tests.unit.calls.test_direct_calls import ANSWERED

SECOND = 1_000_000
END = START + 6_001_000
"""When the call of the table is over."""

CALL = rows(ANSWERED)
WITHOUT_THE_END = CALL[:-1]
TOLD_TO_BE_OVER = [*CALL[:7], CALL[-1]]
"""Its linked id ended, and its channels talk on."""

NO_LONGER_HEARD = [row for row in CALL if row.event != "CHAN_END"]
"""Its channels hung up, and not all of their ends are told."""

QUEUED: list[Row] = [*CALL[:2], QueueRow("ENTERQUEUE", START, CALL[0].unique_id, "support"), *CALL[2:]]
"""A queue told of a visit's beginning, and not of its end."""


def machine() -> Fold:
    directory = NodeDirectory([ACME])
    return Fold("pbx1", lambda _: directory, to_e164)


def ended(feed: Sequence[Row]) -> list[tuple[str | None, bool]]:
    """Outcome and completeness of each call that is over."""
    folding = machine()
    for row in feed:
        folding.take(row)
    records = folding.drain().records
    assert folding.open_calls == sum(not record.settled for record in records)
    return [(record.outcome, record.complete) for record in records if record.settled]


def another(at: int) -> CelRow:
    """A row of a call that begins then: time goes on by what rows say."""
    return CelRow("CHAN_START", at, "PJSIP/103-9", "1795489999.9", "1795489999.9", "102", "from-internal", "103")


def test_a_call_of_which_all_is_shown_ends_with_its_last_row() -> None:
    assert ended(WITHOUT_THE_END) == []
    assert ended(CALL) == [("answered", True)]


@pytest.mark.parametrize("clock", [another, Watermark])
@pytest.mark.parametrize(
    ("feed", "since", "patience"),
    [
        (WITHOUT_THE_END, END, 30 * SECOND),
        (NO_LONGER_HEARD, END, 30 * SECOND),
        (TOLD_TO_BE_OVER, END, 24 * 3600 * SECOND),
        (QUEUED, END, 2 * SECOND),
    ],
)
def test_a_call_that_may_be_over_is_given_its_time_and_no_more(
    feed: list[Row], since: int, patience: int, clock: type[Watermark]
) -> None:
    assert ended([*feed, clock(since + patience - 1)]) == []
    assert ended([*feed, clock(since + patience)]) == [("answered", False)]


def test_what_was_missing_comes_in_time_and_ends_the_call_whole() -> None:
    late = END + SECOND
    assert ended([*WITHOUT_THE_END, replace(CALL[-1], at=late)]) == [("answered", True)]
    assert ended([*QUEUED, QueueRow("CONNECT", late, CALL[0].unique_id, "support")]) == [("answered", True)]


def test_what_a_queue_tells_prolongs_no_other_doubt() -> None:
    said = QueueRow("ENTERQUEUE", END + 20 * SECOND, CALL[0].unique_id, "support")
    assert ended([*WITHOUT_THE_END, said, Watermark(END + 30 * SECOND)]) == [("answered", False)]


def test_a_call_that_goes_on_is_doubted_no_more() -> None:
    """Whatever was said of its end, a new channel of it lives."""
    rung = replace(CALL[2], unique_id="1795489263.7", channel="PJSIP/103-7", at=END + SECOND)
    assert ended([*WITHOUT_THE_END, rung, Watermark(END + 3600 * SECOND)]) == []


def test_calls_in_doubt_are_settled_each_in_its_time() -> None:
    first, second = (_nth(WITHOUT_THE_END, n, START + n * 10 * SECOND) for n in (0, 1))
    assert len(ended([*first, *second, Watermark(END + 30 * SECOND)])) == 1
    assert len(ended([*first, *second, Watermark(END + 40 * SECOND)])) == 2


def test_a_clock_that_is_set_back_prolongs_no_doubt() -> None:
    """Neither of the calls before nor of those after."""
    second = START - 3600 * SECOND
    step, later = ClockStep(second), _nth(WITHOUT_THE_END, 1, second + SECOND)
    over = second + SECOND + END - START
    assert len(ended([*WITHOUT_THE_END, step, *later, Watermark(second + 30 * SECOND - 1)])) == 0
    assert len(ended([*WITHOUT_THE_END, step, *later, Watermark(second + 30 * SECOND)])) == 1
    assert len(ended([*WITHOUT_THE_END, step, *later, Watermark(over + 30 * SECOND)])) == 2


def test_a_late_row_of_a_call_that_is_over_opens_no_other() -> None:
    late = replace(CALL[3], at=END + SECOND)
    folding = machine()
    for row in [*CALL, late]:
        folding.take(row)
    assert folding.open_calls == 0
    folding = machine()
    folding.know_over([late.linked_id])
    folding.take(late)
    assert folding.open_calls == 0


def test_when_too_many_calls_are_open_the_one_that_was_silent_longest_is_lost() -> None:
    first, *rest = [_nth(CALL, n, START + n) for n in range(4)]
    begun = [row for feed in rest for row in feed[:3]]
    feed: list[Row] = [*first[:3], *begun[:3], *first[3:5], *begun[3:], *first[5:]]
    with patch("gateway.calls.fold.MOST_OPEN", 3):
        records, events = fold(feed)
    over = {one.linked_ids[0][-1]: (one.outcome, one.complete) for one in records if one.settled}
    assert over == {"0": ("answered", True), "1": ("lost", False)}
    assert [event.type for event in events].count("call.ended") == 2


def test_a_hundredth_of_the_open_calls_is_lost_at_a_time() -> None:
    calls = [_nth(CALL, n, START + n)[0] for n in range(201)]
    with patch("gateway.calls.fold.MOST_OPEN", 200):
        assert ended(calls) == [("lost", False)] * 2


def _nth(feed: Sequence[CelRow], number: int, start: int) -> list[CelRow]:
    """The same call under ids of its own, begun at another time."""
    return [
        replace(
            row,
            at=row.at - START + start,
            unique_id=f"{row.unique_id}{number}",
            linked_id=f"{row.linked_id}{number}",
            channel=f"{row.channel}{number}",
            extra={name: f"{value}{number}" if name == "bridge_id" else value for name, value in row.extra.items()},
        )
        for row in feed
    ]


def test_a_call_in_which_asterisks_clock_was_set_says_so_and_the_next_does_not() -> None:
    feed = rows(ANSWERED)
    after = _nth(feed, 9, START)
    records, _ = fold([*feed[:5], ClockStep(feed[5].at - 60_000_000), *feed[5:], *after])
    assert [(one.outcome, one.complete) for one in records] == [("answered", False), ("answered", True)]


def test_a_channel_that_ended_unheard_does_not_hold_up_the_end_of_its_call() -> None:
    """The caller hung up in a gap; of the callee the end is heard."""
    callee = CALL[2].unique_id
    back = START + 6_000_000
    alive = ChannelsAlive(back + 1, back, frozenset((callee,)))
    heard = [row for row in CALL[7:] if row.unique_id == callee]
    records, events = fold([*CALL[:7], Gap(back), alive, *heard])
    assert [(one.outcome, one.settled, one.complete, one.talk_ms) for one in records] == [
        ("answered", True, False, 3998)
    ]
    assert [event.type for event in events].count("call.ended") == 1


def test_a_channel_that_was_heard_of_after_the_list_was_asked_for_lives() -> None:
    """The list of channels may be older than the rows that come with it."""
    talking = CALL[:7]
    at = talking[-1].at
    alive = ChannelsAlive(at + 2, talking[-2].at, frozenset())
    assert ended([*talking, alive, *CALL[7:]]) == [("answered", True)]
    assert ended([*talking, replace(alive, since=at + 1)]) == [("lost", False)]
