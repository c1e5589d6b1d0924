"""What a scenario is given, and how it says what is true.

A scenario acts with real phones and then states what must be recorded, from what the phones
did: `Phone.seen` has each thing with its time. It never asks the gateway what it recorded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.asterisk.ami import AmiSession
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, Seen, device

MOBILE = "+61411000999"
OUTSIDE = "+61255501234"
DEVICES = ("101-desk", "101-mobile", "102", "103", "104")
"""The phones of a lab that register, in the order of `Lab`'s fields."""


@dataclass(frozen=True, slots=True)
class Lab:
    """One PBX and who plays on it. `ami` may do everything; the gateway has a user of its own with less."""

    pbx: AsteriskInstance
    gateway: Gateway
    ami: AmiSession
    desk: Phone
    mobile: Phone
    bob: Phone
    carol: Phone
    dave: Phone
    carrier: Phone
    guests: list[Phone] = field(default_factory=list, init=False)
    """Phones that one scenario alone has switched on."""

    def everyone(self) -> list[Phone]:
        return [self.desk, self.mobile, self.bob, self.carol, self.dave, self.carrier, *self.guests]


@dataclass(frozen=True, slots=True)
class Rang:
    """An attempt: `who` is the device (`PJSIP/102`) or, outside, the number; rung again and again: said once."""

    who: str
    result: str
    via: str = "direct"


@dataclass(frozen=True, slots=True)
class Talked:
    """A segment: parties by number (101, +61411000999), times (epoch seconds) by the phones' logs, None: unknown."""

    parties: tuple[str, ...]
    how: str = "dial"
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the record of one call must say. `hung_up_by` and `end_reason` None: not asserted.

    `visits`: (name of the queue or group, status), in order. `placed`: click to call.
    `account`: whose call it is; None: nobody's. `positions`: at which the caller joined each queue.
    `visits_over_ami`: where AMI says less than queue_log does, and the dialplan nothing.
    `answered_by`: the device or outside number of the first person who answered; "" for nobody.
    """

    outcome: str
    direction: str
    caller: str | None
    callee: str | None
    attempts: tuple[Rang, ...] = ()
    hung_up_by: str | None = None
    visits: tuple[tuple[str, str], ...] = ()
    talks: tuple[Talked, ...] = ()
    answered_by: str | None = None
    end_reason: str | None = None
    caller_name: str | None = None
    merged: int = 0
    complete: bool = True
    placed: bool = False
    account: str | None = "acme"
    positions: tuple[int, ...] | None = None
    visits_over_ami: tuple[tuple[str, str], ...] | None = None
    more: dict[str, object] = field(default_factory=dict)
    """Further members of the call's document that must be equal, by name."""


Play = Callable[[Lab], Awaitable[Expected | list[Expected]]]
"""The calls in the order in which they began."""


async def talk_a_little(seconds: float = 0.6) -> None:
    """People talk for a while: the time itself is what is recorded."""
    await asyncio.sleep(seconds)


def marks(lab: Lab) -> dict[str, int]:
    """How much each phone has seen by now: pass it as `since`."""
    return {phone.name: len(phone.seen) for phone in lab.everyone()}


async def conversation(phone: Phone, since: int, *parties: str, how: str = "dial", call: str = "") -> Talked:
    """What this phone says of its (finished) talk: from when it was connected until its call was over.

    `call`: of which of its calls, by Call-ID; else of the first.
    """
    talking = await seen_of(phone, "talking", since, call)
    over = await seen_of(phone, "over", since, call or talking.call)
    return Talked(parties, how, talking.at, over.at)


async def seen_of(phone: Phone, what: str, since: int, call: str = "") -> Seen:
    """The first thing of this kind after `since`, of the call if one is named."""
    return await phone.wait_until(
        lambda: next((s for s in phone.seen[since:] if s.what == what and call in ("", s.call)), None), what
    )


def fall_silent(phone: Phone) -> None:
    """From now on the phone says nothing at all, as one that was switched off; until `resume()`."""
    phone.pause()
    phone.seen.append(Seen(time.time(), SILENT, "", 0, ""))


SILENT = "silent"
SILENCE_SECONDS = 40.0


async def silence(pbx: AsteriskInstance) -> None:
    """Wait until Asterisk has no channel left."""
    async with asyncio.timeout(SILENCE_SECONDS):
        while "\n0 active channels" not in f"\n{await pbx.command('core show channels count')}":
            await asyncio.sleep(0.05)


@asynccontextmanager
async def guest(lab: Lab, name: str) -> AsyncIterator[Phone]:
    """A phone that only this scenario has."""
    async with device(lab.pbx, name) as phone:
        lab.guests.append(phone)
        yield phone
        if "/" not in name:  # else it signs off by itself
            await phone.sign_off()


@asynccontextmanager
async def user_has_set(lab: Lab, user: str, feature: str, to: str = "") -> AsyncIterator[None]:
    """A user's feature, as extensions-users.conf has them: away, busy, noanswer, follow, dnd, refuses, voicemail …"""
    for family, value in (("user", feature), ("to", to or "-")):
        said = await lab.pbx.command(f"database put {family} {user} {value}")
        assert "successfully" in said, said
    try:
        yield
    finally:
        await lab.pbx.command(f"database del user {user}")
