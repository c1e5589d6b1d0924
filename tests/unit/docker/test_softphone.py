"""docker/softphone/run.sh, run as the image runs it: a phone that tells what it does, and takes commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.asterisk import PROJECT, own_addresses
from tests.lab.processes import die_with_parent

RUN = PROJECT / "docker/softphone/run.sh"


def environment(tmp_path: Path, more: dict[str, str]) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    commands = str(tmp_path / "commands")
    return os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT), "COMMANDS": commands} | more


def test_it_behaves_as_told_and_obeys_until_it_is_to_quit(tmp_path: Path) -> None:
    registrar, address = own_addresses(2)
    setup = {
        "PHONE_NAME": "carrier",
        "PHONE_NUMBER": "+61411000999",
        "PHONE_ADDRESS": address,
        "REGISTRAR": registrar,
    }
    phone = subprocess.Popen(
        [RUN],
        env=environment(tmp_path, setup),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    )
    try:
        assert phone.stdout is not None
        told = (json.loads(line)["what"] for line in phone.stdout if line.startswith("{"))
        assert next(told) == "ready"
        assert next(told) == "behaving"
        (tmp_path / "commands").write_text('{"do": "hang_up"}\n')
        assert next(told) == "hung_up"
        (tmp_path / "commands").write_text('{"do": "quit"}\n')
        assert phone.wait(10) == 0
    finally:
        phone.kill()
        phone.communicate()


@pytest.mark.parametrize(
    ("setup", "complaint"),
    [
        ({"REGISTRAR": "127.0.0.1"}, "PHONE_NAME: is not set"),
        ({"PHONE_NAME": '1", "x": "', "REGISTRAR": "127.0.0.1", "PHONE_ADDRESS": "127.0.0.1"}, "letters, digits"),
    ],
)
def test_what_it_cannot_be_is_said(tmp_path: Path, setup: dict[str, str], complaint: str) -> None:
    given = {name: value for name, value in environment(tmp_path, {}).items() if not name.startswith("PHONE_")}
    refused = subprocess.run([RUN], env=given | setup, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1
    assert complaint in refused.stderr
