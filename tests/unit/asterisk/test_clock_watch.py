"""A set clock is told from rows that come late, and from clocks that drift."""

from gateway.asterisk.clock_watch import ClockWatch

SECOND = 1_000_000
NOON = 1_795_489_263_000_000


def test_a_clock_that_goes_on_was_not_set() -> None:
    watch = ClockWatch()
    for second in range(0, 600, 10):
        at = second * SECOND
        assert not watch.answer(NOON + at + second * 50, at - 200, at + 300)
        assert not watch.row(NOON + at, at + 100)


def test_rows_that_come_late_and_then_in_time_again_are_no_step() -> None:
    watch = ClockWatch()
    assert not watch.answer(NOON, 0, 500)
    for late in (0, 30, 5, 0):
        at = late * 7 * SECOND + SECOND
        assert not watch.row(NOON + 210 * SECOND, 210 * SECOND + at)
    assert not watch.answer(NOON + 600 * SECOND, 570 * SECOND, 600 * SECOND)
    assert not watch.row(NOON + 601 * SECOND, 601 * SECOND)


def test_rows_out_of_order_by_a_little_are_no_step() -> None:
    watch = ClockWatch()
    assert not any(watch.row(NOON + at, 10 * SECOND) for at in (0, SECOND, 0, 2 * SECOND, SECOND))


def test_a_clock_that_was_set_on_is_told_by_the_first_row_once() -> None:
    watch = ClockWatch()
    assert not watch.answer(NOON, 0, 500)
    assert watch.row(NOON + 3_600 * SECOND, SECOND)
    assert not watch.row(NOON + 3_601 * SECOND, 2 * SECOND)
    assert not watch.answer(NOON + 3_609 * SECOND, 10 * SECOND, 10 * SECOND + 500)


def test_a_clock_that_was_set_back_is_told_by_the_first_row_once() -> None:
    watch = ClockWatch()
    assert not watch.row(NOON, 0)
    assert watch.row(NOON - 3_600 * SECOND, SECOND)
    assert not watch.row(NOON - 3_599 * SECOND, 2 * SECOND)
    assert not watch.answer(NOON - 3_591 * SECOND, 10 * SECOND, 10 * SECOND + 500)


def test_while_nothing_happens_the_answers_tell() -> None:
    for by in (-3 * SECOND, 3 * SECOND):
        watch = ClockWatch()
        assert not watch.answer(NOON, 0, 500)
        assert watch.answer(NOON + 10 * SECOND + by, 10 * SECOND, 10 * SECOND + 500)
        assert not watch.answer(NOON + 20 * SECOND + by, 20 * SECOND, 20 * SECOND + 500)
        assert not watch.row(NOON + 21 * SECOND + by, 21 * SECOND)


def test_a_slow_answer_tells_nothing() -> None:
    """It was asked, we were stopped, and it was heard much later."""
    watch = ClockWatch()
    assert not watch.answer(NOON, 0, 500)
    assert not watch.answer(NOON + 10 * SECOND, 10 * SECOND, 70 * SECOND)
    assert not watch.answer(NOON + 80 * SECOND, 80 * SECOND, 80 * SECOND + 500)
