"""`make demo` at a terminal: a browser and a webhook while it runs, and Ctrl-C, whenever, leaves nothing behind."""

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.console.browser import chromium
from tests.acceptance.console.flow import drive_console
from tests.lab.demo_calls import DESTINATION
from tests.lab.root import find
from tests.lab.terminal import LOOK_SECONDS, Terminal

EVERYTHING_RUNS = "Ctrl-C stops all of it"
DEMO = (sys.executable, "-m", "tests.lab.demo")
MOMENTS: dict[str, Callable[[Terminal], bool]] = {
    "before anything": lambda _: True,
    "Asterisk starts": lambda demo: "asterisk -f" in demo.commands(),
    "Postgres is made": lambda demo: "initdb" in demo.commands(),
    "the directory is applied": lambda demo: "gateway apply" in demo.commands(),
    "Alice's phones ring": lambda demo: "state ringing_user" in demo.shown,
}


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Not below pytest's own directory: the path of Postgres' socket would grow too long."""
    directory = Path(tempfile.mkdtemp(prefix="gw-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_leaves_nothing(scratch: Path, moment: str) -> None:
    with Terminal(DEMO, scratch) as demo:
        demo.wait_until(lambda: MOMENTS[moment](demo), moment)
        made = _directories(demo, scratch)
        demo.press_ctrl_c()
        assert demo.status() != 0, demo.shown
        assert demo.processes() == {}
        assert [path for path in made | _directories(demo, scratch) if path.exists()] == []
        assert "FAILED" not in demo.shown


@pytest.mark.timeout(600)
def test_a_browser_and_a_webhook_on_the_running_demo_and_ctrl_c_at_its_end(scratch: Path, tmp_path: Path) -> None:
    with Terminal(DEMO, scratch) as demo:
        demo.wait_until(lambda: "curl" in demo.shown.partition(EVERYTHING_RUNS)[2], "everything runs")
        told = demo.shown.partition(EVERYTHING_RUNS)[2]
        url, key, password = (_after(label, told) for label in ("URL", "key", "password"))
        with chromium(tmp_path / "profile") as browser:
            seen = drive_console(browser, url, "admin", password, user="101", destination=DESTINATION)
        assert seen["address_allowed_before"]
        assert [len(seen[kind]["answer"]["data"]) > 0 for kind in ("user-calls", "ring-group-calls")] == [True, True]
        call_id = _talked_and_ended(url, key, seen["call"])
        arrived = f"webhook call.ended of {call_id}, signature right"
        demo.wait_until(lambda: arrived in demo.shown, "the webhook arrives")

        started = demo.commands()
        assert all(part in started for part in ("asterisk -f", "phone_process", "gateway serve", "postgres")), started
        made = _directories(demo, scratch)
        assert len(made) == 2
        demo.press_ctrl_c()
        assert demo.status() == 0, demo.shown
        assert demo.processes() == {}
        assert [path for path in made if path.exists()] == []
        assert "FAILED" not in demo.shown


def _talked_and_ended(url: str, key: str, placed: dict[str, Any]) -> str:
    """Ends the call that the browser placed once the two talk; its id."""
    assert placed["status"] == 202, placed
    path = f"/v1/calls/{placed['answer']['id']}"
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as api:
        while (call := api.get(path).json())["state"] != "in_progress":
            assert call["state"] != "ended", call
            time.sleep(LOOK_SECONDS)
        assert api.post(f"{path}/hangup").status_code == 202
        while (call := api.get(path).json())["state"] != "ended":
            time.sleep(LOOK_SECONDS)
    assert (call["outcome"], call["hung_up_by"], call["callee"]["number"]) == ("answered", "system", DESTINATION)
    return str(call["id"])


def _directories(demo: Terminal, scratch: Path) -> set[Path]:
    """The gateway's data directory, and Asterisk's own, which may lie in a root of its own."""
    root = find().root or Path("/")
    of_asterisk = {root / found.lstrip("/") for found in re.findall(r"\S+/gateway-pbx-[^/\s]+", demo.commands())}
    return {*scratch.glob("gateway-demo-*"), *of_asterisk}


def _after(label: str, text: str) -> str:
    found = re.search(rf"\b{label} +(\S+)", text)
    assert found, text
    return found[1]
