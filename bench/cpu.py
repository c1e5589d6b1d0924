"""The processor's time that processes have taken, from the kernel (Linux, proc(5))."""

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
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return cpu_of(postmaster, with_ended_children=True) + sum(cpu_of(int(child)) for child in children)
