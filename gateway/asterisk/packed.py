"""Files as log rotation packs them, read as they were before."""

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

OPEN: Mapping[str, Callable[[Path], object]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
NOT_READ = (".zst", ".lz4")
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What a file raises that is gone, is no such file, or is cut off: while it is still being packed, say."""


def is_packed(path: Path) -> bool:
    return path.suffix in OPEN


def is_damage(error: Exception) -> bool:
    """Whether one of UNREADABLE is of what is in the file, not of the file system."""
    return not isinstance(error, OSError) or error.errno is None


def opened(path: Path) -> BinaryIO:
    """What the file holds, packed or not. Raises: UNREADABLE, also in reading."""
    if is_packed(path):
        return cast(BinaryIO, OPEN[path.suffix](path))
    return open(path, "rb")


class Unpacking:
    """The packed file that is being read, held open: to come back to a place in it is to unpack all before.

    `broken`: it cannot be read further than the last read did.
    """

    def __init__(self) -> None:
        self.broken = False
        self._inode = 0
        self._file: io.BufferedIOBase | None = None

    def reaches(self, path: Path, offset: int) -> bool:
        """Whether it holds so many bytes."""
        try:
            return self._at(path).seek(offset) == offset
        except UNREADABLE:
            self.close()
            return False

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at its end, or where it is broken. Raises: FileNotFoundError."""
        data, self.broken = bytearray(), False
        file = self._at(path)
        try:
            file.seek(offset)
            while len(data) < size and (piece := file.read1(size - len(data))):
                data += piece
        except UNREADABLE:
            self.broken = True
            self.close()
        return bytes(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _at(self, path: Path) -> io.BufferedIOBase:
        inode = os.stat(path).st_ino
        if self._file is None or self._inode != inode:
            self.close()
            self._file, self._inode = cast(io.BufferedIOBase, opened(path)), inode
        return self._file
