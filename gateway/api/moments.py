"""Times as clients write them: an instant with its offset, or a plain date, the account's whole day."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.calls.instant import datetime_text

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SPACE_FOR_PLUS = re.compile(r"([\d-]{8,10}[T ]\d\S*) (\d{2}(:?\d{2})?)")


class Unreadable(ValueError):
    """`args[0]` says what is wrong."""


def told(moment: datetime) -> str:
    """As times leave."""
    return datetime_text(moment)


def is_date(text: str) -> bool:
    return _PLAIN_DATE.fullmatch(text) is not None


def beginning(text: str, zone: ZoneInfo, *, local: bool = False) -> datetime:
    """The instant, or the first of the day. `local`: without an offset it is the zone's. Raises: Unreadable."""
    return _read(text, zone, 0, local)


def end(text: str, zone: ZoneInfo, *, local: bool = False) -> datetime:
    """The instant, or the first after the day. `local`: without an offset it is the zone's. Raises: Unreadable."""
    return _read(text, zone, 1, local)


def _read(text: str, zone: ZoneInfo, days: int, local: bool) -> datetime:
    try:
        if is_date(text):
            return _midnight(date.fromisoformat(text), zone, days)
        text = text.upper()  # RFC 3339 also knows `t` and `z`.
        if spaced := _SPACE_FOR_PLUS.fullmatch(text):
            text = f"{spaced[1]}+{spaced[2]}"  # An unencoded `+` in a query arrives as a space.
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and local:
            moment = moment.replace(tzinfo=zone)  # Of two times by the same name, the earlier.
        if moment.tzinfo is None:
            raise Unreadable("A date-time needs its offset, as in 2026-11-01T00:00:00Z.")
        return _in_utc(moment)
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("Neither a date (2026-11-01) nor a date-time (2026-11-01T09:30:00+11:00).") from None


def _midnight(day: date, zone: ZoneInfo, days: int) -> datetime:
    try:
        following = day + timedelta(days=days)
    except OverflowError:
        return LAST
    return _in_utc(datetime.combine(following, time(), zone))


def _in_utc(moment: datetime) -> datetime:
    """Nothing is before the calendar's first moment or after its last: there, an offset moves nothing."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return FIRST if moment.year == 1 else LAST
