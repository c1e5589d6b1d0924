"""Whether Asterisk's clock was set, told by a clock that cannot be.

What is kept is how far the one is ahead of the other, between two bounds: an answer bounds it on both sides, as
Asterisk wrote its time after it was asked and before it was heard; a row, which may come late but never early, from
below. Where a new bound contradicts the other, Asterisk's clock was set in between.
"""

import math

from gateway.asterisk.own_clock import LEAST
from gateway.calls.rows import Instant


class ClockWatch:
    """When something was asked or heard is told in `ticks`."""

    def __init__(self) -> None:
        self._low, self._high = -math.inf, math.inf
        self._youngest: Instant = 0

    def row(self, at: Instant, heard_at: Instant) -> bool:
        """A row of this time was heard. Whether the clock was set since the time before."""
        ahead = at - heard_at
        stepped = ahead > self._high + LEAST or at < self._youngest - LEAST
        if stepped:
            self._low, self._high, self._youngest = -math.inf, math.inf, at
        self._low, self._youngest = max(self._low, ahead), max(self._youngest, at)
        return stepped

    def answer(self, at: Instant, asked_at: Instant, heard_at: Instant) -> bool:
        """Asterisk said what time it was. Whether the clock was set since the time before."""
        low, high = at - heard_at, at - asked_at
        stepped = low > self._high + LEAST or high < self._low - LEAST
        if stepped:
            self._youngest = at
        self._low, self._high = low, high
        return stepped
