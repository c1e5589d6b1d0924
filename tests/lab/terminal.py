"""A command at a terminal of its own: what it shows, its Ctrl-C, and every process that came of it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 0.02
CTRL_C = b"\x03"


class Terminal:
    """`with Terminal(command, scratch) as terminal:`; what is left when the block ends is killed.

    `scratch`: the command's TMPDIR, by which its processes are known.
    """

    def __init__(self, command: Sequence[str], scratch: Path, environment: Mapping[str, str] | None = None) -> None:
        self.shown = ""
        self._command = command
        self._mark = f"TMPDIR={scratch}".encode()
        self._environment = {**os.environ, **(environment or {}), "TMPDIR": str(scratch)}
        self._process: subprocess.Popen[bytes] | None = None
        self._ours = -1

    def __enter__(self) -> "Terminal":
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            self._command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env=self._environment,
        )
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._ours)

    def wait_until(self, so: Callable[[], bool], what: str) -> None:
        """Show on until it is so, while the command runs."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not so():
            assert self._process.poll() is None, f"ended before {what}: {self.shown}"
            assert time.monotonic() < deadline, f"never {what}: {self.shown}"
            self._read()

    def press_ctrl_c(self) -> None:
        os.write(self._ours, CTRL_C)

    def status(self) -> int:
        """The command's exit status, once it has ended."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.commands()}, {self.shown}"
            self._read()
        self._read()
        return self._process.returncode

    def processes(self) -> dict[int, str]:
        """The command lines of all that came of the command and lives, whatever session or parent it has now."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                # A process that ended and that nobody has asked about yet has no environment any more.
                with contextlib.suppress(OSError):
                    if self._mark in (entry / "environ").read_bytes().split(b"\0"):
                        line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                        found[int(entry.name)] = line.decode(errors="replace").strip()
        return found

    def commands(self) -> str:
        """All their command lines, a line each."""
        return "\n".join(self.processes().values())

    def _read(self) -> None:
        """What comes now; a terminal whose other end is closed has nothing."""
        try:
            if select.select([self._ours], [], [], LOOK_SECONDS)[0]:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:
            time.sleep(LOOK_SECONDS)


def _take_terminal() -> None:
    """Have Ctrl-C of the terminal on standard input go to this process, and what it starts."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
