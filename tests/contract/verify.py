"""`make verify-api`: the whole HTTP contract, shown on a fresh clone in an empty home.

schemathesis with valid and broken keys, the walk of every route, pages while calls arrive, fifty equal requests,
generated clients, the documentation's examples, and the lists' speed among `API_CALLS` calls. Exit status 0 only if
all of it holds; the last line is one JSON object with the figures.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.contract.fuzz import ALL
from tests.lab.fresh_clone import Clone, Failed, fresh_clone, last_json, passed


@dataclass(frozen=True)
class Step:
    """`tests`, of which each figure is a line `name: {…}`. `environment`: how much of it."""

    name: str
    tests: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


STEPS = (
    Step(
        "schemathesis",
        ("tests/contract/test_schemathesis.py",),
        {"FUZZ_PHASES": ALL, "FUZZ_EXAMPLES": "40"},
    ),
    Step("walk", ("tests/acceptance/api/test_every_route.py",)),
    Step(
        "pages",
        ("tests/acceptance/api/test_cursors_at_size.py", "tests/acceptance/api/test_cursors.py"),
        {"CALLS_ARRIVING": "100000"},
    ),
    Step("one_key", ("tests/acceptance/test_one_key_two_processes.py",)),
    Step("generated_clients", ("tests/contract/test_generated_clients.py",)),
    Step(
        "documentation",
        (
            "tests/acceptance/api/test_openapi.py",
            "tests/acceptance/api/test_pages_of_docs.py",
            "tests/acceptance/test_quick_start.py",
            "tests/unit/api/test_csv_columns.py",
            "tests/unit/api/test_errors_documented.py",
            "tests/unit/test_settings_documented.py",
        ),
    ),
    Step("drop_in", ("tests/acceptance/api/drop_in",)),
)


def main() -> int:
    try:
        with fresh_clone() as clone:
            clone.run("environment", "make", "setup")
            figures, held = verified(clone, os.environ.get("API_CALLS", "10000000"))
    except (Failed, subprocess.SubprocessError, ValueError) as error:
        print(f"verify-api: {error}", file=sys.stderr)
        return 1
    for step in held:
        print(f"{step}: {'holds' if held[step] else 'DOES NOT HOLD'}")
    print(json.dumps(figures | {"holds": all(held.values())}))
    return 0 if all(held.values()) else 1


def verified(clone: Clone, calls: str) -> tuple[dict[str, Any], dict[str, bool]]:
    """The figures of each step, and whether it holds. One that does not keeps none of the others from being shown.

    `calls`: how many the lists are measured among.
    """
    figures: dict[str, Any] = {}
    held: dict[str, bool] = {}
    for step in STEPS:
        settings = [f"{name}={value}" for name, value in step.environment.items()]
        pytest = (".venv/bin/python", "-m", "pytest", "-q", "-s", *step.tests)
        seconds, status, output = clone.try_to_run(step.name, "env", *settings, *pytest)
        figures[step.name] = {"tests": _passed(output), "seconds": seconds, **told(output)}
        held[step.name] = status == 0 and figures[step.name]["tests"] > 0
    _, status, output = clone.try_to_run("query", ".venv/bin/python", "-m", "bench.query", calls)
    figures["query"], held["query"] = _last(output), status == 0
    return figures, held


def told(output: str) -> dict[str, list[Any]]:
    """What the tests told: of each name all of its figures, in order. Dots of pytest may stand before a line."""
    found: dict[str, list[Any]] = {}
    for line in output.splitlines():
        name, colon, figures = line.lstrip(".").partition(": {")
        if colon and name.replace("_", "").isalpha() and figures.endswith("}"):
            found.setdefault(name, []).append(json.loads("{" + figures))
    return found


def _passed(output: str) -> int:
    try:
        return passed(output)
    except Failed:
        return 0


def _last(output: str) -> dict[str, Any]:
    """Nothing where it ended before it told."""
    try:
        return last_json(output)
    except (ValueError, IndexError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
