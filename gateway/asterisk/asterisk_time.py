"""The times that Asterisk writes, as instants."""

from datetime import datetime

from gateway.calls.instant import from_datetime
from gateway.calls.rows import Instant


def read_time(text: str) -> Instant:
    """`1795489263.178669` exactly; else a date and time, in this machine's zone if it names none.

    Raises:
        ValueError: neither.
    """
    seconds, _, fraction = text.partition(".")
    if seconds.isdecimal() and seconds.isascii():
        return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    return from_datetime(datetime.fromisoformat(text).astimezone())
