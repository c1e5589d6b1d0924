"""What `rebuild` and `audit` share: the time that they are about, and how far they are."""

import sys
import time
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from gateway.api.moments import Unreadable, beginning, end
from gateway.calls.instant import from_datetime
from gateway.calls.rows import Instant
from gateway.cli.run import fail

Since = Annotated[str, typer.Option("--from", help="A day in UTC (2026-11-01), or an instant with its offset.")]
Until = Annotated[str, typer.Option("--to", help="A day, which is included, or an instant, which is not.")]
Node = Annotated[str, typer.Option(help="Whose calls. Default: GATEWAY_NODE.")]
EVERY_SECONDS = 0.5
EVERY_SECONDS_IN_A_LOG = 30.0


def period(since: str, until: str) -> tuple[Instant, Instant]:
    """Wrong use where it is none."""
    zone = ZoneInfo("UTC")
    for option, text in (("--from", since), ("--to", until)):
        try:
            beginning(text, zone)
        except Unreadable as error:
            fail(f"{option}: {error}", 2)
    times = from_datetime(beginning(since, zone)), from_datetime(end(until, zone))
    if times[0] >= times[1]:
        fail("--to: must be later than --from", 2)
    # Nothing was before; and what is compared begins somewhat earlier, which the year 1 has no room for.
    return max(times[0], 0), times[1]


class Shown:
    """One line on standard error, written over; in a log, one every half minute."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = EVERY_SECONDS if self._terminal else EVERY_SECONDS_IN_A_LOG
        self._due = time.monotonic() + self._every
        self._shown = 0

    def at(self, rows: int, of: int, told: str) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._every
        text = f"{min(100, 100 * rows // max(of, 1))}% {rows} rows, {told}"
        if self._terminal:
            print("\r" + text.ljust(self._shown), end="", file=sys.stderr, flush=True)
            self._shown = len(text)
        else:
            print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0
