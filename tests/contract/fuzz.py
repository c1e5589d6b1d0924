"""schemathesis over the document of a running gateway, as one runs it by hand: all its checks, all its phases."""

import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.asterisk import PROJECT

BRIEF = "examples,fuzzing,stateful"
ALL = "examples,coverage,fuzzing,stateful"
PUBLIC = {"GET /healthz", "GET /readyz"}
RATES = ("accepted", "unreachable", "conflicts", "rejected")


@dataclass(frozen=True)
class Found:
    """`report`: schemathesis' own; `answers`: how often which status, of each operation; `output`: for people."""

    report: dict[str, Any]
    answers: dict[str, dict[str, int]]
    output: str

    @property
    def statuses(self) -> Counter[int]:
        counted: Counter[int] = Counter()
        for of_operation in self.answers.values():
            counted.update({int(status): count for status, count in of_operation.items()})
        return counted

    @property
    def never_accepted(self) -> set[str]:
        """Operations of which no request with valid data was answered as asked for."""
        return {
            operation
            for operation, phases in self.report["valid_rates"].items()
            if not any(phase["accepted"] for phase in phases.values())
        }

    def figures(self) -> dict[str, Any]:
        statuses = self.statuses
        return {
            "cases": self.report["test_cases"]["generated"],
            "operations": self.report["operations"]["tested"],
            "requests": statuses.total(),
            "failures": self.report["test_cases"]["with_failures"],
            "errors": sum(error["count"] for error in self.report["errors"]),
            "beyond_a_schema": self.report["filtered"],
            "statuses": {str(status): statuses[status] for status in sorted(statuses)},
            "server_errors": sum(count for status, count in statuses.items() if status >= 500),
            "seconds": round(self.report["running_time"], 1),
        }


async def fuzz(url: str, key: str, directory: Path, *, broken: bool, examples: int, phases: str) -> Found:
    """`examples`: the most cases of an operation in a phase that draws them. `broken`: keys that open nothing."""
    report, counts = directory / "report.json", directory / "statuses.json"
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
        "PYTHONPATH": str(PROJECT),
        "CONTRACT_KEY": "broken" if broken else "valid",
        "CONTRACT_OWN": f"{key.split('_')[2]} 10.0.0.0/8 127.0.0.0/8",
        "CONTRACT_COUNTS": str(counts),
    }
    options = ["--checks", "all", "--phases", phases]
    options += [] if broken else ["--header", f"Authorization: Bearer {key}"]
    options += ["--max-examples", str(examples), "--generation-deterministic", "--continue-on-failure", "--no-color"]
    # Whether values are drawn fast enough is the machine's affair.
    options += ["--suppress-health-check", "all"]
    # Two keys that differ are refused, and then nothing else of the request would be looked at.
    options += ["--generation-with-security-parameters", "false"]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        *("run", f"{url}/v1/openapi.json", *options, "--report", "json", "--report-json-path", str(report)),
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    if not report.exists():
        raise RuntimeError(f"schemathesis, status {process.returncode}:\n{output}")
    return Found(json.loads(report.read_text()), json.loads(counts.read_text()), output)
