"""This machine's clock, which is not set here."""

import time
from pathlib import Path

import pytest

from gateway.asterisk import own_clock as module
from gateway.asterisk.own_clock import own_clock, ticks, was_set
from gateway.asterisk.source import Position

SECOND = 1_000_000


def test_it_tells_the_same_again() -> None:
    before, after = own_clock(), own_clock()
    assert before is not None
    assert after is not None
    assert before.file_id == after.file_id
    assert abs(after.byte_offset - before.byte_offset) < SECOND
    assert not was_set(before, after)


def test_it_and_the_clock_that_nobody_sets_are_this_machines() -> None:
    now = own_clock()
    assert now is not None
    assert abs(now.byte_offset + ticks() - time.time_ns() // 1000) < SECOND


def test_where_a_read_was_interrupted_the_shortest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = 10**18
    ticks_at = iter([0, 30_000 * SECOND, 40_000 * SECOND, 40_001 * SECOND, *[50_000 * SECOND] * 2])
    last = [0]

    def tick() -> int:
        last[0] = next(ticks_at)
        return last[0]

    monkeypatch.setattr(module, "_ticks", tick)
    monkeypatch.setattr(time, "time_ns", lambda: last[0] + ahead)
    now = own_clock()
    assert now is not None
    assert now.byte_offset == ahead // 1000


def test_where_the_machine_does_not_tell_of_its_start_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "BOOT_ID", tmp_path / "none")
    assert own_clock() is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Position("a", 0), Position("a", 2 * SECOND + 1), True),
        (Position("a", 0), Position("a", -2 * SECOND - 1), True),
        (Position("a", 0), Position("a", 2 * SECOND), False),
        (Position("a", 0), Position("b", 9 * SECOND), False),
        (None, Position("a", 9 * SECOND), False),
        (Position("a", 0), None, False),
    ],
)
def test_set_by_more_than_two_seconds(before: Position | None, after: Position | None, expected: bool) -> None:
    assert was_set(before, after) is expected
