"""The times that Asterisk writes, as instants."""

from datetime import datetime

from gateway.calls.instant import from_datetime
from gateway.calls.rows import Instant

YEAR_10000 = 253_402_300_800
"""In seconds since 1970: the first that is no time any more, neither here nor in Postgres."""


def read_time(text: str) -> Instant:
    """`1795489263.178669` exactly; else a date and time, in this machine's zone if it names none.

    Raises:
        ValueError: neither.
    """
    seconds, _, fraction = text.partition(".")
    if seconds.isdecimal() and seconds.isascii():
        if int(seconds) >= YEAR_10000:
            raise ValueError("a time beyond all years")
        return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    try:
        return from_datetime(datetime.fromisoformat(text).astimezone())
    except OverflowError as error:
        raise ValueError(str(error)) from None
