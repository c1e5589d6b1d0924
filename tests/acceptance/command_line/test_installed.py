"""`pip install .`: the command `gateway`, schema and Asterisk's files in the package, away from any checkout."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command_line.conftest import ROOT

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.mark.timeout(300)
async def test_what_is_installed_is_the_whole_of_it(database_url: str, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    install = [*PIP, "install", "--no-deps", "--target", str(installed), str(ROOT)]
    await asyncio.to_thread(subprocess.run, install, check=True)
    assert [*(installed / "gateway/sql").glob("*.sql")]
    assert (installed / "gateway/asterisk-conf/gateway/manager-gateway.conf").is_file()
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    done = await asyncio.to_thread(
        subprocess.run,
        [str(installed / "bin/gateway"), "migrate"],
        env=outside | {"PYTHONPATH": str(installed), "GATEWAY_DATABASE_URL": database_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "up to date\n"), done.stderr
