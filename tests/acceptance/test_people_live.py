"""What the directory shows of real phones: registered, ringing, in a call, gone; and who waits in a queue."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, carrier, device

OUTSIDE = "+61411000999"


class Reception:
    """A PBX, its gateway, and phones that are switched on one by one."""

    def __init__(self, pbx: AsteriskInstance, gateway: Gateway, stack: AsyncExitStack) -> None:
        self.pbx, self.gateway, self._stack = pbx, gateway, stack

    async def phone(self, name: str) -> Phone:
        made = carrier(self.pbx, OUTSIDE) if name == "carrier" else device(self.pbx, name)
        return await self._stack.enter_async_context(made)

    async def until(self, path: str, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The row of this name once it holds: Asterisk notices a moment later than phones do."""
        row: dict[str, Any] = {}
        try:
            async with asyncio.timeout(20):
                while True:
                    response = await self.gateway.api.get(path)
                    response.raise_for_status()
                    row = next(row for row in response.json()["data"] if row["name"] == name)
                    if holds(row):
                        return row
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{path} never showed it: {row}") from None

    async def user(self, name: str, presence: str | None) -> list[str | None]:
        """The states of the user's devices once the user is present like this."""
        row = await self.until("/v1/users", name, lambda row: bool(row["presence"] == presence))
        return [device["state"] for device in row["devices"]]


@pytest.fixture
async def reception(database_url: str, tmp_path: Path) -> AsyncIterator[Reception]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=60))
        gateway = await stack.enter_async_context(Gateway(pbx, tmp_path / "gateway", database_url=database_url))
        yield Reception(pbx, gateway, stack)


async def test_phones_and_queues_are_shown_as_they_are(reception: Reception) -> None:
    assert await reception.user("Bob", "offline") == ["unreachable"]
    desk, bob, carol = [await reception.phone(name) for name in ("101-desk", "102", "103")]
    assert await reception.user("Alice", "available") == ["registered", "unreachable"]
    assert await reception.user("Bob", "available") == ["registered"]

    checked = (await reception.gateway.api.post("/v1/calls/check", json={"user": "101", "to": "102"})).json()
    assert (checked["placeable"], [one["contacts"] for one in checked["devices"]]) == (True, [1, 0])

    await desk.call("102")
    await bob.wait_for("ringing")
    assert await reception.user("Bob", "ringing") == ["ringing"]
    await bob.answer()
    assert await reception.user("Bob", "in_call") == ["in_use"]
    assert await reception.user("Alice", "in_call") == ["in_use", "unreachable"]
    (member, other) = (await reception.until("/v1/ring-groups", "sales", lambda row: bool(row["members"])))["members"]
    assert (member["user"]["name"], member["presence"], other["presence"]) == ("Bob", "in_call", "available")

    outside = await reception.phone("carrier")
    await outside.call("+61290000003")
    await carol.wait_for("ringing")
    support = await reception.until(
        "/v1/queues",
        "support",
        lambda row: (
            any(one["state"] == "ringing" for one in row["members"]) and all(one["call_id"] for one in row["waiting"])
        ),
    )
    states = {one["user"]["name"]: (one["device"], one["state"], one["paused"]) for one in support["members"]}
    assert states == {"Bob": ("PJSIP/102", "in_use", False), "Carol": ("PJSIP/103", "ringing", False)}
    (waiting,) = support["waiting"]
    assert (waiting["position"], waiting["caller_id"], waiting["caller_name"]) == (1, OUTSIDE, None)
    call = await reception.gateway.call(waiting["call_id"])
    assert (call["caller"]["number"], call["ended_at"]) == (OUTSIDE, None)

    await outside.hang_up()
    await reception.until("/v1/queues", "support", lambda row: row["waiting"] == [])
    await desk.hang_up()
    assert await reception.user("Bob", "available") == ["registered"]
    assert [len(phone.all("invite")) for phone in (desk, bob)] == [0, 1]
    await reception.pbx.stop()
    assert await reception.user("Bob", None) == [None]
    await reception.until("/v1/queues", "support", lambda row: row["waiting"] is None)
