"""One growing file, followed through rotation, truncation and restarts by what it is, not by its name.

A file is known by its inode and by its beginning: an inode alone is given to another file once
this one is deleted, and device numbers change over a reboot. Rotated files are looked for in
the same directory, under names that begin with the file's own; one that was packed before it
was read to its end is known by its beginning alone, and read on in the packed one.
"""

import contextlib
import hashlib
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.asterisk.packed import NOT_READ, UNREADABLE, Unpacking, is_damage, is_packed, opened
from gateway.asterisk.source import Position
from gateway.calls.rows import Instant

log = logging.getLogger(__name__)

READ_BYTES = 1 << 20
MAX_RECORD_BYTES = 1 << 16
HEAD_BYTES = 64
ROTATION_GRACE_SECONDS = 1.0
WRITTEN_LATE = 10_000_000
"""Microseconds: by so much the time of a file may be before that of its last record, packed by what tool ever."""

LOOKS = 3
"""A file that is renamed between being listed and being opened or read is found at the next look."""

_TIME = re.compile(rb"(?<!\d)\d{9,11}(?:\.\d{6})?(?!\d)")
"""Seconds since 1970, as both of Asterisk's files have them at the beginning of a line."""


@dataclass(slots=True)
class Chunk:
    """What one look at the file gave.

    `records`: each with its offset after it. `lost`: bytes that were there are gone unread. `torn`: the file
    ends within a record.
    """

    records: list[tuple[bytes, int]]
    file_id: str
    offset: int
    at_end: bool
    lost: bool = False
    skipped: int = 0
    torn: bool = False

    @property
    def position(self) -> Position | None:
        return Position(self.file_id, self.offset) if self.file_id else None


class Tail:
    """Reads complete records from a file that another program appends to.

    Args:
        path: the file's name while it is being written; it may not exist yet.
        record_start: if given, a quote opened in a line is closed in a later one (CSV), and this
            says where a record begins, to go on after a torn one.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        record_start: re.Pattern[bytes] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._record_start = record_start
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._packed = Unpacking()
        self._since: Instant | None = None

    def begin_after(self, at: Instant) -> None:
        """Reading from no position, or from one whose file is gone, begins with the oldest written after `at`."""
        self._since = at

    def read(self, position: Position | None) -> Chunk:
        """At most READ_BYTES from `position` on (None: from the file's beginning), never across files.

        When a file that was rotated away is finished, the chunk is empty and its position is the
        beginning of the next file, with `at_end` false.

        Raises:
            OSError: the file to be read, or the one that follows, is there and cannot be opened.
        """
        self._seen = self._state()
        for _ in range(LOOKS - 1):
            with contextlib.suppress(FileNotFoundError):
                return self._look(position)
        return self._look(position)

    def _look(self, position: Position | None) -> Chunk:
        """As `read`. Raises: FileNotFoundError: files were renamed meanwhile."""
        if position is None:
            return self._begun(self._first(), lost=False) or self._read_path(self._path, 0, lost=False)
        path = next((found for _ in range(LOOKS) if (found := self._find(position))), None)
        if path is None:
            if self._seen is None:
                return Chunk([], position.file_id, position.byte_offset, at_end=True)
            lost = position.byte_offset > 0
            return self._begun(self._first(), lost=lost) or self._read_path(self._path, 0, lost=lost)
        if not is_packed(path):
            self._packed.close()
        # Asked before reading: once there is a next file with something in it, this one is complete.
        following = self._following(path)
        chunk = self._read_path(path, position.byte_offset, lost=False)
        if not _is_of(position, chunk.file_id):
            raise FileNotFoundError(path)
        if not following or not chunk.at_end:
            return chunk
        if chunk.records:
            chunk.at_end = False
            return chunk
        if self._following(path) != following:
            raise FileNotFoundError(path)
        lost = is_packed(path) and self._packed.broken
        return self._begun(following, lost=lost, torn=chunk.torn) or chunk

    def _begun(self, paths: list[Path], *, lost: bool, torn: bool = False) -> Chunk | None:
        """The beginning of the first of these that can be read at all; None if there is none.

        Raises: OSError: it cannot be opened.
        """
        for path in paths:
            try:
                identity = _identified(path)
            except FileNotFoundError:
                raise
            except OSError:
                if _is_being_packed(path):
                    continue
                raise
            if identity is not None:
                return Chunk([], identity, 0, at_end=False, lost=lost, skipped=int(torn))
            lost |= not _is_being_packed(path)
        return None

    def _first(self) -> list[Path]:
        """The files to begin with, in order; none: with the one that is being written."""
        if self._since is None:
            return []
        since, head = (self._since - WRITTEN_LATE) * 1000, _head(self._path)
        found = [
            (path, status)
            for path, status in self._siblings()
            # Of the one that is being written a copy may be there.
            if status.st_size
            and status.st_mtime_ns >= since
            and (path == self._path or not head or _head(path) != head)
        ]
        return [path for _, path, _ in self._in_order(found)]

    def unread(self, position: Position | None) -> int:
        """About how many bytes come after it: of packed files those that they take as such."""
        path = None if position is None else self._find(position)
        if path is None:
            path, position = next(iter(self._first()), self._path), None
        try:
            here = os.stat(path).st_size
            if position is not None and not is_packed(path):
                here -= position.byte_offset
            return max(0, here) + sum(status.st_size for _, status in self._later(path))
        except FileNotFoundError:
            return 0

    def end(self) -> Position | None:
        """Of all that was written, which is in the last file that was rotated while there is no line in the next.

        None where there is none. The bytes of a packed file are not counted; its end is after them all.
        """
        try:
            rotated = self._in_order([(path, status) for path, status in self._siblings() if path != self._path])
            for path in (self._path, *(path for _, path, _ in reversed(rotated))):
                identity = _identify(path)
                if identity is not None and not identity.endswith(":"):
                    return Position(identity, sys.maxsize if is_packed(path) else os.stat(path).st_size)
        except OSError:
            pass
        return None

    def has_changed(self) -> bool:
        """Whether the file is another or has another size than at the last read."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_size

    def _find(self, position: Position) -> Path | None:
        """The file of this position: by inode and beginning, else by beginning alone (a copy, or a packed one)."""
        inode, _, head = position.file_id.partition(":")
        copies: list[Path] = []
        for path in (self._path, *(path for path, _ in self._siblings())):
            try:
                identity = _identified(path)
            except FileNotFoundError:
                continue
            except OSError:
                if _inode(path) == inode:
                    raise
                continue
            if identity is None:
                continue
            own_inode, _, own_head = identity.partition(":")
            if head and own_head != head:
                continue
            if own_inode == inode and self._reaches(path, position.byte_offset):
                return path
            if head and own_inode != inode:
                copies.append(path)
        # One that is being packed is still there as it was.
        return next((path for path in sorted(copies, key=is_packed) if self._reaches(path, position.byte_offset)), None)

    def _reaches(self, path: Path, offset: int) -> bool:
        if is_packed(path):
            return self._packed.reaches(path, offset)
        try:
            return path.stat().st_size >= offset
        except FileNotFoundError:
            return False

    def _siblings(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            names = os.listdir(self._path.parent)
        except FileNotFoundError:
            return []
        for name in names:
            if not name.startswith(self._path.name) or name.endswith(NOT_READ):
                continue
            path = self._path.parent / name
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((path, status))
        return found

    def _following(self, path: Path) -> list[Path]:
        """The files that were written after `path`, in order; none while `path` may still grow."""
        if path == self._path:
            return []
        if later := self._later(path):
            return [other for other, _ in later]
        own = os.stat(path)
        # An empty new file: a writer may have had the old one open when it was renamed.
        renamed_ago = self._clock() - own.st_ctime
        return [self._path] if renamed_ago > ROTATION_GRACE_SECONDS and self._path.exists() else []

    def _later(self, path: Path) -> list[tuple[Path, os.stat_result]]:
        """Files in which there is something, in the order in which they were written after `path`."""
        if path == self._path:
            return []
        own, head = os.stat(path), _head(path)
        written = _written(path, own)
        # The same, copied or packed, is not what follows it.
        others = [
            (other, status)
            for other, status in self._siblings()
            if status.st_ino != own.st_ino and status.st_size > 0 and not (head and _head(other) == head)
        ]
        return [
            (other, status)
            for when, other, status in self._in_order(others)
            if (when > written if when[0] else when[1] > own.st_mtime_ns)
        ]

    def _in_order(self, files: list[tuple[Path, os.stat_result]]) -> list[tuple[tuple[int, int], Path, os.stat_result]]:
        """As they were written, each with `_written`."""
        dated = [
            (_written(path, status, last=path == self._path), path == self._path, path, status)
            for path, status in files
        ]
        return [(when, path, status) for when, _, path, status in sorted(dated, key=lambda one: one[:3])]

    def _read_path(self, path: Path, offset: int, *, lost: bool) -> Chunk:
        try:
            if is_packed(path):
                identity, data = _identify(path) or "", self._packed.read(path, offset, READ_BYTES)
            else:
                with open(path, "rb") as file:
                    identity = _identity(os.fstat(file.fileno()).st_ino, file.read(HEAD_BYTES))
                    file.seek(offset)
                    data = file.read(READ_BYTES)
        except FileNotFoundError:
            return Chunk([], "", 0, at_end=True, lost=lost)
        records, consumed, skipped = self._records(data, offset)
        full = len(data) == READ_BYTES
        if not consumed and full:
            consumed, skipped = len(data), skipped + 1
        return Chunk(records, identity, offset + consumed, not full, lost, skipped, torn=consumed < len(data))

    def _records(self, data: bytes, offset: int) -> tuple[list[tuple[bytes, int]], int, int]:
        """Complete records with the offsets after them, the bytes consumed, records given up."""
        records: list[tuple[bytes, int]] = []
        *lines, _ = data.split(b"\n")
        consumed = end = skipped = 0
        open_record = b""
        for line in lines:
            end += len(line) + 1
            if open_record:
                if self._begins_record(line) or len(open_record) > MAX_RECORD_BYTES:
                    skipped += 1
                    open_record = b""
                else:
                    line = open_record + b"\n" + line
            if self._record_start is not None and line.count(b'"') % 2:
                open_record = line
                continue
            open_record = b""
            records.append((line.strip(b"\0\r"), offset + end))
            consumed = end
        return records, consumed, skipped

    def _begins_record(self, line: bytes) -> bool:
        return self._record_start is not None and self._record_start.match(line) is not None


def _identified(path: Path) -> str | None:
    """None: it is an archive that is damaged, or still being packed. Raises: OSError: it cannot be opened."""
    try:
        with opened(path) as file:
            return _identity(os.fstat(file.fileno()).st_ino, file.read(HEAD_BYTES))
    except UNREADABLE as error:
        if is_damage(error):
            return None
        raise


def _identify(path: Path) -> str | None:
    try:
        return _identified(path)
    except OSError:
        return None


def _inode(path: Path) -> str | None:
    try:
        return str(os.stat(path).st_ino)
    except OSError:
        return None


def _is_being_packed(path: Path) -> bool:
    """Whether it is an archive, and what it is made of is still there."""
    return is_packed(path) and path.with_suffix("").exists()


def _written(path: Path, status: os.stat_result, *, last: bool = False) -> tuple[int, int]:
    """When its first record was, and when it was written last: rotated files are in this order, however packed.

    The first is 0 if it cannot be opened: it comes before those that can, so that none is passed over; but not the
    file that is known to be the `last`.
    """
    began = status.st_mtime_ns // 1000
    try:
        with opened(path) as file:
            if found := _TIME.search(file.read(HEAD_BYTES).partition(b"\n")[0]):
                began = int(float(found[0]) * 1_000_000)
    except UNREADABLE as error:
        if not (last or is_damage(error)):
            began = 0
    return began, status.st_mtime_ns


def beginning(position: Position) -> str:
    """What tells the file of this position from others, however it is packed; "" while no line of it is whole."""
    return position.file_id.partition(":")[2]


def _is_of(position: Position, identity: str) -> bool:
    inode, _, head = position.file_id.partition(":")
    own_inode, _, own_head = identity.partition(":")
    return own_head == head if head else own_inode == inode


def _head(path: Path) -> str:
    return (_identify(path) or "").partition(":")[2]


def _identity(inode: int, head: bytes) -> str:
    """`inode:hash of the beginning`; without the hash while the file is shorter than that."""
    line, newline, _ = head.partition(b"\n")
    if not newline and len(head) < HEAD_BYTES:
        return f"{inode}:"
    return f"{inode}:{hashlib.blake2b(line, digest_size=8).hexdigest()}"
