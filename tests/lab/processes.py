"""Processes of the lab: none outlives the one that started it."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
URGENT = -10
"""Of setpriority(2)."""


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies (Linux, prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def before_others() -> None:
    """As `die_with_parent`; and on a busy machine it goes first: its clock is what records are held against."""
    die_with_parent()
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, URGENT)


@dataclass(frozen=True, slots=True)
class Finished:
    status: int
    output: str
    errors: str


async def finished(*command: str, environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end, out of the reach of the terminal's Ctrl-C; to be cancelled ends the command."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        preexec_fn=die_with_parent,
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Finished(process.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))
