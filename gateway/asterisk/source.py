"""Where one node's rows come from, whichever way they come.

A row is its place in its file: `read` starts at the positions of the last batch that was
committed and gives rows with the positions after them. Nothing else needs remembering; what
was read and not committed is read again. Only the one batch that is being committed is read beyond.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.calls.rows import ChannelsAlive, ClockStep, Instant, Row, Watermark


@dataclass(frozen=True, slots=True)
class Position:
    """How far one file has been read: what names the file for ever, and the bytes of it consumed.

    Of the journal's clock: see `own_clock`.
    """

    file_id: str
    byte_offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`positions`: by stream, where the next read begins. `at_end`: nothing more was there.

    `skipped`: records of this batch that could not be read. `lost`: rows are gone that nobody read, which a Gap
    among these says; Asterisk has to be asked which channels live.
    """

    rows: list[Row]
    positions: Mapping[str, Position] = field(default_factory=dict)
    at_end: bool = True
    skipped: int = 0
    lost: bool = False


class Source(Protocol):
    """One node's rows, in order."""

    @property
    def streams(self) -> Sequence[str]:
        """All that there may be in its positions."""

    def begin_after(self, at: Instant) -> None:
        """All until `at` was committed: of a stream without a position, or whose file is gone, `read` may leave it out.

        It gives all after.
        """

    async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
        """About `limit` rows from `positions` on ({}: from the beginning). Never waits for more.

        Where it is `lost`, rows that were read before may be given again.

        `ahead`: the batch before, which was not at the end, is being committed. What was noted and is in it is not
        given again.

        Raises:
            OSError: a file that is there cannot be read.
        """

    def tells(self, positions: Mapping[str, Position]) -> bool:
        """Whether anything of a channel stands in the file to which was read: else it may still have to come."""

    def unread(self, positions: Mapping[str, Position]) -> int:
        """About how many bytes, as they lie on the disk, come after these positions."""

    async def wait(self, timeout: float) -> None:
        """Returns when something may be new, after `timeout` seconds at the latest."""

    def wake(self) -> None:
        """Ends a `wait`: something is new."""

    def release(self, batch: Batch) -> None:
        """It is committed: what lies before its positions may go, and what was noted and is in it."""

    def note_alive(self, alive: ChannelsAlive) -> None:
        """Asterisk's list of channels: to be given among the rows, where it belongs."""

    def note_step(self, step: ClockStep) -> None:
        """Asterisk's clock was set: likewise."""

    def note_watermark(self, watermark: Watermark) -> None:
        """Asterisk has written all of before: likewise."""


async def wait_for_news(
    news: asyncio.Event, has_changed: Callable[[], bool], poll_seconds: float, timeout: float
) -> None:
    """Returns when `news` is set, which it is no more after, or when a look every `poll_seconds` shows a change."""
    deadline = time.monotonic() + timeout
    while not news.is_set() and not has_changed():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(remaining, poll_seconds)):
                await news.wait()
    news.clear()
