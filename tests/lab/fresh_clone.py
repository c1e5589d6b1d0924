"""What is checked out, cloned into a scratch directory beside an empty home, and commands run in it.

Whoever verifies there sees what somebody sees who has just got the project.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 3600
NOT_INHERITED = ("XDG_CACHE_HOME", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
"""What would let the clone's make know that it runs below ours, or find our caches."""


class Failed(Exception):
    """A step did not succeed."""


@dataclass(frozen=True)
class Clone:
    directory: Path
    environment: Mapping[str, str]

    def run(self, step: str, *command: str) -> tuple[float, str]:
        """Seconds it took, and what it printed; progress goes to standard error.

        Raises:
            Failed: it ended with another exit status than 0.
        """
        seconds, status, output = self.try_to_run(step, *command)
        if status != 0:
            raise Failed(f"{step}: exit status {status}")
        return seconds, output

    def try_to_run(self, step: str, *command: str) -> tuple[float, int, str]:
        """As `run`, with the exit status instead of an error."""
        print(f"== {step}: {' '.join(command)}", file=sys.stderr, flush=True)
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            sys.stderr.write(line)
        status = process.wait(RUN_SECONDS)
        return round(time.monotonic() - began, 1), status, "".join(lines)


@contextmanager
def fresh_clone() -> Iterator[Clone]:
    scratch = Path(tempfile.mkdtemp(prefix="gateway-verify-"))
    home = scratch / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {"HOME": str(home), "PIP_NO_CACHE_DIR": "1"}
    try:
        Clone(scratch, environment).run("fresh clone", "git", "clone", "--quiet", str(PROJECT), "clone")
        yield Clone(scratch / "clone", environment)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def last_json(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


def passed(output: str) -> int:
    """How many tests passed.

    Raises:
        Failed: some failed, were skipped, or are known to fail.
    """
    match = re.search(r"(\d+) passed", output)
    if not match or re.search(r"\d+ (failed|error|skipped|xfailed|xpassed)", output.strip().splitlines()[-1]):
        raise Failed("the tests did not all run and pass")
    return int(match[1])
