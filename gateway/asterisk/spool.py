"""The gateway's own record of what AMI told: files `spool-<number>.jsonl`, one row a line.

The listener appends, ingest reads behind it; so reading AMI never waits for Postgres. Numbers
only grow, also over restarts. A writer never goes on in a file that another one began: a line
torn by a crash stays the last of its file, and is skipped once there is a next file.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from gateway.asterisk.source import Batch, Position, wait_for_news
from gateway.calls.row_json import row_from_json, row_to_json
from gateway.calls.rows import ChannelsAlive, ClockStep, Gap, Instant, Row, Watermark

log = logging.getLogger(__name__)

STREAM = "spool"
FILE_BYTES = 16 << 20
READ_BYTES = 1 << 20
POLL_SECONDS = 0.05

_NAME = re.compile(r"spool-(\d{20})\.jsonl")


def _path(directory: Path, number: int) -> Path:
    return directory / f"spool-{number:020d}.jsonl"


def _numbers(directory: Path) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(int(match[1]) for name in os.listdir(directory) if (match := _NAME.fullmatch(name)))
    return []


def now() -> Instant:
    """This machine's clock."""
    return time.time_ns() // 1000


class SpoolWriter:
    """Appends rows. Nothing it does raises into the reader of AMI: what a full disk loses is told
    by a Gap row as soon as writing works again.
    """

    def __init__(self, directory: Path, file_bytes: int = FILE_BYTES) -> None:
        self._directory = directory
        self._file_bytes = file_bytes
        self._descriptor: int | None = None
        self._written = 0
        self._number = 0
        self.rows_lost = 0
        self._gap_owed = False
        directory.mkdir(parents=True, exist_ok=True)

    def append(self, row: Row) -> bool:
        """Whether the row is in the file."""
        try:
            if self._gap_owed:
                self._write(Gap(now()))
                self._gap_owed = False
            self._write(row)
        except (OSError, UnicodeEncodeError) as error:
            self._leave_file()
            if isinstance(row, Watermark):
                return False  # The next one says more; nothing of Asterisk's is lost.
            if not self._gap_owed:
                log.error("the spool cannot be written: %s; rows are lost until it can", type(error).__name__)
            self.rows_lost += 1
            self._gap_owed = True
            return False
        return True

    def close(self) -> None:
        """Leaves the current file; a later append begins a new one."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
        self._leave_file()

    def _write(self, row: Row) -> None:
        line = row_to_json(row).encode("utf-8") + b"\n"
        if self._descriptor is None or self._written >= self._file_bytes:
            self._begin_file()
        assert self._descriptor is not None
        written = os.write(self._descriptor, line)
        self._written += written
        if written != len(line):
            raise OSError("a line was written in part only")

    def _begin_file(self) -> None:
        self.close()
        existing = _numbers(self._directory)
        # Dated by the clock, so that numbers grow even after the directory was emptied.
        self._number = max(now(), self._number + 1, existing[-1] + 1 if existing else 0)
        path = _path(self._directory, self._number)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._written = 0

    def _leave_file(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None


class SpoolSource:
    """Reads what a SpoolWriter of this or another process wrote."""

    streams = (STREAM,)

    def __init__(self, directory: Path, poll_seconds: float = POLL_SECONDS) -> None:
        self._directory = directory
        self._poll = poll_seconds
        self._news = asyncio.Event()
        self._seen: tuple[int, int] | None = None

    def begin_after(self, at: Instant) -> None:
        """It is short; all of it is given."""

    async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:  # noqa: ARG002
        """See `source.Source`."""
        position = positions.get(STREAM)
        number, offset = (int(position.file_id), position.byte_offset) if position else (0, 0)
        rows: list[Row] = []
        skipped = 0
        while True:
            # Listed before reading: if a next file is there, this one is complete.
            later = [n for n in _numbers(self._directory) if n > number]
            data = self._read_file(number, offset)
            lines, rest = _complete_lines(data)
            taken = lines[: max(limit - len(rows), 0)]
            for line in taken:
                try:
                    rows.append(row_from_json(line))
                except ValueError:
                    skipped += 1
                    log.warning("a line of the spool is no row; it is skipped")
                offset += len(line) + 1
            at_end_of_file = len(taken) == len(lines) and len(data) < READ_BYTES
            if len(rows) >= limit or (at_end_of_file and not later):
                break
            if at_end_of_file:
                skipped += bool(rest)
                number, offset = later[0], 0
            elif not lines:
                # No row is this long: what stands here is not ours.
                offset += len(data)
                skipped += 1
        self._seen = (number, offset)
        at_end = at_end_of_file and not later
        after = {STREAM: Position(str(number), offset)} if number else {}
        return Batch(rows, after, at_end, skipped)

    def tells(self, positions: Mapping[str, Position]) -> bool:
        """See `source.Source`. It begins with what was not heard."""
        return STREAM in positions

    def unread(self, positions: Mapping[str, Position]) -> int:
        """See `source.Source`."""
        position = positions.get(STREAM)
        number, offset = (int(position.file_id), position.byte_offset) if position else (0, 0)
        total = 0
        for one in _numbers(self._directory):
            if one >= number:
                with contextlib.suppress(FileNotFoundError):
                    total += _path(self._directory, one).stat().st_size - (offset if one == number else 0)
        return total

    async def wait(self, timeout: float) -> None:
        """See `source.Source`. Polls beside, since the writer may be another process."""
        await wait_for_news(self._news, self._has_grown, self._poll, timeout)

    def wake(self) -> None:
        """See `source.Source`."""
        self._news.set()

    def release(self, batch: Batch) -> None:
        """Deletes the files before the one that is being read."""
        if STREAM in batch.positions:
            self.forget_until(batch.positions[STREAM])

    def holds(self, position: Position) -> bool:
        """Whether it is of this spool, and not of another gateway's."""
        return position.file_id.isdecimal() and _path(self._directory, int(position.file_id)).exists()

    def find(self, row: str, since: Position | None = None) -> Position | None:
        """The place after the last line that is `row`, as `row_to_json` gave it, in what comes after `since`."""
        line = b"\n" + row.encode("utf-8") + b"\n"
        first, skipped = (int(since.file_id), since.byte_offset) if since else (0, 0)
        for number in reversed([n for n in _numbers(self._directory) if n >= first]):
            with contextlib.suppress(FileNotFoundError):
                data = b"\n" + _path(self._directory, number).read_bytes()[skipped if number == first else 0 :]
                if (at := data.rfind(line)) >= 0:
                    return Position(str(number), at + len(line) - 1 + (skipped if number == first else 0))
        return None

    def forget_until(self, position: Position) -> None:
        """Deletes the files before the one of this position."""
        for number in _numbers(self._directory):
            if number < int(position.file_id):
                with contextlib.suppress(FileNotFoundError):
                    _path(self._directory, number).unlink()

    def forget_before(self, at: Instant) -> None:
        """Deletes files in which nothing was written at or after `at`, by this machine's clock."""
        numbers = _numbers(self._directory)
        for number, next_one in itertools.pairwise(numbers):
            if next_one < at:
                with contextlib.suppress(FileNotFoundError):
                    _path(self._directory, number).unlink()

    def note_alive(self, alive: ChannelsAlive) -> None:
        """The listener writes it into the spool, where it has its place among the rows."""

    def note_step(self, step: ClockStep) -> None:
        """As `note_alive`."""

    def note_watermark(self, watermark: Watermark) -> None:
        """As `note_alive`."""

    def _has_grown(self) -> bool:
        if self._seen is None:
            return True
        number, offset = self._seen
        numbers = _numbers(self._directory)
        if numbers and numbers[-1] > number:
            return True
        try:
            return _path(self._directory, number).stat().st_size > offset
        except FileNotFoundError:
            return False

    def _read_file(self, number: int, offset: int) -> bytes:
        try:
            with open(_path(self._directory, number), "rb") as file:
                file.seek(offset)
                return file.read(READ_BYTES)
        except FileNotFoundError:
            return b""


def _complete_lines(data: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = data.split(b"\n")
    return lines, rest
