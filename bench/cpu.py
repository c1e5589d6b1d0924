"""The processor's time that processes have taken, from the kernel (Linux, proc(5))."""

import contextlib
import os
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int, *, with_ended_children: bool = False) -> float:
    """Seconds, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if with_ended_children else 13]) / TICKS


def cpu_of_postgres(server: Any) -> float:
    """Seconds, of an embedded Postgres and its sessions, those that ended too."""
    postmaster = server.get_postmaster_info().pid
    while True:
        children = _children(postmaster)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            seconds = cpu_of(postmaster, with_ended_children=True) + sum(map(cpu_of, children))
            # One that ended meanwhile would be missing in the sum, or be in it twice.
            if _children(postmaster) == children:
                return seconds


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
