"""One growing file, followed through rotation, truncation and restarts by what it is, not by its name.

A file is known by its inode and by its beginning: an inode alone is given to another file once
this one is deleted, and device numbers change over a reboot. Rotated files are looked for in
the same directory, under names that begin with the file's own.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.asterisk.source import Position

log = logging.getLogger(__name__)

READ_BYTES = 1 << 20
MAX_RECORD_BYTES = 1 << 16
HEAD_BYTES = 64
ROTATION_GRACE_SECONDS = 1.0
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4")


@dataclass(slots=True)
class Chunk:
    """What one look at the file gave.

    `records`: each with its offset after it. `lost`: bytes that were there are gone unread.
    """

    records: list[tuple[bytes, int]]
    file_id: str
    offset: int
    at_end: bool
    lost: bool = False
    skipped: int = 0

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

    def read(self, position: Position | None) -> Chunk:
        """At most READ_BYTES from `position` on (None: from the file's beginning), never across files.

        When a file that was rotated away is finished, the chunk is empty and its position is the
        beginning of the next file, with `at_end` false.
        """
        self._seen = self._state()
        if position is None:
            return self._read_path(self._path, 0, lost=False)
        found = self._find(position)
        if found is None:
            if self._seen is None:
                return Chunk([], position.file_id, position.byte_offset, at_end=True)
            return self._read_path(self._path, 0, lost=position.byte_offset > 0)
        path, size = found
        # Asked before reading: once there is a next file with something in it, this one is complete.
        following = self._following(path)
        chunk = self._read_path(path, position.byte_offset, lost=False)
        if following is None or not chunk.at_end:
            return chunk
        if chunk.records:
            chunk.at_end = False
            return chunk
        torn = size > chunk.offset
        return Chunk([], _identify(following) or "", 0, at_end=False, skipped=int(torn))

    def has_changed(self) -> bool:
        """Whether the file is another or has another size than at the last read."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_size

    def _find(self, position: Position) -> tuple[Path, int] | None:
        """The file of this position: by inode and beginning, else by beginning alone (a copy)."""
        inode, _, head = position.file_id.partition(":")
        copy: tuple[Path, int] | None = None
        for path in (self._path, *(path for path, _ in self._siblings())):
            identity = _identify(path)
            if identity is None:
                continue
            own_inode, _, own_head = identity.partition(":")
            size = path.stat().st_size
            if (head and own_head != head) or size < position.byte_offset:
                continue
            if own_inode == inode:
                return path, size
            copy = copy or ((path, size) if head else None)
        return copy

    def _siblings(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            names = os.listdir(self._path.parent)
        except FileNotFoundError:
            return []
        for name in names:
            if not name.startswith(self._path.name) or name.endswith(_COMPRESSED):
                continue
            path = self._path.parent / name
            try:
                found.append((path, os.stat(path)))
            except FileNotFoundError:
                continue
        return found

    def _following(self, path: Path) -> Path | None:
        """The file that was written after `path`; None while `path` may still grow."""
        if path == self._path:
            return None
        own = os.stat(path)
        later = [
            (status.st_mtime_ns, other == self._path, other)
            for other, status in self._siblings()
            if status.st_ino != own.st_ino and status.st_size > 0 and status.st_mtime_ns >= own.st_mtime_ns
        ]
        if later:
            return min(later)[2]
        # An empty new file: a writer may have had the old one open when it was renamed.
        renamed_ago = self._clock() - own.st_ctime
        return self._path if renamed_ago > ROTATION_GRACE_SECONDS and self._path.exists() else None

    def _read_path(self, path: Path, offset: int, *, lost: bool) -> Chunk:
        try:
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
        return Chunk(records, identity, offset + consumed, not full, lost, skipped)

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


def _identify(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return _identity(os.fstat(file.fileno()).st_ino, file.read(HEAD_BYTES))
    except OSError:
        return None


def _identity(inode: int, head: bytes) -> str:
    """`inode:hash of the beginning`; without the hash while the file is shorter than that."""
    line, newline, _ = head.partition(b"\n")
    if not newline and len(head) < HEAD_BYTES:
        return f"{inode}:"
    return f"{inode}:{hashlib.blake2b(line, digest_size=8).hexdigest()}"
