"""Parking: Bob parks his caller; somebody retrieves the call, or the lot rings Bob again, or the caller gives up."""

import time
from collections.abc import Awaitable, Callable

from tests.lab.phones import Phone
from tests.lab.scenarios.legs import Leg, Pair, channel_of, dial, no_channel_of, rung
from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, Talked, talk_a_little
from tests.lab.scenarios.transfers import BOB_ANSWERED, by_phone, from_outside, inbound

LOT, BRIEF_LOT = "70", "80"

Park = Callable[[Lab, Pair], Awaitable[float | None]]
"""When the talk ended, as far as anybody but Asterisk knows: the phone that parks first hears where."""


async def park_by_phone(lab: Lab, pair: Pair) -> float:
    return await by_phone(lab, pair.callee, LOT)


async def park_by_key(lab: Lab, pair: Pair) -> None:
    await pair.callee.phone.dtmf("#72", pair.callee.call)
    await pair.callee.saw("over")


async def park_by_operator(lab: Lab, pair: Pair) -> float:
    headers = {"Channel": await channel_of(lab, "PJSIP/trunk"), "Parkinglot": "default"}
    await lab.ami.action("Park", headers | {"AnnounceChannel": await channel_of(lab, "PJSIP/102")})
    until = time.time()
    await pair.callee.saw("over")
    return until


async def space(lab: Lab) -> str:
    """Where the one parked call is."""
    parked = await lab.ami.list_action("ParkedCalls", None, "ParkedCallsComplete")
    return parked[-1]["ParkingSpace"]


async def parked_and_retrieved(lab: Lab, park: Park, by: Phone) -> Expected:
    pair = await inbound(lab, media=park is park_by_key)
    await talk_a_little()
    until = await park(lab, pair)
    await no_channel_of(lab, "PJSIP/102")
    await talk_a_little()
    retriever = await dial(by, await space(lab))
    await retriever.saw("talking")
    await talk_a_little()
    await retriever.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, by.name), "park", await retriever.at("talking"), await pair.caller.at("over")),
    )
    return from_outside(hung_up_by="callee", talks=talks, merged=1)


async def parked_by_phone_and_retrieved(lab: Lab) -> Expected:
    return await parked_and_retrieved(lab, park_by_phone, lab.carol)


async def parked_by_key_and_retrieved(lab: Lab) -> Expected:
    return await parked_and_retrieved(lab, park_by_key, lab.carol)


async def parked_by_operator_and_retrieved(lab: Lab) -> Expected:
    return await parked_and_retrieved(lab, park_by_operator, lab.carol)


async def parked_and_retrieved_by_parker(lab: Lab) -> Expected:
    return await parked_and_retrieved(lab, park_by_phone, lab.bob)


async def parked_by_caller_and_retrieved(lab: Lab) -> Expected:
    """Bob called the outside, and parks it; Carol takes over."""
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    near = await dial(lab.bob, OUTSIDE)
    far = await rung(lab.carrier, mark)
    since = await far.at("talking")
    await near.saw("talking")
    await talk_a_little()
    until = await by_phone(lab, near, LOT)
    await no_channel_of(lab, "PJSIP/102")
    await talk_a_little()
    retriever = await dial(lab.carol, await space(lab))
    await retriever.saw("talking")
    await talk_a_little()
    await far.hang_up()
    talks = (
        Talked(("102", OUTSIDE), "dial", since, until),
        Talked((OUTSIDE, "103"), "park", await retriever.at("talking"), await retriever.at("over")),
    )
    attempts = (Rang(OUTSIDE, "answered"),)
    return Expected("answered", "outbound", "102", OUTSIDE, attempts, "callee", talks=talks, merged=1)


async def parked_for_too_long(lab: Lab) -> tuple[Pair, float, Leg]:
    pair = await inbound(lab)
    await talk_a_little()
    await lab.bob.behave()
    until = await by_phone(lab, pair.callee, BRIEF_LOT)
    mark = len(lab.bob.seen)
    return pair, until, await rung(lab.bob, mark)


async def parked_parker_rung_back(lab: Lab) -> Expected:
    pair, until, again = await parked_for_too_long(lab)
    await talk_a_little(0.3)
    await lab.bob.answer(again.call)
    since = await again.at("talking")
    await talk_a_little()
    await again.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, "102"), "park", since, await again.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang("PJSIP/102", "answered", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="callee", talks=talks)


async def parked_parker_rung_back_in_vain(lab: Lab) -> Expected:
    pair, until, _ = await parked_for_too_long(lab)
    await pair.caller.saw("over")
    talk = Talked((MOBILE, "102"), "dial", pair.since, until)
    attempts = (BOB_ANSWERED, Rang("PJSIP/102", "no_answer", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="system", talks=(talk,))


async def parked_caller_gives_up(lab: Lab) -> Expected:
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, LOT)
    await no_channel_of(lab, "PJSIP/102")
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked((MOBILE, "102"), "dial", pair.since, until)
    return from_outside(hung_up_by="caller", talks=(talk,))


SCENARIOS: tuple[Play, ...] = (
    parked_by_phone_and_retrieved,
    parked_by_key_and_retrieved,
    parked_by_operator_and_retrieved,
    parked_and_retrieved_by_parker,
    parked_by_caller_and_retrieved,
    parked_parker_rung_back,
    parked_parker_rung_back_in_vain,
    parked_caller_gives_up,
)

FOREIGN = SCENARIOS
