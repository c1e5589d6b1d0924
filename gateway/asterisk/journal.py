"""The rows that Asterisk itself writes: `cel_custom`'s file and, beside it, `queue_log`.

Facts of queue_log are written before the last CEL row of their call. So the CEL file is read
to its end first and queue_log after it: then every fact that precedes a CEL row read is there,
and is given before it.

Where the clock was set since the files were read last, and nobody told where, it may have been anywhere in what came
since: each call of it is told of a step.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.asterisk.cel_csv import RECORD_START, cel_row
from gateway.asterisk.noted_steps import NotedSteps
from gateway.asterisk.own_clock import LEAST, own_clock, was_set
from gateway.asterisk.queue_log import line_second, queue_row
from gateway.asterisk.source import Batch, Position, wait_for_news
from gateway.asterisk.tail import Chunk, Tail, beginning
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, Instant, Row, Watermark

log = logging.getLogger(__name__)

CEL = "journal"
QUEUE = "queue_log"
CLOCK = "clock"
POLL_SECONDS = 0.05
LONGEST_QUEUE_SECONDS = 86_400
MOST_FACTS = 10_000
"""At once, where their times do not tell which belong to the CEL rows that are read with them."""

AT_END_KINDS = 2
"""What is given when all rows of the files were read: the channels that live, and a watermark."""


@dataclass(slots=True)
class _Reading:
    """One stream's part of a batch."""

    position: Position | None
    rows: list[Row] = field(default_factory=list)
    at_end: bool = False
    skipped: int = 0
    lost: bool = False


class JournalSource:
    """See `source.Source`. Either file may be missing, or come later. `clock`: see `own_clock`."""

    streams = (CEL, QUEUE, CLOCK)

    def __init__(
        self,
        cel_path: Path,
        queue_log_path: Path | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        clock: Callable[[], Position | None] = own_clock,
    ) -> None:
        self._cel = Tail(cel_path, RECORD_START)
        self._queue = Tail(queue_log_path) if queue_log_path else None
        self._poll = poll_seconds
        self._news = asyncio.Event()
        self._at_end: dict[type[Row], Row] = {}
        self._steps = NotedSteps()
        self._clock = clock
        self._clock_noted: Position | None = None
        self._suspects = False
        self._read_to: Position | None = None
        self._youngest: Instant = 0
        """Of the rows until there."""

    def begin_after(self, at: Instant) -> None:
        """See `source.Source`: it begins with the oldest file that was written after."""
        for tail in (self._cel, self._queue):
            if tail is not None:
                tail.begin_after(at)

    async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
        """See `source.Source`."""
        self._steps.begin(positions.get(CEL), ahead=ahead)
        clock_then, clock = positions.get(CLOCK), self._clock()
        if not was_set(clock_then, self._clock_noted):
            self._clock_noted = None
        if positions.get(CEL) != self._read_to:
            self._youngest = 0
        cel = self._read_cel(positions.get(CEL), limit)
        self._read_to = cel.position
        # What is noted meanwhile explains nothing of what lay there before.
        self._suspects |= was_set(self._clock_noted or clock_then, clock)
        if self._suspects:
            cel.rows = _suspected(cel.rows)
            self._suspects = not cel.at_end
        self._steps.ended(cel.position)
        queue = self._read_queue(positions.get(QUEUE), cel, limit)
        rows = [*queue.rows, *cel.rows]
        at_end = cel.at_end and queue.at_end
        after = {
            stream: reading.position for stream, reading in ((CEL, cel), (QUEUE, queue)) if reading.position is not None
        }
        if CEL in after and (clock := _read_by(clock_then, clock, at_end=cel.at_end)) is not None:
            after[CLOCK] = clock
        if at_end:
            rows += self._at_end.values()
        skipped = cel.skipped + queue.skipped
        if skipped:
            log.warning("%d records of the journal could not be read; they are skipped", skipped)
        return Batch(rows, after, at_end, skipped, cel.lost or queue.lost)

    def tells(self, positions: Mapping[str, Position]) -> bool:
        """See `source.Source`. A journal that is not there, or empty, may be the wrong one."""
        return CEL in positions and bool(beginning(positions[CEL]))

    def unread(self, positions: Mapping[str, Position]) -> int:
        """See `source.Source`."""
        queue = self._queue.unread(positions.get(QUEUE)) if self._queue else 0
        return self._cel.unread(positions.get(CEL)) + queue

    async def wait(self, timeout: float) -> None:
        """See `source.Source`."""
        await wait_for_news(self._news, self._has_changed, self._poll, timeout)

    def wake(self) -> None:
        """See `source.Source`."""
        self._news.set()

    def release(self, batch: Batch) -> None:
        """The files are Asterisk's and logrotate's; what was noted is told."""
        for row in batch.rows[-AT_END_KINDS:]:
            if self._at_end.get(type(row)) is row:
                del self._at_end[type(row)]
        self._steps.committed(batch.rows)
        if batch.at_end:
            self._clock_noted = None  # Where it was set again unseen, that is told as well.
        last = next((row.at for row in reversed(batch.rows) if isinstance(row, CelRow)), None)
        if last is not None:
            self.begin_after(last)

    def note_alive(self, alive: ChannelsAlive) -> None:
        """Gives it when all rows of the files were read."""
        self._at_end[ChannelsAlive] = alive

    def note_watermark(self, watermark: Watermark) -> None:
        """As `note_alive`; only the youngest counts."""
        self._at_end[Watermark] = watermark

    def note_step(self, step: ClockStep) -> None:
        """Gives it among the rows of the files, after those that were there when it was noted.

        What is to be given at their end was said by the clock of before: it will be said again.
        """
        self._at_end.clear()
        self._steps.note(step, self._cel.end())
        self._clock_noted = self._clock()

    def _has_changed(self) -> bool:
        return bool(self._at_end) or self._cel.has_changed() or (self._queue is not None and self._queue.has_changed())

    def _read_cel(self, position: Position | None, limit: int) -> _Reading:
        reading = _Reading(position)
        while not reading.at_end and len(reading.rows) < limit:
            try:
                chunk = self._cel.read(reading.position)
            except OSError:
                if reading.position == position:
                    raise
                # What stands before is given first.
                return reading
            reading.skipped += chunk.skipped
            if chunk.lost:
                log.error("the CEL journal was cut or replaced before it was read to its end")
                _lose(reading)
            for record, after in chunk.records:
                if len(reading.rows) >= limit:
                    return reading
                reading.rows += self._steps.due(reading.position)
                reading.position = Position(chunk.file_id, after)
                try:
                    row = cel_row(record)
                except ValueError:
                    reading.skipped += 1
                    continue
                if row is not None:
                    reading.rows.append(row)
            _go_on(reading, chunk)
            reading.rows += self._steps.due(reading.position, at_end=reading.at_end)
        return reading

    def _read_queue(self, position: Position | None, cel: _Reading, limit: int) -> _Reading:
        reading = _Reading(position)
        if self._queue is None:
            reading.at_end = True
            return reading
        times = [row.at for row in cel.rows if isinstance(row, CelRow)]
        if not times and not cel.at_end:
            return reading
        self._youngest = max([self._youngest, *times])
        is_set_back = bool(times) and min(times) < self._youngest - LEAST
        until = None if cel.at_end else ((self._youngest + LEAST) if is_set_back else times[-1]) // 1_000_000
        since = min(times) // 1_000_000 - LONGEST_QUEUE_SECONDS if times else None
        most = limit if not times else MOST_FACTS if is_set_back else None
        while not reading.at_end and (most is None or len(reading.rows) < most):
            chunk = self._queue.read(reading.position)
            reading.skipped += chunk.skipped
            if chunk.lost:
                log.error("queue_log was cut or replaced before it was read to its end")
                _lose(reading)
            for line, after in chunk.records:
                second = line_second(line)
                if second is not None and until is not None and second > until:
                    return reading
                if most is not None and len(reading.rows) >= most:
                    return reading
                reading.position = Position(chunk.file_id, after)
                if second is not None and since is not None and second < since:
                    # History from before the CEL journal began: no call of it can be told.
                    continue
                try:
                    row = queue_row(line)
                except ValueError:
                    reading.skipped += 1
                    continue
                if row is not None:
                    reading.rows.append(row)
            _go_on(reading, chunk)
        return reading


def _go_on(reading: _Reading, chunk: Chunk) -> None:
    """Raises: OSError: there is more, but neither a record nor a place to go on: it would be read for ever."""
    if not (chunk.at_end or chunk.records) and chunk.position in (None, reading.position):
        raise OSError("a file of the journal cannot be read on")
    reading.position = chunk.position or reading.position
    reading.at_end = chunk.at_end


def _lose(reading: _Reading) -> None:
    reading.lost = True
    reading.rows.append(Gap(time.time_ns() // 1000))


def _suspected(rows: list[Row]) -> list[Row]:
    """With a step before them, and one in each call that begins: whichever it fell into, that one says so."""
    first = next((row.at for row in rows if isinstance(row, CelRow)), time.time_ns() // 1000)
    suspected: list[Row] = [ClockStep(first)]
    seen: set[str] = set()
    for row in rows:
        suspected.append(row)
        if isinstance(row, CelRow) and row.linked_id not in seen:
            seen.add(row.linked_id)
            suspected.append(ClockStep(row.at))
    return suspected


def _read_by(then: Position | None, now: Position | None, *, at_end: bool) -> Position | None:
    """The clock by which was read to here: a new one only at the end, as what was there may be of the one before."""
    if then is None or (now is not None and now.file_id != then.file_id):
        return now
    return now if was_set(then, now) and at_end else then
