"""One spool, one writer: gateways that share a data directory each have a spool of their own in it."""

import fcntl
import itertools
import os
from pathlib import Path
from types import TracebackType

LOCK = "lock"


class SpoolDirectory:
    """`with SpoolDirectory(data_dir / "spool") as path:` is that directory, or `spool-2`, `spool-3` …: the
    first that no other process uses. The kernel gives it back when we end, however we do.
    """

    def __init__(self, first: Path) -> None:
        self._first = first
        self._descriptor: int | None = None

    def __enter__(self) -> Path:
        for number in itertools.count(1):
            path = self._first if number == 1 else self._first.with_name(f"{self._first.name}-{number}")
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            return path
        raise AssertionError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
