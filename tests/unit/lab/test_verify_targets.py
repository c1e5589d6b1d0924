"""What verifies on a fresh clone begins with nothing but Python's own library."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
TARGETS = re.findall(r"^verify-.*:.*\n\t.*\$\(PYTHON\) -m (\S+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_every_target_is_known() -> None:
    assert len(TARGETS) == len(re.findall(r"^verify-[a-z-]+:", (PROJECT / "Makefile").read_text(), re.MULTILINE)) >= 4


@pytest.mark.parametrize("module", TARGETS)
def test_a_target_starts_without_any_package(module: str) -> None:
    """`-S`: no site-packages, as before the virtual environment is there."""
    subprocess.run([sys.executable, "-S", "-c", f"import {module}"], cwd=PROJECT, check=True)
