"""Instants as text: RFC 3339 in UTC with milliseconds, the form in which times leave."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from gateway.calls.rows import Instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(instant: Instant) -> datetime:
    """An aware datetime, exact to the microsecond."""
    return EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Exact inverse of `to_datetime`; `moment` must be aware."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_text(instant: Instant) -> str:
    """`2026-11-24T02:03:04.567Z`; what lies below the millisecond is cut, never rounded up."""
    seconds, microseconds = divmod(instant, 1_000_000)
    return f"{_second(seconds)}{microseconds // 1000:03d}Z"


def datetime_text(moment: datetime) -> str:
    """`to_text` of an aware datetime."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{orjson.dumps(moment)[1:20].decode()}.{moment.microsecond // 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """What is the same for all instants of a second: rows of calls lie close together."""
    return f"{to_datetime(seconds * 1_000_000).isoformat(timespec='seconds').removesuffix('+00:00')}."
