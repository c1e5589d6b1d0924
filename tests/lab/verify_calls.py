"""`make verify-calls`: that calls are told right, shown on a fresh clone in an empty home.

Every scenario and its record, every rule of the fold broken once, every property of it over
damaged recordings and made-up calls, and its speed. Exit status 0 only if all of it holds; the
last line is one JSON object with the figures.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.fresh_clone import Clone, Failed, fresh_clone, last_json, passed

FEWEST_SCENARIOS = 80
PROPERTIES = "tests/unit/calls/test_properties.py"
COUNTS = "fold properties: "


def main() -> int:
    try:
        with fresh_clone() as clone:
            clone.run("environment", "make", ".venv/ready")
            figures, held = verified(clone)
    except (Failed, subprocess.SubprocessError, ValueError) as error:
        print(f"verify-calls: {error}", file=sys.stderr)
        return 1
    for name, lines in figures["modules"].items():
        print(f"gateway/calls/{name}.py  {lines} lines")
    for step in held:
        print(f"{step}: {'holds' if held[step] else 'DOES NOT HOLD'}")
    print(json.dumps(figures | {"holds": all(held.values())}))
    return 0 if all(held.values()) else 1


def verified(clone: Clone) -> tuple[dict[str, Any], dict[str, bool]]:
    """The figures of each step, and whether it holds. One that does not keeps none of the others from being shown."""
    python = ".venv/bin/python"
    figures: dict[str, Any] = {"modules": module_sizes(clone.directory / "gateway/calls")}
    held: dict[str, bool] = {}
    _, status, output = clone.try_to_run("scenarios", python, "-m", "tests.lab.calls_table")
    sys.stdout.write(output)
    figures["scenarios"] = last_json(output)
    held["scenarios"] = status == 0 and figures["scenarios"]["scenarios"] >= FEWEST_SCENARIOS
    seconds, status, output = clone.try_to_run("properties", python, "-m", "pytest", "-q", PROPERTIES)
    figures["properties"] = _counts(output) | {"seconds": seconds}
    held["properties"] = status == 0 and _all_passed(output)
    _, status, output = clone.try_to_run("rules", python, "-m", "tests.lab.mutations", "--rules")
    sys.stdout.write(output)
    figures["rules"], held["rules"] = last_json(output), status == 0
    _, status, output = clone.try_to_run("speed", python, "-m", "bench.fold")
    figures["speed"], held["speed"] = last_json(output), status == 0
    return figures, held


def module_sizes(place: Path) -> dict[str, int]:
    """Lines of each module, by name."""
    return {path.stem: len(path.read_text().splitlines()) for path in sorted(place.glob("*.py"))}


def _counts(output: str) -> dict[str, Any]:
    line = next((line for line in output.splitlines() if line.startswith(COUNTS)), None)
    if line is None:
        raise Failed("the properties were not counted")
    counts: dict[str, Any] = json.loads(line.removeprefix(COUNTS))
    return counts


def _all_passed(output: str) -> bool:
    try:
        return passed(output) > 0
    except Failed:
        return False


if __name__ == "__main__":
    sys.exit(main())
