"""docs/quick-start.md: its commands are run as they stand, in order, against a real Asterisk with real phones."""

import asyncio
import csv
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.asterisk import AsteriskInstance
from tests.lab.demo_calls import DESTINATION, DID, OUTSIDE_CALLER
from tests.lab.gateway import Gateway
from tests.lab.phones import carrier, device

PAGE = Path(__file__).parents[2] / "docs/quick-start.md"
PATIENCE_SECONDS = 60
MARK = "--- the next block ---"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
async def gateway(database_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    """As `make demo` leaves it: phones that answer, and a call that came in."""
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=20))
        desk, _, bob, _ = [
            await stack.enter_async_context(device(pbx, name)) for name in ("101-desk", "101-mobile", "102", "103")
        ]
        outside = await stack.enter_async_context(carrier(pbx, OUTSIDE_CALLER))
        gateway = await stack.enter_async_context(Gateway(pbx, tmp_path / "gateway", database_url=database_url))
        for phone in (desk, bob, outside):
            await phone.behave(answer_after=0.2)
        await outside.call(DID)
        await bob.wait_for("talking")
        await bob.hang_up()
        await gateway.next_ended(set())
        yield gateway


async def run(command: list[str], text: str, gateway: Gateway, directory: Path) -> str:
    """What it prints; it succeeds."""
    environment = os.environ | {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, errors = await process.communicate(text.encode())
    assert (process.returncode, errors.decode()) == (0, ""), (text, output.decode())
    return output.decode()


def assert_shows(shown: Any, answered: Any, where: str = "") -> None:
    """What the page shows of an answer has the shape of that answer: times, numbers and ids are others."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in answered, f"{where}/{name}"
            assert_shows(value, answered[name], f"{where}/{name}")
    elif isinstance(shown, list):
        assert bool(shown) == bool(answered), where
        for index, value in enumerate(shown):
            assert_shows(value, answered[index], f"{where}/{index}")
    elif isinstance(shown, float):
        assert isinstance(answered, float), where
    elif isinstance(shown, str) and re.match(r"\d{4}-\d\d-\d\dT", shown):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answered), where
    else:
        assert answered == shown, where


@pytest.mark.timeout(240)
async def test_every_command_does_what_the_page_says(gateway: Gateway, tmp_path: Path) -> None:
    languages = [language for language, _ in blocks()]
    assert languages.count("sh") >= 8
    # One shell runs them all, as a reader's does.
    commands = [text for language, text in blocks() if language == "sh"]
    script = f"echo; echo '{MARK}'\n".join(commands)
    printed = (await run(["bash", "-eu", "-o", "pipefail"], script, gateway, tmp_path)).split(MARK)
    assert len(printed) == len(commands)
    answers = dict(zip(commands, printed, strict=True))
    for (language, text), (following, shown) in zip(blocks(), blocks()[1:], strict=False):
        if (language, following) == ("sh", "json"):
            assert_shows(json.loads(shown), json.loads(answers[text]))
    moments = next(json.loads(answer)["data"] for command, answer in answers.items() if "/timeline" in command)
    assert {moment["kind"] for moment in moments} >= {"placed", "row", "event"}
    assert [moment["type"] for moment in moments if moment["kind"] == "event"][-1] == "call.ended"
    with (tmp_path / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["reference"] for row in rows} == {"", "crm-4711"}
    assert next(row["callee_number"] for row in rows if row["reference"]) == DESTINATION
    [pull] = [text for language, text in blocks() if language == "python"]
    told = await run([sys.executable, "-"], pull, gateway, tmp_path)
    total = (await gateway.api.get("/v1/user-calls", params={"include": "total"})).json()["total"]
    assert re.fullmatch(rf"{total} rows; next time, updated_since 20\d\d-\S+Z\n", told)
