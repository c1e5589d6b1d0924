"""Conferences: rooms, in which each participant has a call of their own, and a phone that mixes its own two calls.

The first of a room hears an announcement before it is let in, so that its segment begins later than its phone
shows.
"""

import asyncio

from tests.lab.phones import Phone
from tests.lab.scenarios.legs import Leg, connect, dial
from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, Talked, talk_a_little
from tests.lab.scenarios.transfers import BOB_ANSWERED, by_phone, from_outside, inbound

ROOM = "800"


async def enter(lab: Lab, phone: Phone, count: int) -> Leg:
    """The phone goes into the room; returns once so many are in it."""
    leg = await dial(phone, ROOM)
    await leg.saw("talking")
    await until_in_room(lab, count)
    return leg


async def until_in_room(lab: Lab, count: int) -> None:
    async with asyncio.timeout(15):
        while (await lab.pbx.command("confbridge list 800")).count("PJSIP/") != count:
            await asyncio.sleep(0.05)


async def stay(leg: Leg, *, first: bool = False) -> Expected:
    talk = Talked((leg.phone.name,), "conference", None if first else await leg.at("talking"), await leg.at("over"))
    return Expected("answered", "internal", leg.phone.name, ROOM, (), "caller", talks=(talk,), answered_by="")


async def conference_of_three(lab: Lab) -> list[Expected]:
    bob = await enter(lab, lab.bob, 1)
    await talk_a_little(4.0)  # the announcement to whoever is alone
    carol = await enter(lab, lab.carol, 2)
    dave = await enter(lab, lab.dave, 3)
    await talk_a_little()
    for leg in (carol, bob, dave):
        await leg.hang_up()
        await leg.saw("over")
        await talk_a_little(0.4)
    return [await stay(bob, first=True), await stay(carol), await stay(dave)]


async def conference_alone(lab: Lab) -> Expected:
    bob = await enter(lab, lab.bob, 1)
    await talk_a_little(4.0)
    await bob.hang_up()
    return await stay(bob, first=True)


async def conference_left_and_entered_again(lab: Lab) -> list[Expected]:
    """Two calls of Carol's into the same room."""
    bob = await enter(lab, lab.bob, 1)
    await talk_a_little(4.0)
    once = await enter(lab, lab.carol, 2)
    await talk_a_little()
    await once.hang_up()
    await until_in_room(lab, 1)
    again = await enter(lab, lab.carol, 2)
    await talk_a_little()
    await again.hang_up()
    await again.saw("over")
    await bob.hang_up()
    return [await stay(bob, first=True), await stay(once), await stay(again)]


async def transfer_into_conference(lab: Lab) -> list[Expected]:
    """Dave is in the room; Bob sends his caller there."""
    dave = await enter(lab, lab.dave, 1)
    await talk_a_little(4.0)
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, ROOM)
    await until_in_room(lab, 2)
    await talk_a_little()
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE,), "conference", until, await pair.caller.at("over")),
    )
    await talk_a_little()
    await dave.hang_up()
    return [
        await stay(dave, first=True),
        from_outside(attempts=(BOB_ANSWERED,), hung_up_by="caller", talks=talks),
    ]


async def conference_of_a_phone(lab: Lab) -> list[Expected]:
    """Bob calls Carol and Dave, and his phone mixes the two: two calls."""
    await lab.bob.behave(media=True)
    first = await connect(lab.bob, "103", lab.carol, media=True)
    await lab.bob.hold(first.caller.call)
    second = await connect(lab.bob, "104", lab.dave, media=True)
    await lab.bob.unhold(first.caller.call)
    await lab.bob.join()
    await talk_a_little()
    await second.callee.hang_up()
    await second.caller.saw("over")
    await talk_a_little()
    await first.caller.hang_up()
    talks = (
        Talked(("102", "103"), "dial", first.since, await first.callee.at("over")),
        Talked(("102", "104"), "dial", second.since, await second.callee.at("over")),
    )
    return [
        Expected("answered", "internal", "102", "103", (Rang("PJSIP/103", "answered"),), "caller", talks=talks[:1]),
        Expected("answered", "internal", "102", "104", (Rang("PJSIP/104", "answered"),), "callee", talks=talks[1:]),
    ]


SCENARIOS: tuple[Play, ...] = (
    conference_of_three,
    conference_alone,
    conference_left_and_entered_again,
    transfer_into_conference,
    conference_of_a_phone,
)

FOREIGN: tuple[Play, ...] = (transfer_into_conference,)
