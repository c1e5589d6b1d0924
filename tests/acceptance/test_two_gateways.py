"""Two gateways on one database beside a real Asterisk: whatever becomes of the leader, one call is one record."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, device

TAKES_OVER_WITHIN = 10.0


@dataclass
class Pair:
    leader: Gateway
    standby: Gateway
    bob: Phone
    carol: Phone


@pytest.fixture(params=["journal", "ami"])
async def pair(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    journal = request.param == "journal"
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance())
        bob, carol = [await stack.enter_async_context(device(pbx, name)) for name in ("102", "103")]
        leader, standby = both = [
            Gateway(pbx, tmp_path / name, journal=journal, database_url=database_url) for name in ("one", "two")
        ]
        for gateway in both:
            await stack.enter_async_context(gateway)
        await carol.behave(answer_after=0.2)
        assert [(await source(gateway))["role"] for gateway in both] == ["leader", "standby"]
        yield Pair(leader, standby, bob, carol)


async def source(gateway: Gateway) -> dict[str, Any]:
    response = await gateway.api.get("/v1/status")
    response.raise_for_status()
    told: dict[str, Any] = response.json()["source"]
    return told


async def until(gateway: Gateway, role: str) -> float:
    """Seconds until it has this role, and has read all that there was."""
    began = time.monotonic()
    async with asyncio.timeout(30):
        while (told := await source(gateway))["role"] != role or (role == "leader" and not told["caught_up"]):
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def told_of(gateway: Gateway) -> list[tuple[int, str, str]]:
    events = (await gateway.api.get("/v1/events", params={"limit": 1000})).json()["data"]
    return [(event["sequence"], event["type"], event["data"]["id"]) for event in events]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["killed", "paused", "ended"])
async def test_the_standby_goes_on_in_mid_call(pair: Pair, how: str, record_property: Any) -> None:
    await pair.bob.call("103")
    await pair.bob.wait_for("talking")
    async with asyncio.timeout(10):
        while "call.answered" not in [kind for _, kind, _ in await told_of(pair.standby)]:
            await asyncio.sleep(0.05)

    if how == "killed":
        await pair.leader.kill()
    elif how == "paused":
        pair.leader.pause()
    else:
        assert await pair.leader.stop() == 0
    seconds = await until(pair.standby, "leader")
    record_property("seconds", round(seconds, 1))
    print(f"took over after {seconds:.1f} s")
    assert seconds < TAKES_OVER_WITHIN
    await asyncio.sleep(0.5)
    await pair.carol.hang_up()
    call = await pair.standby.next_ended(set())
    call = await pair.standby.ended(call["id"])
    assert (call["outcome"], call["complete"]) == ("answered", True)
    epoch = (await source(pair.standby))["epoch"]
    assert epoch == 2

    if how == "paused":
        pair.leader.resume()
        await until(pair.leader, "standby")
        await asyncio.sleep(3)
    events = await told_of(pair.standby)
    assert [sequence for sequence, _, _ in events] == list(range(1, len(events) + 1))
    assert {one[: len(call["id"])] for _, _, one in events} == {call["id"]}
    assert [kind for _, kind, _ in events].count("call.ended") == 1
    assert [one["id"] for one in (await pair.standby.api.get("/v1/calls")).json()["data"]] == [call["id"]]
    assert (await source(pair.standby))["epoch"] == epoch

    text = (await pair.standby.api.get("/v1/status")).text
    assert "backend" not in text
    assert "host" not in text
