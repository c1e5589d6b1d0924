"""One thing after another: transfers of transferred calls, of queue calls, of picked-up, parked and clicked ones."""

from typing import Any

from tests.lab.phones import Phone
from tests.lab.scenarios.legs import Leg, Pair, connect, dial, no_channel_of, rung, with_media
from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, Talked, talk_a_little
from tests.lab.scenarios.parking import LOT, space
from tests.lab.scenarios.transfers import (
    BOB_ANSWERED,
    CAROL_ANSWERED,
    ask_by_key,
    by_phone,
    from_outside,
    inbound,
)

DAVE_ANSWERED = Rang("PJSIP/104", "answered", "transfer")
OTHER_CALLER = "+61411000222"


async def answered_by_next(phone: Phone, mark: int) -> Leg:
    leg = await rung(phone, mark)
    await leg.saw("talking")
    return leg


async def ask_and_leave(lab: Lab, leg: Leg, to: str, asked: Phone) -> tuple[Leg, float]:
    """By key: asks, talks, and hangs up; whom he asked, and when he left."""
    mark = len(asked.seen)
    await ask_by_key(lab, leg, to)
    target = await answered_by_next(asked, mark)
    await talk_a_little()
    await leg.hang_up()
    left = await leg.at("over")
    await talk_a_little(1.2)
    return target, left


async def attended_transfer_twice_by_key(lab: Lab) -> Expected:
    """Bob asks Carol, who gets the caller, asks Dave, and hands him on."""
    await with_media(lab)
    await lab.carol.behave(answer_after=0.3, media=True)
    await lab.dave.behave(answer_after=0.3, media=True)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    carol, first = await ask_and_leave(lab, pair.callee, "103", lab.carol)
    dave, second = await ask_and_leave(lab, carol, "104", lab.dave)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("102", "103"), "dial", await carol.at("talking"), first),
        Talked((MOBILE, "103"), "transfer", first, await dave.at("invite")),
        Talked(("103", "104"), "dial", await dave.at("talking"), second),
        Talked((MOBILE, "104"), "transfer", second, await dave.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED, DAVE_ANSWERED), hung_up_by="caller", talks=talks)


async def attended_by_key_then_blind(lab: Lab, *, media: bool) -> Expected:
    """What Carol hands on is behind a Local channel, unless media has made it leave."""
    if media:
        await with_media(lab)
    await lab.carol.behave(answer_after=0.3, media=media)
    await lab.dave.behave(answer_after=0.3, media=media)
    mark = len(lab.dave.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    carol, first = await ask_and_leave(lab, pair.callee, "103", lab.carol)
    second = await by_phone(lab, carol, "104")
    dave = await answered_by_next(lab.dave, mark)
    await talk_a_little()
    await dave.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("102", "103"), "dial", await carol.at("talking"), first),
        Talked((MOBILE, "103"), "transfer", first, second),
        Talked((MOBILE, "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED, DAVE_ANSWERED), hung_up_by="callee", talks=talks)


async def attended_transfer_by_key_then_blind(lab: Lab) -> Expected:
    return await attended_by_key_then_blind(lab, media=False)


async def attended_transfer_by_key_then_blind_with_media(lab: Lab) -> Expected:
    return await attended_by_key_then_blind(lab, media=True)


async def blind_transfer_and_back(lab: Lab) -> Expected:
    """Bob to Carol, and Carol back to Bob."""
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    pair = await inbound(lab)
    await talk_a_little()
    first = await by_phone(lab, pair.callee, "103")
    carol = await answered_by_next(lab.carol, mark)
    await talk_a_little()
    mark = len(lab.bob.seen)
    second = await by_phone(lab, carol, "102")
    bob = await answered_by_next(lab.bob, mark)
    await talk_a_little()
    await bob.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, first),
        Talked((MOBILE, "103"), "transfer", await carol.at("talking"), second),
        Talked((MOBILE, "102"), "transfer", await bob.at("talking"), await bob.at("over")),
    )
    attempts = (BOB_ANSWERED, CAROL_ANSWERED, Rang("PJSIP/102", "answered", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="callee", talks=talks)


async def blind_from(lab: Lab, pair: Pair, how: str = "dial") -> tuple[Talked, Talked]:
    """Whoever answered (Carol) hands the caller to Dave, who hangs up."""
    await lab.dave.behave(answer_after=0.3)
    mark = len(lab.dave.seen)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "104")
    dave = await answered_by_next(lab.dave, mark)
    await talk_a_little()
    await dave.hang_up()
    return (
        Talked((MOBILE, pair.callee.phone.name), how, pair.since, until),
        Talked((MOBILE, "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )


async def group_call_transferred(lab: Lab) -> Expected:
    pair = await connect(lab.carrier, "+61290000002", lab.carol)
    talks = await blind_from(lab, pair)
    attempts = (
        Rang("PJSIP/103", "answered", "ring_group"),
        Rang("PJSIP/102", "answered_elsewhere", "ring_group"),
        DAVE_ANSWERED,
    )
    visit = ("sales", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000002", attempts, "callee", (visit,), talks)


async def local_agent_transfers(lab: Lab) -> Expected:
    """Carol is rung by way of a Local channel that stays."""
    pair = await connect(lab.carrier, "+61290000704", lab.carol)
    talks = await blind_from(lab, pair)
    attempts = (
        Rang("PJSIP/103", "answered", "queue"),
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
        DAVE_ANSWERED,
    )
    visit = ("field", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000704", attempts, "callee", (visit,), talks)


async def picked_up_then_transferred(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    near = await dial(lab.carrier, "+61290000102")
    await (await rung(lab.bob, mark)).saw("ringing")
    far = await dial(lab.carol, "*8102")
    talks = await blind_from(lab, Pair(near, far, await near.at("talking")), "pickup")
    attempts = (
        Rang("PJSIP/102", "answered_elsewhere"),
        Rang("PJSIP/103", "answered", "pickup"),
        DAVE_ANSWERED,
    )
    return from_outside(attempts=attempts, hung_up_by="callee", talks=talks, answered_by="PJSIP/103", merged=1)


async def park_and_retrieve(lab: Lab, leg: Leg, by: Phone) -> tuple[float, Leg]:
    until = await by_phone(lab, leg, LOT)
    await no_channel_of(lab, f"PJSIP/{leg.phone.name}")
    retriever = await dial(by, await space(lab))
    await retriever.saw("talking")
    return until, retriever


async def parked_retrieved_then_transferred(lab: Lab) -> Expected:
    pair = await inbound(lab)
    await talk_a_little()
    until, carol = await park_and_retrieve(lab, pair.callee, lab.carol)
    talks = await blind_from(lab, Pair(pair.caller, carol, await carol.at("talking")), "park")
    first = Talked((MOBILE, "102"), "dial", pair.since, until)
    return from_outside(attempts=(BOB_ANSWERED, DAVE_ANSWERED), hung_up_by="callee", talks=(first, *talks), merged=1)


async def parked_twice(lab: Lab) -> Expected:
    """Bob parks, Carol retrieves and parks, Bob retrieves: three calls that are one."""
    pair = await inbound(lab)
    await talk_a_little()
    first, carol = await park_and_retrieve(lab, pair.callee, lab.carol)
    await talk_a_little()
    second, bob = await park_and_retrieve(lab, carol, lab.bob)
    await talk_a_little()
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, first),
        Talked((MOBILE, "103"), "park", await carol.at("talking"), second),
        Talked((MOBILE, "102"), "park", await bob.at("talking"), await bob.at("over")),
    )
    return from_outside(hung_up_by="caller", talks=talks, merged=2)


async def consult_queue(lab: Lab, *, answered: bool) -> Expected:
    """Dave, no agent, calls the queue about his caller, and joins the two: with an agent, or while it still rings."""
    await lab.carol.behave(answer_after=0.3 if answered else None)
    pair = await connect(lab.carrier, "+61290000104", lab.dave)
    await talk_a_little()
    await lab.dave.hold(pair.callee.call)
    mark = len(lab.carol.seen)
    near = await dial(lab.dave, "700")
    carol = await rung(lab.carol, mark)
    await near.saw("talking")
    if answered:
        await carol.saw("talking")
    await talk_a_little()
    joined = (await lab.dave.refer_replaces(pair.callee.call, near.call)).at
    if not answered:
        await talk_a_little(0.3)
        await lab.carol.answer(carol.call)
    since = await carol.at("talking")
    await talk_a_little()
    await carol.hang_up()
    consulted = (Talked(("104", "103"), "dial", since, joined),) if answered else ()
    talks = (
        Talked((MOBILE, "104"), "dial", pair.since, since if answered else joined),
        *consulted,
        Talked((MOBILE, "103"), "transfer", max(since, joined), await carol.at("over")),
    )
    attempts = (
        Rang("PJSIP/104", "answered"),
        Rang("PJSIP/103", "answered", "queue"),
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
    )
    visit = ("support", "answered")
    return Expected(
        "answered", "inbound", MOBILE, "+61290000104", attempts, "callee", (visit,), talks, "PJSIP/104", merged=1
    )


async def attended_transfer_to_queue(lab: Lab) -> Expected:
    return await consult_queue(lab, answered=True)


async def attended_transfer_to_queue_that_rings(lab: Lab) -> Expected:
    return await consult_queue(lab, answered=False)


async def blonde_transfer_to_group(lab: Lab) -> Expected:
    """Dave calls the group, and joins his caller to it while it rings."""
    pair = await connect(lab.carrier, "+61290000104", lab.dave)
    await talk_a_little()
    await lab.dave.hold(pair.callee.call)
    mark = len(lab.carol.seen)
    near = await dial(lab.dave, "600")
    carol = await rung(lab.carol, mark)
    await near.saw("ringing")
    await talk_a_little(0.3)
    joined = (await lab.dave.refer_replaces(pair.callee.call, near.call)).at
    await talk_a_little(0.3)
    await lab.carol.answer(carol.call)
    since = await carol.at("talking")
    await talk_a_little()
    await carol.hang_up()
    talks = (
        Talked((MOBILE, "104"), "dial", pair.since, joined),
        Talked((MOBILE, "103"), "transfer", since, await carol.at("over")),
    )
    attempts = (
        Rang("PJSIP/104", "answered"),
        Rang("PJSIP/103", "answered", "ring_group"),
        Rang("PJSIP/102", "answered_elsewhere", "ring_group"),
    )
    visit = ("sales", "answered")
    return Expected(
        "answered", "inbound", MOBILE, "+61290000104", attempts, "callee", (visit,), talks, "PJSIP/104", merged=1
    )


async def blonde_transfer_in_vain(lab: Lab) -> Expected:
    """By phone, and Carol does not answer: the caller is left with nobody."""
    pair = await inbound(lab)
    await talk_a_little()
    await lab.bob.hold(pair.callee.call)
    mark = len(lab.carol.seen)
    near = await dial(lab.bob, "103")
    carol = await rung(lab.carol, mark)
    await near.saw("ringing")
    joined = (await lab.bob.refer_replaces(pair.callee.call, near.call)).at
    await carol.saw("over")
    await pair.caller.saw("over")
    talk = Talked((MOBILE, "102"), "dial", pair.since, joined)
    attempts = (BOB_ANSWERED, Rang("PJSIP/103", "no_answer", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="system", talks=(talk,), merged=1)


async def two_callers_joined(lab: Lab) -> Expected:
    """Two who called Bob, whom Bob brings together: two inbound calls become the older one."""
    first = await inbound(lab)
    await talk_a_little()
    await lab.bob.hold(first.callee.call)
    mark = len(lab.bob.seen)
    other = await dial(lab.carrier, "+61290000102", caller=f"<sip:{OTHER_CALLER}@{lab.carrier.address}>")
    second = await answered_by_next(lab.bob, mark)
    await talk_a_little()
    joined = (await lab.bob.refer_replaces(first.callee.call, second.call)).at
    await talk_a_little()
    await first.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", first.since, await second.at("talking")),
        Talked((OTHER_CALLER, "102"), "dial", await second.at("talking"), joined),
        Talked((MOBILE, OTHER_CALLER), "transfer", joined, await other.at("over")),
    )
    return from_outside(hung_up_by="caller", talks=talks, merged=1)


# Of calls that the gateway placed: the user is behind a Local channel that stays.

CLICKED = (
    Rang("PJSIP/101-desk", "answered", "click_to_call"),
    Rang("PJSIP/101-mobile", "answered_elsewhere", "click_to_call"),
)


async def click(lab: Lab, to: str, called: Phone) -> Pair:
    """Alice clicks, takes the call at her desk, and talks."""
    await lab.desk.behave(answer_after=0.3)
    await called.behave(answer_after=0.3)
    marks = len(lab.desk.seen), len(called.seen)
    response = await lab.gateway.api.post("/v1/calls", json={"user": "101", "to": to})
    assert response.status_code == 202, response.text
    near = await rung(lab.desk, marks[0])
    far = await answered_by_next(called, marks[1])
    await talk_a_little()
    return Pair(near, far, await far.at("talking"))


def clicked(to: str, *attempts: Rang, **more: Any) -> Expected:
    direction = "outbound" if to == OUTSIDE else "internal"
    return Expected("answered", direction, "101", to, (*CLICKED, *attempts), placed=True, **more)


async def click_then_blind_by_user(lab: Lab) -> Expected:
    """Alice hands the outside to Carol."""
    pair = await click(lab, OUTSIDE, lab.carrier)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    until = await by_phone(lab, pair.caller, "103")
    carol = await answered_by_next(lab.carol, mark)
    await talk_a_little()
    await pair.callee.hang_up()
    talks = (
        Talked(("101", OUTSIDE), "dial", pair.since, until),
        Talked((OUTSIDE, "103"), "transfer", await carol.at("talking"), await carol.at("over")),
    )
    return clicked(OUTSIDE, Rang(OUTSIDE, "answered"), CAROL_ANSWERED, hung_up_by="callee", talks=talks)


async def click_then_blind_by_called(lab: Lab) -> Expected:
    """Alice clicked Carol, who hands her to Dave."""
    pair = await click(lab, "103", lab.carol)
    await lab.dave.behave(answer_after=0.3)
    mark = len(lab.dave.seen)
    until = await by_phone(lab, pair.callee, "104")
    dave = await answered_by_next(lab.dave, mark)
    await talk_a_little()
    await pair.caller.hang_up()
    talks = (
        Talked(("101", "103"), "dial", pair.since, until),
        Talked(("101", "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )
    return clicked("103", Rang("PJSIP/103", "answered"), DAVE_ANSWERED, hung_up_by="caller", talks=talks)


async def click_then_attended_by_user(lab: Lab) -> Expected:
    """Alice asks Carol with a second call of her desk phone, and joins the two."""
    pair = await click(lab, OUTSIDE, lab.carrier)
    await lab.desk.hold(pair.caller.call)
    asked = await connect(lab.desk, "103", lab.carol)
    await talk_a_little()
    joined = (await lab.desk.refer_replaces(pair.caller.call, asked.caller.call)).at
    await talk_a_little()
    await asked.callee.hang_up()
    talks = (
        Talked(("101", OUTSIDE), "dial", pair.since, asked.since),
        Talked(("101", "103"), "dial", asked.since, joined),
        Talked((OUTSIDE, "103"), "transfer", joined, await asked.callee.at("over")),
    )
    return clicked(OUTSIDE, Rang(OUTSIDE, "answered"), CAROL_ANSWERED, hung_up_by="callee", talks=talks, merged=1)


async def click_then_parked(lab: Lab) -> Expected:
    """Alice parks the outside; Carol retrieves it."""
    pair = await click(lab, OUTSIDE, lab.carrier)
    until = await by_phone(lab, pair.caller, LOT)
    await no_channel_of(lab, "PJSIP/101-desk")
    await talk_a_little()
    carol = await dial(lab.carol, await space(lab))
    await carol.saw("talking")
    await talk_a_little()
    await carol.hang_up()
    talks = (
        Talked(("101", OUTSIDE), "dial", pair.since, until),
        Talked((OUTSIDE, "103"), "park", await carol.at("talking"), await carol.at("over")),
    )
    return clicked(OUTSIDE, Rang(OUTSIDE, "answered"), hung_up_by="callee", talks=talks, merged=1)


async def click_then_held(lab: Lab) -> Expected:
    pair = await click(lab, OUTSIDE, lab.carrier)
    await lab.desk.hold(pair.caller.call)
    await talk_a_little()
    await lab.desk.unhold(pair.caller.call)
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked(("101", OUTSIDE), "dial", pair.since, await pair.callee.at("over"))
    return clicked(OUTSIDE, Rang(OUTSIDE, "answered"), hung_up_by="caller", talks=(talk,))


PLACED: tuple[Play, ...] = (
    click_then_blind_by_user,
    click_then_blind_by_called,
    click_then_attended_by_user,
    click_then_parked,
    click_then_held,
)
"""Those in which the gateway places the call."""

SCENARIOS: tuple[Play, ...] = (
    attended_transfer_twice_by_key,
    attended_transfer_by_key_then_blind,
    attended_transfer_by_key_then_blind_with_media,
    blind_transfer_and_back,
    group_call_transferred,
    local_agent_transfers,
    picked_up_then_transferred,
    parked_retrieved_then_transferred,
    parked_twice,
    attended_transfer_to_queue,
    attended_transfer_to_queue_that_rings,
    blonde_transfer_to_group,
    blonde_transfer_in_vain,
    two_callers_joined,
    *PLACED,
)

FOREIGN = SCENARIOS
