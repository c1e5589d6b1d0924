"""What the phones do: the calls of the plan, played."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.agents import Crowd, Leg
from tests.chaos.mix import Act, Planned
from tests.chaos.pbx import MAIN_NUMBER
from tests.chaos.plant import Plant

ANSWER_SECONDS = 15.0
LONGEST_SECONDS = 45.0
ASK_AGAIN_SECONDS = 0.4
PLACING_SECONDS = 14.0
"""For how long a client asks again with the same key. The deadline of a reserved call is ten seconds away."""


@dataclass(slots=True)
class Asked:
    """What the API said to a click: `id` is the call's, if any answer was 202. `answers`: status codes, 0 for none.

    `over`: the API has told its end.
    """

    at: float
    id: str = ""
    over: bool = False
    answers: list[int] = field(default_factory=list)


class Play:
    """`planned` grows with the calls that are played besides."""

    def __init__(self, planned: list[Planned]) -> None:
        self.planned = list(planned)
        self.asked: dict[str, Asked] = {}
        self.begun = 0
        self.crowd = Crowd(self.behave)
        self._acts: dict[str, Mapping[str, Act]] = {call.identity: call.acts for call in planned}

    async def behave(self, leg: Leg) -> None:
        """An agent is called."""
        act = self._acts.get(leg.identity, {}).get(leg.agent.name, Act())
        leg.ring()
        if not act.code or await _over(leg, act.after):
            return
        if act.code != 200:
            leg.refuse(act.code)
            return
        leg.accept()
        if act.talk is None or await _over(leg, act.talk):
            return
        if act.refer:
            leg.refer(act.refer)
            await _over(leg, LONGEST_SECONDS)
        leg.bye()

    async def all(self, plant: Plant) -> None:
        """Play the plan; whatever is still up long after is hung up."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for call in list(self.planned):
                await asyncio.sleep(max(0.0, began + call.at - loop.time()))
                await plant.asterisk_up.wait()
                self.begun += 1
                group.create_task(self.one(plant, call))

    async def besides(self, plant: Plant, call: Planned) -> None:
        """One more, now."""
        self.planned.append(call)
        self._acts[call.identity] = call.acts
        await self.one(plant, call)

    async def one(self, plant: Plant, call: Planned) -> None:
        if call.kind == "click":
            await self._click(plant, call)
            return
        agent = self.crowd.agents[call.by]
        leg = agent.call(call.identity, call.to, call.identity if call.by == "trunk" else MAIN_NUMBER)
        patience = call.cancel_after if call.cancel_after is not None else ANSWER_SECONDS
        answered = await _decided(leg, patience)
        if leg.over:
            return
        if not answered:
            leg.cancel()
            await _decided(leg, ANSWER_SECONDS)
        elif not await _over(leg, call.cancel_after or call.talk):
            leg.bye()
        await _over(leg, LONGEST_SECONDS)

    async def _click(self, plant: Plant, call: Planned) -> None:
        asked = self.asked[call.identity] = Asked(time.time())
        body = {"user": call.by, "to": call.to, "ring_timeout": 5, "answer_timeout": 6}
        while time.time() < asked.at + PLACING_SECONDS:
            response = await plant.request(
                "POST", "/v1/calls", json=body, headers={"Idempotency-Key": f"click {call.identity}"}
            )
            asked.answers.append(response.status_code if response is not None else 0)
            if response is not None and response.status_code == 202:
                asked.id = response.json()["id"]
                return
            if response is not None and response.status_code not in (409, 429):
                return
            await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _over(leg: Leg, seconds: float) -> bool:
    return await _within(leg.ended, seconds)


async def _decided(leg: Leg, seconds: float) -> bool:
    return await _within(leg.decided, seconds)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
