"""`make verify-durability`: nothing lost, nothing twice, whatever dies, shown on a fresh clone in an empty home.

Three seeds with the journal and over AMI, 2 000 calls and more than 60 faults each; gateways that lack a safeguard,
each of which a run must catch; and how fast rows are taken in, a million of them that piled up among it. Exit status
0 only if all of it holds; the last line is one JSON object with the figures. CHAOS_CALLS and CATCH_UP_ROWS make it
smaller.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.chaos.found import FAULTS
from tests.lab.fresh_clone import Clone, Failed, fresh_clone, last_json

SEEDS = (1, 2, 3)
MODES = ("journal", "ami")
CALLS = int(os.environ.get("CHAOS_CALLS", "2000"))
CATCH_UP_ROWS = int(os.environ.get("CATCH_UP_ROWS", "1000000"))
LEAST_FAULTS = 60
LEAST_KINDS = 8
BROKEN_CALLS = 150
BROKEN_FAULTS = 16
BROKEN: Mapping[str, tuple[str, ...]] = {
    "idempotence": ("started_or_ended_not_once", "doubled", "audit"),
    "fence": ("started_or_ended_not_once", "doubled", "sequence_holes"),
    "reserve": ("dialled_twice",),
}
"""By safeguard that is taken out: any of what must be found then. That rows were taken twice, the audit may be the
first to see: rows that come again of a call that is over do nothing."""

COPY_LIMIT = 12
"""Times what it takes only to copy the same rows into the same Postgres."""

EVENTS_A_SECOND, OF_ASTERISKS_CPU, VISIBLE_MS = 20_000, 0.1, 100
"""What is aimed at; reported, and no condition of the exit status."""

PYTHON = ".venv/bin/python"


def main() -> int:
    try:
        with fresh_clone() as clone:
            clone.run("set up", "make", "setup")
            figures, held = verified(clone)
    except (Failed, subprocess.SubprocessError, ValueError) as error:
        print(f"verify-durability: {error}", file=sys.stderr)
        return 1
    for step, holds in held.items():
        print(f"{step}: {'holds' if holds else 'DOES NOT HOLD'}")
    print(json.dumps({"holds": all(held.values()), "held": held, **figures}))
    return 0 if all(held.values()) else 1


def verified(clone: Clone) -> tuple[dict[str, Any], dict[str, bool]]:
    """The figures of each step, and whether it holds. One that does not keeps none of the others from being shown."""
    held: dict[str, bool] = {}
    runs = {mode: [_chaos(clone, mode, seed) for seed in SEEDS] for mode in MODES}
    for mode, ones in runs.items():
        held[mode] = all(one["holds"] for one in ones)
    broken = {name: _broken(clone, name) for name in BROKEN}
    held["broken builds are caught"] = all(one["caught"] for one in broken.values())
    _, status, output = clone.try_to_run("ingest", PYTHON, "-m", "bench.ingest", str(CATCH_UP_ROWS))
    ingest = last_json(output) if status == 0 else {}
    held["ingest is measured"] = bool(ingest)
    for name, ratio in (("from AMI", "ami_to_copy"), ("catch-up", "ingest_to_copy")):
        held[f"{name} takes at most {COPY_LIMIT} times a copy"] = ingest.get(ratio, COPY_LIMIT + 1) <= COPY_LIMIT
    held["how far the catch-up is, is told"] = ingest.get("catch_up_looks", 0) > 0
    figures = {
        "chaos": {mode: _together(ones) for mode, ones in runs.items()},
        "runs": runs,
        "broken": broken,
        "ingest": ingest,
        "aims": _aims(ingest),
    }
    return figures, held


def _chaos(clone: Clone, mode: str, seed: int) -> dict[str, Any]:
    name = f"chaos, {mode}, seed {seed}"
    command = ("-m", "tests.chaos", "--seed", str(seed), "--calls", str(CALLS), "--mode", mode)
    _, status, output = clone.try_to_run(name, PYTHON, *command)
    try:
        figures = last_json(output)
    except (ValueError, IndexError):
        return {"holds": False, "seed": seed, "mode": mode, "exit_status": status}
    enough = figures["faults"] >= min(LEAST_FAULTS, CALLS // 10) and len(figures["faults_by_kind"]) >= LEAST_KINDS
    return {"holds": status == 0 and figures["right"] and enough, **figures}


def _together(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the seeds of a mode come to."""
    summed = ("calls", "calls_carried", "faults", "records", "recorded_lost", "incomplete", "events", *FAULTS)
    together: dict[str, Any] = {name: sum(run.get(name, 0) for run in runs) for name in summed}
    together["audit"] = "agrees" if all(run.get("audit") == "agrees" for run in runs) else "differs"
    return together | {"seeds": [run["seed"] for run in runs], "seconds": sum(run.get("seconds", 0) for run in runs)}


def _broken(clone: Clone, name: str) -> dict[str, Any]:
    """A run that must fail, and for the reason that is expected."""
    size = ("--calls", str(BROKEN_CALLS), "--faults", str(BROKEN_FAULTS), "--seed", "4")
    _, status, output = clone.try_to_run(f"without {name}", PYTHON, "-m", "tests.chaos", *size, "--broken", name)
    try:
        figures = last_json(output)
    except (ValueError, IndexError):
        return {"caught": False, "exit_status": status}
    found = {fault: figures[fault] for fault in BROKEN[name] if figures[fault] not in (0, "agrees")}
    return {"caught": status == 1 and bool(found), "found": found}


def _aims(ingest: Mapping[str, float]) -> dict[str, bool]:
    if not ingest:
        return {}
    return {
        f"{EVENTS_A_SECOND} events a second from AMI": ingest["ami_events_most_per_second"] >= EVENTS_A_SECOND,
        f"CPU a call under {OF_ASTERISKS_CPU} of Asterisk's": ingest["gateway_to_asterisk"] < OF_ASTERISKS_CPU,
        f"visible within {VISIBLE_MS} ms at the median": ingest["visible_ms"] < VISIBLE_MS,
    }


if __name__ == "__main__":
    sys.exit(main())
