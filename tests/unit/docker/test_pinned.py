"""An image gets the pinned packages that it needs, and what those need, and no others."""

import subprocess
import sys

from tests.lab.asterisk import PROJECT

PINNED = PROJECT / "docker/pinned.py"


def pinned(*packages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PINNED, *packages], capture_output=True, text=True)


def names(text: str) -> set[str]:
    return {line.split("==")[0] for line in text.splitlines() if "==" in line and not line.startswith(" ")}


def test_the_gateway_gets_what_it_runs_on_and_no_tools() -> None:
    found = names(pinned().stdout)
    assert {"asyncpg", "starlette", "uvicorn", "h11", "pydantic-core", "cffi", "pycparser"} <= found
    assert not found & {"pytest", "mypy", "ruff", "selenium", "trio", "pjsua2-python", "types-pyyaml", "asyncpg-stubs"}


def test_a_phone_gets_its_one_package_with_its_hashes() -> None:
    text = pinned("pjsua2_python").stdout
    assert names(text) == {"pjsua2-python"}
    assert "--hash=sha256:" in text


def test_a_package_that_is_not_pinned_is_named() -> None:
    refused = pinned("no-such-package")
    assert refused.returncode == 1
    assert refused.stderr == "pinned.py: not in requirements.txt: no-such-package\n"
