"""Setting up: without Asterisk nothing goes on, and Ctrl-C while it lasts leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

from tests.lab.terminal import Terminal

MMDEBSTRAP_THAT_NEVER_ENDS = """#!/bin/bash
root=${!#}
/bin/mkdir "$root"
echo half >"$root/written"
(
  trap '' INT TERM
  while :; do echo more >>"$root/written"; /bin/sleep 0.05; done
) &
wait
"""


def test_ctrl_c_while_asterisks_root_is_made_leaves_no_process_and_no_half_of_it(tmp_path: Path) -> None:
    """Even where a child of mmdebstrap's, as a package's installation may, does not care for signals."""
    tools, cache = tmp_path / "tools", tmp_path / "cache"
    tools.mkdir()
    (tools / "mmdebstrap").write_text(MMDEBSTRAP_THAT_NEVER_ENDS)
    (tools / "mmdebstrap").chmod(0o755)
    # No Asterisk that is installed can be found there.
    environment = {"PATH": str(tools), "XDG_CACHE_HOME": str(cache)}
    with Terminal([sys.executable, "-m", "tests.lab.root"], tmp_path, environment) as making:
        making.wait_until(lambda: bool(list(cache.glob("*/*.partial/written"))), "half a root is there")
        making.press_ctrl_c()
        assert making.status() == 130, making.shown
        assert making.processes() == {}
    left = sorted(path.name for path in cache.glob("*/*"))
    assert left == ["asterisk-sid.lock", "asterisk-sid.log"]


def test_that_asterisk_cannot_be_had_is_said(tmp_path: Path) -> None:
    """`make test` and `make demo` end there."""
    nowhere = os.environ | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-m", "tests.lab.root"], env=nowhere, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Asterisk cannot be had: ")
    assert done.stderr.count("\n") == 1
