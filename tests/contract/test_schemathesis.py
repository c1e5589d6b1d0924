"""schemathesis finds nothing: neither with a key that opens everything, nor with keys that open nothing.

`FUZZ_EXAMPLES`: the most cases of an operation in each phase that draws them. `FUZZ_PHASES`: which phases; unless it
is set, broken keys have fewer. `make verify-api` sets both. The figures of each run are one line of standard output.
"""

import json
import os
from pathlib import Path

import pytest

from tests.contract.conftest import Service
from tests.contract.fuzz import ALL, BRIEF, PUBLIC, Found, fuzz

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
PHASES = os.environ.get("FUZZ_PHASES")
FIGURES = "schemathesis: "


def told(key: str, found: Found) -> None:
    """The figures, and that nothing was found."""
    figures = found.figures()
    print(FIGURES + json.dumps({"key": key} | figures))
    assert found.report["complete"], found.output
    assert (figures["failures"], figures["errors"], figures["server_errors"]) == (0, 0, 0), found.output


@pytest.mark.timeout(3600)
async def test_no_check_fails(service: Service, tmp_path: Path) -> None:
    found = await fuzz(service.url, service.key, tmp_path, broken=False, examples=EXAMPLES, phases=PHASES or ALL)
    told("valid", found)
    assert not found.never_accepted
    # The run did not shut itself out, after which nothing else could be found.
    (await service.api.get("/v1/status", headers={"X-Forwarded-For": "10.1.2.3"})).raise_for_status()


@pytest.mark.timeout(3600)
async def test_no_broken_key_opens_anything(service: Service, tmp_path: Path) -> None:
    found = await fuzz(service.url, service.key, tmp_path, broken=True, examples=EXAMPLES, phases=PHASES or BRIEF)
    told("broken", found)
    for operation, answers in found.answers.items():
        assert operation in PUBLIC or set(answers) <= {"401", "404", "405"}, (operation, answers)
