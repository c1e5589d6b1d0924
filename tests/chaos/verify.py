"""`make verify-durability`: nothing lost, nothing twice, whatever dies, shown on a fresh clone in an empty home.

Three seeds with the journal and over AMI, 2 000 calls and more than 60 faults each; gateways that lack a safeguard,
each of which a run must catch; and how fast rows are taken in. Exit status 0 only if all of it holds; the last line
is one JSON object with the figures.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.lab.fresh_clone import Clone, Failed, fresh_clone, last_json

SEEDS = (1, 2, 3)
MODES = ("journal", "ami")
CALLS = int(os.environ.get("CHAOS_CALLS", "2000"))
LEAST_FAULTS = 60
BROKEN_CALLS = 150
BROKEN_FAULTS = 16
BROKEN: Mapping[str, tuple[str, ...]] = {
    "idempotence": ("started_or_ended_not_once", "doubled"),
    "fence": ("started_or_ended_not_once", "doubled", "sequence_holes"),
    "reserve": ("dialled_twice",),
}
"""By safeguard that is taken out: any of what must be found then."""

PYTHON = ".venv/bin/python"


def main() -> int:
    try:
        with fresh_clone() as clone:
            clone.run("set up", "make", "setup")
            runs = [_chaos(clone, mode, seed) for mode in MODES for seed in SEEDS]
            broken = {name: _broken(clone, name) for name in BROKEN}
            ingest = _bench(clone, "bench.ingest")
    except (Failed, subprocess.SubprocessError, ValueError) as error:
        print(f"verify-durability: {error}", file=sys.stderr)
        return 1
    right = all(one["holds"] for one in runs) and all(one["caught"] for one in broken.values())
    print(json.dumps({"holds": right, "runs": runs, "broken": broken, "ingest": ingest}))
    return 0 if right else 1


def _chaos(clone: Clone, mode: str, seed: int) -> dict[str, Any]:
    name = f"chaos, {mode}, seed {seed}"
    command = ("-m", "tests.chaos", "--seed", str(seed), "--calls", str(CALLS), "--mode", mode)
    _, status, output = clone.try_to_run(name, PYTHON, *command)
    figures = last_json(output)
    enough = figures["faults"] >= min(LEAST_FAULTS, CALLS // 10) and len(figures["faults_by_kind"]) >= 8
    return {"holds": status == 0 and figures["right"] and enough, **figures}


def _broken(clone: Clone, name: str) -> dict[str, Any]:
    """A run that must fail, and for the reason that is expected."""
    size = ("--calls", str(BROKEN_CALLS), "--faults", str(BROKEN_FAULTS), "--seed", "4")
    _, status, output = clone.try_to_run(f"without {name}", PYTHON, "-m", "tests.chaos", *size, "--broken", name)
    figures = last_json(output)
    found = {fault: figures[fault] for fault in BROKEN[name] if figures[fault]}
    return {"caught": status == 1 and bool(found), "found": found}


def _bench(clone: Clone, module: str) -> dict[str, Any] | None:
    if not (clone.directory / f"{module.replace('.', '/')}.py").exists():
        return None
    _, output = clone.run(module, PYTHON, "-m", module)
    return last_json(output)


if __name__ == "__main__":
    sys.exit(main())
