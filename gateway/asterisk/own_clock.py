"""This machine's clock beside one that nobody sets, which tells whether it was set, also while nobody looked.

The files of the journal are this machine's, and so, mostly, is the clock by which Asterisk writes them: containers have
their kernel's. How far it is ahead of the time since the machine was started (CLOCK_BOOTTIME: suspended or not, see
clock_gettime(2)) changes only where it is set, as both are kept in time alike.
"""

import time
from functools import cache
from pathlib import Path

from gateway.asterisk.source import Position
from gateway.calls.rows import Instant

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""random(4): another after each start of the machine."""

LEAST = 2_000_000
"""Microseconds: less is how clocks are kept in time; some times come in whole seconds; rows are not quite in order."""

AT_ONCE = 10_000_000
"""Nanoseconds within which both clocks are read, if it can be."""

LOOKS = 10

_NOBODYS_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def ticks() -> Instant:
    """Microseconds of a clock that nobody sets."""
    return _ticks() // 1000


def own_clock() -> Position | None:
    """This start of the machine, and by how many microseconds its clock is ahead; None where it does not tell."""
    boot = _boot_id(BOOT_ID)
    if boot is None:
        return None
    reads = []
    for _ in range(LOOKS):
        before = _ticks()
        ahead = time.time_ns() - before
        reads.append((_ticks() - before, ahead))
        if reads[-1][0] < AT_ONCE:
            break
    return Position(boot, min(reads)[1] // 1000)


def was_set(before: Position | None, after: Position | None) -> bool:
    """Between these two; not known, and false, where the machine was started anew."""
    if before is None or after is None or before.file_id != after.file_id:
        return False
    return abs(after.byte_offset - before.byte_offset) > LEAST


@cache
def _boot_id(path: Path) -> str | None:
    """Asked for at each read of the journal, and the same as long as we run."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _ticks() -> int:
    return time.clock_gettime_ns(_NOBODYS_CLOCK)
