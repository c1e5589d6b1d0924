"""`make demo` at a terminal: it stays, and Ctrl-C leaves nothing of it behind."""

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

PATIENCE_SECONDS = 90.0
SHOWN_AT_THE_END = "Ctrl-C stops all of it"


def _session_of(pid: int) -> set[int]:
    """Every process that descends from `pid`, whatever session it moved to."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _lives(pid: int) -> bool:
    """A process that ended and that nobody has asked about yet does not."""
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) != "Z"
    except OSError:
        return False


def _read(terminal: int) -> str:
    """What came within half a second; a terminal whose other end is closed has nothing."""
    try:
        if select.select([terminal], [], [], 0.5)[0]:
            return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        time.sleep(0.1)
    return ""


@pytest.mark.timeout(150)
def test_ctrl_c_stops_all_of_it() -> None:
    # Not below pytest's own directory: the path of Postgres' socket would grow too long.
    scratch = Path(tempfile.mkdtemp(prefix="gw-"))
    scratch.chmod(0o755)
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.demo"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    os.close(theirs)
    shown = ""
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while SHOWN_AT_THE_END not in shown:
            shown += _read(terminal)
            assert process.poll() is None, shown
            assert time.monotonic() < deadline, shown
        family = _session_of(process.pid)
        assert len(family) > 6, "Asterisk, five phones and the gateway"
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 30
        while process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            shown += _read(terminal)
        assert process.returncode == 0, shown
        deadline = time.monotonic() + 10
        while left := {pid for pid in family if _lives(pid)}:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
        assert list(scratch.glob("gateway-demo-*")) == []
        assert "FAILED" not in shown
        assert "curl" in shown
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(terminal)
        shutil.rmtree(scratch, ignore_errors=True)
