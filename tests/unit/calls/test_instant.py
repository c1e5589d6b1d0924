"""Times as they leave, whether they come as instants or as the database's own."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.calls.instant import datetime_text, from_datetime, to_datetime, to_text

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)


def test_milliseconds_are_cut() -> None:
    assert datetime_text(datetime.fromisoformat("2026-11-24T13:03:04.567999+11:00")) == "2026-11-24T02:03:04.567Z"


@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC))
@given(MOMENTS)
def test_a_moment_leaves_in_one_form(moment: datetime) -> None:
    assert datetime_text(moment) == to_text(from_datetime(moment))
    assert to_datetime(from_datetime(moment)) == moment
