"""A disk that is full: a small file system in memory where we may mount one, else a limit for files."""

import contextlib
import errno
import os
import subprocess
from pathlib import Path

BLOCK = bytes(1 << 16)


class Disk:
    """Mounted at `place` while it is open; `mounted` is false where that is not permitted."""

    def __init__(self, place: Path, megabytes: int) -> None:
        self.place = place
        self._megabytes = megabytes
        self.mounted = False

    def open(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        options = f"size={self._megabytes}m,mode=755"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(self.place)], capture_output=True, check=False
        )
        self.mounted = done.returncode == 0

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.place)], capture_output=True, check=False)

    def fill(self) -> None:
        """Nothing more can be written, to the last byte."""
        if not self.mounted:
            return
        descriptor = os.open(self.place / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            block = BLOCK
            while block:
                try:
                    os.write(descriptor, block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    block = block[: len(block) // 2]
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.place / "ballast").unlink()
