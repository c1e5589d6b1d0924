"""`make verify-main-job`: the main job shown on a fresh clone, in an empty home with no cache.

Clones the commit that is checked out, runs the demo cold, warm and with the journal, every test,
and the measurement of placing a call. Exit status 0 only if all of it holds; the last line is
one JSON object with the figures.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.lab.fresh_clone import Failed, fresh_clone, last_json, passed

MOST_MS_MORE = 10.0


def main() -> int:
    try:
        with fresh_clone() as clone:
            cold, output = clone.run("demo, cold", "make", "demo", "ONCE=1")
            ami = last_json(output)
            warm, _ = clone.run("demo, warm", "make", "demo", "ONCE=1")
            _, output = clone.run("demo, journal", "make", "demo", "ONCE=1", "JOURNAL=1")
            journal = last_json(output)
            bench, output = clone.run("measurement", ".venv/bin/python", "-m", "bench.post_to_invite")
            placing = last_json(output)
            tests, output = clone.run("tests", "make", "test")
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
    print(json.dumps(figures))
    return 0


def _summary(demo: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"outcome": demo[name]["outcome"], "attempts": [a["result"] for a in demo[name]["attempts"]]}
        for name in ("click_to_call", "inbound")
    }


if __name__ == "__main__":
    sys.exit(main())
