"""kill -9 at every step between the request and the first INVITE: dialled at most once, and "failed" is true."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.store.connection import Connection
from tests.lab.ami_hold import AmiHold
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, Seen, device

DEADLINE = 10.0
MARGIN = 10.0
RING_TIMEOUT = 30
PLACING_LOCK = "hashtextextended('place:acme', 0)"

# The step at which the gateway is killed, who is to be rung, and the number that tells the call from the others.
STEPS = {
    "nothing reserved": ("103", "+61255500001"),
    "reservation not committed": ("103", "+61255500002"),
    "originate never left": ("101", "+61255500003"),
    "originate arrives": ("101", "+61255500004"),
    "originate arrives after the deadline": ("102", "+61255500005"),
    "originate arrives when it was reported failed": ("102", "+61255500006"),
    "answer never came": ("104", "+61255500007"),
    "answer not noted": ("104", "+61255500008"),
    "accepted": ("105", "+61255500009"),
}
PHONES = {"101": "101-desk", "102": "102", "103": "103", "104": "104", "105": "105"}
NEVER_ASKED = ("nothing reserved", "reservation not committed")
RINGS = ("originate arrives", "answer never came", "answer not noted", "accepted")
FAILS = (
    "originate never left",
    "originate arrives after the deadline",
    "originate arrives when it was reported failed",
)


class Bench:
    """The parts, and a call asked for at each step."""

    def __init__(
        self, gateway: Gateway, hold: AmiHold, phones: dict[str, Phone], database: Connection, *, journal: bool
    ) -> None:
        self.gateway, self.hold, self.phones, self.database, self.journal = gateway, hold, phones, database, journal
        self.requests: list[asyncio.Task[httpx.Response]] = []

    async def post(self, step: str) -> httpx.Response:
        user, to = STEPS[step]
        body = {"user": user, "to": to, "ring_timeout": RING_TIMEOUT}
        return await self.gateway.api.post("/v1/calls", json=body, headers={"Idempotency-Key": step})

    def ask(self, step: str) -> None:
        self.requests.append(asyncio.create_task(self.post(step)))

    def invites(self, step: str) -> int:
        user, to = STEPS[step]
        return sum(f"sip:{to}@" in seen.header("From") for seen in self.phones[user].all("invite"))

    def invite(self, step: str) -> Seen | None:
        user, to = STEPS[step]
        return next((seen for seen in self.phones[user].all("invite") if to in seen.header("From")), None)

    async def state(self, step: str) -> str | None:
        query = "select state from originations where destination = $1"
        state: str | None = await self.database.fetchval(query, STEPS[step][1])
        return state

    async def until_noted(self, step: str) -> None:
        async with asyncio.timeout(10):
            while await self.state(step) not in ("accepted", "recorded"):
                await asyncio.sleep(0.02)

    async def id_of(self, step: str) -> str:
        found = await self.database.fetchval("select id from originations where destination = $1", STEPS[step][1])
        return str(found)

    async def call(self, step: str) -> dict[str, Any]:
        return await self.gateway.call(await self.id_of(step))

    def without_ringing(self, step: str) -> tuple[str, bool]:
        """Outcome, and whether all is known: over AMI a call may have come and gone between kill and restart."""
        seen_to_fail = self.journal or step == "originate arrives after the deadline"
        return ("failed", True) if seen_to_fail else ("lost", False)

    async def terminal_events(self, step: str) -> int:
        events = (await self.gateway.api.get("/v1/events", params={"limit": 1000})).json()["data"]
        call_id = await self.id_of(step)
        return sum(event["type"] == "call.ended" and event["data"]["id"] == call_id for event in events)


@pytest.fixture(params=["journal", "ami"])
async def bench(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=3))
        phones = {user: await stack.enter_async_context(device(pbx, name)) for user, name in PHONES.items()}
        hold = await stack.enter_async_context(AmiHold(pbx.ami_url))
        gateway = Gateway(
            pbx,
            tmp_path / "gateway",
            journal=request.param == "journal",
            database_url=database_url,
            extra={"GATEWAY_AMI_URL": hold.url},
        )
        await stack.enter_async_context(gateway)
        database = await asyncpg.connect(database_url)
        stack.push_async_callback(database.close)
        made = Bench(gateway, hold, phones, database, journal=request.param == "journal")
        yield made
        for one in made.requests:
            one.cancel()
        await asyncio.gather(*made.requests, return_exceptions=True)


async def stop_at_every_step(bench: Bench, locks: Connection) -> None:
    """Each request is where its step says; the two that need a lock of the database come last."""
    hold = bench.hold
    withheld = [step for step in STEPS if step.startswith("originate") or step == "answer not noted"]
    hold.actions |= {f"GW_DESTINATION={STEPS[step][1]}" for step in withheld}
    hold.answers.add(f"GW_DESTINATION={STEPS['answer never came'][1]}")
    for step in (*withheld, "answer never came", "accepted"):
        bench.ask(step)
    await hold.until_held(*(f"GW_DESTINATION={STEPS[step][1]}" for step in (*withheld, "answer never came")))
    await bench.until_noted("accepted")

    await locks.execute("begin")
    await locks.execute("select from originations where destination = $1 for update", STEPS["answer not noted"][1])
    await hold.deliver(f"GW_DESTINATION={STEPS['answer not noted'][1]}")
    await until_waiting(bench.database, 2)  # The answer, and the record of the call.

    await locks.execute(f"select pg_advisory_xact_lock({PLACING_LOCK})")
    bench.ask("reservation not committed")
    await until_waiting(bench.database, 3)

    hold.actions.add("PJSIP_DIAL_CONTACTS(103)")
    bench.ask("nothing reserved")
    await hold.until_held("PJSIP_DIAL_CONTACTS(103)")


async def until_waiting(database: Connection, count: int) -> None:
    async with asyncio.timeout(10):
        while await database.fetchval("select count(*) from pg_locks where not granted") < count:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(180)
async def test_killed_at_every_step_nobody_is_rung_twice_or_after_it_failed(bench: Bench, database_url: str) -> None:
    hold, gateway = bench.hold, bench.gateway
    locks = await asyncpg.connect(database_url)
    await stop_at_every_step(bench, locks)
    asked_at = time.monotonic()
    await gateway.kill()
    await locks.execute("rollback")
    await locks.close()
    await asyncio.gather(*bench.requests, return_exceptions=True)
    hold.actions.discard("PJSIP_DIAL_CONTACTS(103)")
    await hold.deliver(f"GW_DESTINATION={STEPS['originate arrives'][1]}")
    await gateway.start()

    assert [await bench.state(step) for step in NEVER_ASKED] == [None, None]
    for step in RINGS:
        await bench.phones[STEPS[step][0]].wait_until(partial(bench.invite, step), f"an INVITE for {step!r}")
        assert (await bench.call(step))["state"] != "ended"

    await asyncio.sleep(max(0.0, asked_at + DEADLINE + 1.5 - time.monotonic()))
    await hold.deliver(f"GW_DESTINATION={STEPS['originate arrives after the deadline'][1]}")
    for step in FAILS:
        call = await gateway.ended(await bench.id_of(step), DEADLINE + MARGIN + 10)
        assert (call["outcome"], call["complete"]) == bench.without_ringing(step), step
    await hold.deliver(f"GW_DESTINATION={STEPS['originate arrives when it was reported failed'][1]}")
    for step in RINGS:
        await gateway.ended(await bench.id_of(step), RING_TIMEOUT + 15)
    await asyncio.sleep(3)

    again = {step: await bench.post(step) for step in STEPS}
    assert {step: answer.status_code for step, answer in again.items()} == dict.fromkeys(STEPS, 202)
    replayed = {step for step, answer in again.items() if "Idempotent-Replayed" in answer.headers}
    assert replayed == {*RINGS, *FAILS}
    await bench.phones["103"].wait_for("invite")
    await asyncio.sleep(2)

    invites = {step: bench.invites(step) for step in STEPS}
    print(invites)
    assert invites == dict.fromkeys([*NEVER_ASKED, *RINGS], 1) | dict.fromkeys(FAILS, 0)
    for step in FAILS:
        assert (await bench.call(step))["outcome"] == bench.without_ringing(step)[0]
    for step in RINGS:
        assert (await bench.call(step))["outcome"] == "no_answer", step
    assert {step: await bench.terminal_events(step) for step in (*RINGS, *FAILS)} == dict.fromkeys([*RINGS, *FAILS], 1)
