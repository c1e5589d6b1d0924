"""Processes of the lab: none outlives the one that started it."""

import asyncio
import ctypes
import signal
from collections.abc import Mapping
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies (Linux, prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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
