"""How far a long reading is, on standard error: one line that is written over, where somebody looks."""

import os
import stat
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

EVERY_SECONDS = 0.5
EVERY_SECONDS_IN_A_LOG = 30.0


class Progress:
    """Tells nothing of what is done in a moment. `logged`: also where standard error is no terminal."""

    def __init__(self, files: Sequence[BinaryIO], *, logged: bool = False) -> None:
        self._total = _size(files)
        self._terminal = sys.stderr.isatty()
        self._every = EVERY_SECONDS if self._terminal else EVERY_SECONDS_IN_A_LOG
        self._silent = not (self._terminal or logged)
        self._due = time.monotonic() + self._every
        self._shown = 0

    def at(self, bytes_read: int, told: str) -> None:
        if self._silent or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._every
        text = (f"{100 * bytes_read // self._total}% " if self._total else "") + told
        if self._terminal:
            print("\r" + text.ljust(self._shown), end="", file=sys.stderr, flush=True)
            self._shown = len(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Before anything else is written there."""
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def _size(files: Sequence[BinaryIO]) -> int:
    """Of all files together; 0 where one of them is a pipe, whose end nobody knows."""
    total = 0
    for file in files:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return 0
        total += status.st_size
    return total
