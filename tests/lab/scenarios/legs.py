"""Single calls of single phones, for scenarios in which a phone has several."""

import asyncio
from dataclasses import dataclass

from tests.lab.phones import Phone, Seen
from tests.lab.scenarios.model import Lab, seen_of


@dataclass(frozen=True, slots=True)
class Leg:
    """One call as one phone sees it."""

    phone: Phone
    call: str

    async def saw(self, what: str) -> Seen:
        """The first thing of this kind that the phone saw of this call; waits for it."""
        return await seen_of(self.phone, what, 0, self.call)

    async def at(self, what: str) -> float:
        return (await self.saw(what)).at

    async def hang_up(self) -> None:
        await self.phone.hang_up(self.call)


async def dial(phone: Phone, to: str, *, caller: str | None = None) -> Leg:
    return Leg(phone, await phone.call(to, caller=caller))


async def rung(phone: Phone, mark: int) -> Leg:
    """The call that comes in after `mark`."""
    return Leg(phone, (await phone.wait_for("invite", since=mark)).call)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who talk: the one who called, and the one who answered at `since`."""

    caller: Leg
    callee: Leg
    since: float


async def connect(caller: Phone, to: str, callee: Phone, *, media: bool = False) -> Pair:
    """`caller` dials `to`, `callee` answers, and they talk."""
    await callee.behave(answer_after=0.3, media=media)
    mark = len(callee.seen)
    near = await dial(caller, to)
    far = await rung(callee, mark)
    since = await far.at("talking")
    await near.saw("talking")
    return Pair(near, far, since)


async def with_media(lab: Lab) -> None:
    """From now on everybody's calls carry RTP."""
    for phone in lab.everyone():
        await phone.behave(media=True)


async def channel_of(lab: Lab, endpoint: str) -> str:
    """The name of the endpoint's newest channel, as Asterisk has it now."""
    lines = (await lab.pbx.command("core show channels concise")).splitlines()
    names = sorted(line.split("!")[0] for line in lines if line.startswith(f"{endpoint}-"))
    assert names, f"{endpoint} has no channel: {lines}"
    return names[-1]


async def no_channel_of(lab: Lab, endpoint: str) -> None:
    """Waits until the endpoint has no channel any more."""
    async with asyncio.timeout(10):
        while f"{endpoint}-" in await lab.pbx.command("core show channels concise"):
            await asyncio.sleep(0.05)
