"""`make verify-main-job`: the main job shown on a fresh clone, in an empty home with no cache.

Clones the commit that is checked out, runs the demo cold, warm and with the journal, every test,
and the measurement of placing a call. Exit status 0 only if all of it holds; the last line is
one JSON object with the figures.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent
MOST_MS_MORE = 10.0
RUN_SECONDS = 3600
NOT_INHERITED = ("XDG_CACHE_HOME", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
"""What would let the clone's make know that it runs below ours, or find our caches."""


class Failed(Exception):
    """A step did not succeed."""


def run(step: str, command: list[str], directory: Path, environment: Mapping[str, str]) -> tuple[float, str]:
    """Seconds it took, and what it printed; progress goes to standard error."""
    print(f"== {step}: {' '.join(command)}", file=sys.stderr, flush=True)
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=dict(environment),
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
    if process.wait(RUN_SECONDS) != 0:
        raise Failed(f"{step}: exit status {process.returncode}")
    return round(time.monotonic() - began, 1), "".join(lines)


def last_json(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


def passed(output: str) -> int:
    match = re.search(r"(\d+) passed", output)
    if not match or re.search(r"\d+ (failed|error|skipped|xfailed)", output.strip().splitlines()[-1]):
        raise Failed("the tests did not all run and pass")
    return int(match[1])


def main() -> int:
    scratch = Path(tempfile.mkdtemp(prefix="gateway-verify-"))
    clone, home = scratch / "clone", scratch / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {"HOME": str(home), "PIP_NO_CACHE_DIR": "1"}
    try:
        run("fresh clone", ["git", "clone", "--quiet", str(PROJECT), str(clone)], scratch, environment)
        cold, output = run("demo, cold", ["make", "demo", "ONCE=1"], clone, environment)
        ami = last_json(output)
        warm, _ = run("demo, warm", ["make", "demo", "ONCE=1"], clone, environment)
        _, output = run("demo, journal", ["make", "demo", "ONCE=1", "JOURNAL=1"], clone, environment)
        journal = last_json(output)
        bench, output = run("measurement", [".venv/bin/python", "-m", "bench.post_to_invite"], clone, environment)
        placing = last_json(output)
        tests, output = run("tests", ["make", "test"], clone, environment)
        figures = {
            "demo_cold_seconds": cold,
            "demo_warm_seconds": warm,
            "test_warm_seconds": tests,
            "bench_seconds": bench,
            "tests_passed": passed(output),
            "placing": placing,
            "placing_within_aim": placing["more_ms"] <= MOST_MS_MORE,
            "demo_ami": _summary(ami),
            "demo_journal": _summary(journal),
        }
    except (Failed, subprocess.SubprocessError, ValueError) as error:
        print(f"verify-main-job: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(figures))
    return 0


def _summary(demo: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"outcome": demo[name]["outcome"], "attempts": [a["result"] for a in demo[name]["attempts"]]}
        for name in ("click_to_call", "inbound")
    }


if __name__ == "__main__":
    sys.exit(main())
