"""Fifty equal requests at once over two API processes, and again after kill -9: the phone rings once for each key."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from tests.lab.ami_hold import AmiHold
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, Seen, device

REQUESTS = 50
SECONDS = 60.0


@dataclass
class Bench:
    """`keeper` writes the records; `doors` are the two API processes, their AMI by way of `hold`."""

    keeper: Gateway
    doors: list[Gateway]
    hold: AmiHold
    bob: Phone

    def ask(self, to: str, requests: int = REQUESTS) -> list[asyncio.Task[httpx.Response]]:
        """Equal requests, to either process by turns. The destination is the key, too."""
        body = {"user": "102", "to": to, "reference": "crm-4711"}
        return [
            asyncio.create_task(door.api.post("/v1/calls", json=body, headers={"Idempotency-Key": to}, timeout=SECONDS))
            for _, door in zip(range(requests), cycle(self.doors), strict=False)
        ]

    async def told_again(self, to: str) -> str:
        """The id that fifty more are told, once the first of them has not to be told that it is still being placed."""
        async with asyncio.timeout(SECONDS):
            while (await self.ask(to, 1)[0]).status_code == 409:
                await asyncio.sleep(0.2)
        answers = await asyncio.gather(*self.ask(to))
        assert {(answer.status_code, answer.headers.get("idempotent-replayed")) for answer in answers} == {
            (202, "true")
        }
        (call_id,) = {answer.json()["id"] for answer in answers}
        return str(call_id)

    async def ended_by_the_phone(self, to: str, call_id: str) -> None:
        await self.bob.wait_until(lambda: next(iter(self.invites(to)), None), "an INVITE")
        await self.bob.answer(code=486)
        call = await self.keeper.ended(call_id, SECONDS)
        assert (call["outcome"], call["origin"]["reference"]) == ("busy", "crm-4711")

    def invites(self, to: str) -> list[Seen]:
        return [invite for invite in self.bob.all("invite") if f"sip:{to}@" in invite.header("From")]


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance())
        bob = await stack.enter_async_context(device(pbx, "102"))
        hold = await stack.enter_async_context(AmiHold(pbx.ami_url))
        keeper = await stack.enter_async_context(Gateway(pbx, tmp_path / "keeper", database_url=database_url))
        doors = [
            await stack.enter_async_context(
                Gateway(
                    pbx,
                    tmp_path / name,
                    database_url=database_url,
                    extra={"GATEWAY_AMI_URL": hold.url},
                    roles="api",
                    key=keeper.key,
                )
            )
            for name in ("one", "two")
        ]
        yield Bench(keeper, doors, hold, bob)


async def test_fifty_requests_with_one_key_ring_the_phone_once_and_once_more_after_kill_9(bench: Bench) -> None:
    to = "+61255501234"
    answers = await asyncio.gather(*bench.ask(to))
    assert {answer.status_code for answer in answers} <= {202, 409}
    placed = [answer for answer in answers if answer.status_code == 202]
    (first,) = [answer for answer in placed if "idempotent-replayed" not in answer.headers]
    call_id = await bench.told_again(to)
    assert {answer.json()["id"] for answer in placed} == {first.json()["id"]} == {call_id}
    await bench.ended_by_the_phone(to, call_id)

    # The Originate leaves, and both processes are gone before anybody has its answer.
    later = "+61255501235"
    bench.hold.actions.add(later)
    asking = bench.ask(later)
    await bench.hold.until_held(later)
    for door in bench.doors:
        await door.kill()
    unanswered = await asyncio.gather(*asking, return_exceptions=True)
    assert not [one for one in unanswered if isinstance(one, httpx.Response) and one.status_code != 409]
    await bench.hold.deliver(later)
    await asyncio.gather(*(door.start() for door in bench.doors))
    await bench.ended_by_the_phone(later, await bench.told_again(later))

    assert await bench.told_again(to) == call_id
    rang = [len(bench.invites(one)) for one in (to, later)]
    print("one_key: " + json.dumps({"requests": REQUESTS, "rang": rang[0], "rang_after_kill_9": rang[1]}))
    assert rang == [1, 1]
