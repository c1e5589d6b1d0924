"""Transfers: blind and attended, by phone (REFER), by key and by the operator, by whoever was called and by the caller.

Bob transfers, unless it is said otherwise. Where the segment of two ends because a phone was
taken out of its bridge, its own log shows it: the REFER was accepted, or Asterisk said BYE.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tests.lab.scenarios.legs import Leg, Pair, channel_of, connect, dial, no_channel_of, rung, with_media
from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, Talked, talk_a_little

BOBS_DID = "+61290000102"
BOB_ANSWERED = Rang("PJSIP/102", "answered")
CAROL_ANSWERED = Rang("PJSIP/103", "answered", "transfer")

Transfer = Callable[[Lab, Leg, str], Awaitable[float]]
"""Moves whom the leg talks with to an extension; the moment at which the leg's part is over."""


async def inbound(lab: Lab, *, media: bool = False) -> Pair:
    """The outside calls Bob."""
    return await connect(lab.carrier, BOBS_DID, lab.bob, media=media)


def from_outside(**more: object) -> Expected:
    """Such a call, answered by Bob first."""
    return replace(
        Expected("answered", "inbound", MOBILE, BOBS_DID, (BOB_ANSWERED,), answered_by="PJSIP/102"),
        **more,  # type: ignore[arg-type]
    )


# Blind: the one who transfers leaves at once. Whoever presses keys has media: Asterisk counts the time of keys by it.


async def by_phone(lab: Lab, leg: Leg, to: str) -> float:
    return (await leg.phone.refer(to, leg.call)).at


async def by_key(lab: Lab, leg: Leg, to: str) -> float:
    await leg.phone.dtmf(f"##{to}", leg.call)
    return await leg.at("over")


async def by_operator(lab: Lab, leg: Leg, to: str) -> float:
    channel = await channel_of(lab, f"PJSIP/{leg.phone.name}")
    await lab.ami.action("BlindTransfer", {"Channel": channel, "Context": "from-internal", "Exten": to})
    return await leg.at("over")


async def blind_by_callee(lab: Lab, transfer: Transfer, *, media: bool = False) -> Expected:
    await lab.carrier.behave(media=media)
    await lab.carol.behave(answer_after=0.3, media=media)
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=media or transfer is by_key)
    await talk_a_little()
    until = await transfer(lab, pair.callee, "103")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, "103"), "transfer", since, await target.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), hung_up_by="caller", talks=talks)


async def blind_transfer_by_phone(lab: Lab) -> Expected:
    return await blind_by_callee(lab, by_phone)


async def blind_transfer_by_phone_with_media(lab: Lab) -> Expected:
    return await blind_by_callee(lab, by_phone, media=True)


async def blind_transfer_by_key(lab: Lab) -> Expected:
    return await blind_by_callee(lab, by_key)


async def blind_transfer_by_operator(lab: Lab) -> Expected:
    return await blind_by_callee(lab, by_operator)


async def blind_by_caller(lab: Lab, transfer: Transfer) -> Expected:
    """Dave calls Bob and hands him to Carol: Dave's call goes on without Dave."""
    await lab.carol.behave(answer_after=0.3)
    await lab.dave.behave(media=transfer is by_key)
    mark = len(lab.carol.seen)
    pair = await connect(lab.dave, "102", lab.bob)
    await talk_a_little()
    until = await transfer(lab, pair.caller, "103")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await target.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, until),
        Talked(("102", "103"), "transfer", since, await target.at("over")),
    )
    return Expected(
        "answered",
        "internal",
        "104",
        "102",
        (BOB_ANSWERED, CAROL_ANSWERED),
        "callee",
        talks=talks,
        answered_by="PJSIP/102",
    )


async def blind_transfer_by_calling_phone(lab: Lab) -> Expected:
    return await blind_by_caller(lab, by_phone)


async def blind_transfer_by_callers_key(lab: Lab) -> Expected:
    return await blind_by_caller(lab, by_key)


async def blind_transfer_by_operator_of_caller(lab: Lab) -> Expected:
    return await blind_by_caller(lab, by_operator)


async def blind_transfer_of_outbound(lab: Lab) -> Expected:
    """Bob called the outside, and hands it to Carol."""
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    pair = await connect(lab.bob, OUTSIDE, lab.carrier)
    await talk_a_little()
    until = await by_phone(lab, pair.caller, "103")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await pair.callee.hang_up()
    talks = (
        Talked(("102", OUTSIDE), "dial", pair.since, until),
        Talked((OUTSIDE, "103"), "transfer", since, await target.at("over")),
    )
    return Expected(
        "answered",
        "outbound",
        "102",
        OUTSIDE,
        (Rang(OUTSIDE, "answered"), CAROL_ANSWERED),
        "callee",
        talks=talks,
        answered_by=OUTSIDE,
    )


async def blind_transfer_of_internal(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    pair = await connect(lab.dave, "102", lab.bob)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "103")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await target.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, until),
        Talked(("104", "103"), "transfer", since, await target.at("over")),
    )
    return Expected("answered", "internal", "104", "102", (BOB_ANSWERED, CAROL_ANSWERED), "callee", talks=talks)


async def blind_in_vain(lab: Lab, to: str, target: Rang, by: str) -> Expected:
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, to)
    await pair.caller.saw("over")
    await pair.callee.hang_up()
    talk = Talked((MOBILE, "102"), "dial", pair.since, until)
    return from_outside(attempts=(BOB_ANSWERED, target), hung_up_by=by, talks=(talk,))


async def blind_transfer_to_busy(lab: Lab) -> Expected:
    await lab.carol.behave(code=486)
    return await blind_in_vain(lab, "103", Rang("PJSIP/103", "busy", "transfer"), "callee")


async def blind_transfer_declined(lab: Lab) -> Expected:
    await lab.carol.behave(code=603)
    return await blind_in_vain(lab, "103", Rang("PJSIP/103", "declined", "transfer"), "callee")


async def blind_transfer_no_answer(lab: Lab) -> Expected:
    return await blind_in_vain(lab, "103", Rang("PJSIP/103", "no_answer", "transfer"), "system")


async def blind_transfer_unreachable(lab: Lab) -> Expected:
    return await blind_in_vain(lab, "105", Rang("PJSIP/105", "unreachable", "transfer"), "system")


async def blind_transfer_given_up(lab: Lab) -> Expected:
    """The caller does not wait for Carol."""
    mark = len(lab.carol.seen)
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "103")
    await (await rung(lab.carol, mark)).saw("ringing")
    await talk_a_little(0.4)
    await pair.caller.hang_up()
    await pair.callee.hang_up()
    talk = Talked((MOBILE, "102"), "dial", pair.since, until)
    target = Rang("PJSIP/103", "cancelled", "transfer")
    return from_outside(attempts=(BOB_ANSWERED, target), hung_up_by="caller", talks=(talk,))


async def blind_to_outside(lab: Lab, pair: Pair) -> tuple[float, Leg]:
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, OUTSIDE)
    target = await rung(lab.carrier, mark)
    await target.saw("talking")
    await talk_a_little()
    return until, target


async def blind_transfer_to_outside(lab: Lab) -> Expected:
    pair = await connect(lab.dave, "102", lab.bob)
    until, target = await blind_to_outside(lab, pair)
    await target.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, until),
        Talked(("104", OUTSIDE), "transfer", await target.at("talking"), await target.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang(OUTSIDE, "answered", "transfer"))
    return Expected("answered", "internal", "104", "102", attempts, "callee", talks=talks, answered_by="PJSIP/102")


async def inbound_transferred_to_outside(lab: Lab) -> Expected:
    """Two outside parties talk in the end, and nobody here."""
    pair = await inbound(lab)
    until, target = await blind_to_outside(lab, pair)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, OUTSIDE), "transfer", await target.at("talking"), await target.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang(OUTSIDE, "answered", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="caller", talks=talks)


async def blind_transfer_to_queue(lab: Lab) -> Expected:
    """Dave, who is no agent, hands the caller to the queue; Carol answers there."""
    await lab.carol.behave(answer_after=0.3)
    pair = await connect(lab.carrier, "+61290000104", lab.dave)
    mark = len(lab.carol.seen)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "700")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await target.hang_up()
    attempts = (
        Rang("PJSIP/104", "answered"),
        Rang("PJSIP/103", "answered", "queue"),
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
    )
    talks = (
        Talked((MOBILE, "104"), "dial", pair.since, until),
        Talked((MOBILE, "103"), "transfer", since, await target.at("over")),
    )
    visit = ("support", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000104", attempts, "callee", (visit,), talks)


async def blind_transfer_to_queue_abandoned(lab: Lab) -> Expected:
    pair = await connect(lab.carrier, "+61290000104", lab.dave)
    mark = len(lab.carol.seen)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "700")
    await rung(lab.carol, mark)
    await talk_a_little(0.4)
    await pair.caller.hang_up()
    await pair.callee.hang_up()
    attempts = (
        Rang("PJSIP/104", "answered"),
        Rang("PJSIP/103", "cancelled", "queue"),
        Rang("PJSIP/102", "cancelled", "queue"),
    )
    talk = Talked((MOBILE, "104"), "dial", pair.since, until)
    visit = ("support", "abandoned")
    return Expected("answered", "inbound", MOBILE, "+61290000104", attempts, "caller", (visit,), (talk,))


async def blind_transfer_to_group(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.3)
    pair = await connect(lab.carrier, "+61290000104", lab.dave)
    mark = len(lab.carol.seen)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "600")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await target.hang_up()
    attempts = (
        Rang("PJSIP/104", "answered"),
        Rang("PJSIP/103", "answered", "ring_group"),
        Rang("PJSIP/102", "answered_elsewhere", "ring_group"),
    )
    talks = (
        Talked((MOBILE, "104"), "dial", pair.since, until),
        Talked((MOBILE, "103"), "transfer", since, await target.at("over")),
    )
    visit = ("sales", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000104", attempts, "callee", (visit,), talks)


async def blind_transfer_to_voicemail(lab: Lab) -> Expected:
    """They talked: that Carol's mailbox came last changes nothing of the outcome."""
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "*603")
    await no_channel_of(lab, "PJSIP/102")
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked((MOBILE, "102"), "dial", pair.since, until)
    voicemail = {"mailbox": "103@default", "message_left": None}
    return from_outside(hung_up_by="caller", talks=(talk,), more={"voicemail": voicemail})


async def redirected_by_operator(lab: Lab) -> Expected:
    """AMI Redirect of the caller's channel: nothing says transfer, they are just elsewhere."""
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    pair = await inbound(lab)
    await talk_a_little()
    channel = await channel_of(lab, "PJSIP/trunk")
    headers = {"Channel": channel, "Context": "from-internal", "Exten": "103", "Priority": "1"}
    await lab.ami.action("Redirect", headers)
    until = await pair.callee.at("over")
    target = await rung(lab.carol, mark)
    since = await target.at("talking")
    await talk_a_little()
    await target.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, "103"), "transfer", since, await target.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), hung_up_by="callee", talks=talks)


async def blind_transfer_twice(lab: Lab) -> Expected:
    """Bob to Carol, Carol to Dave."""
    await lab.carol.behave(answer_after=0.3)
    await lab.dave.behave(answer_after=0.3)
    marks = len(lab.carol.seen), len(lab.dave.seen)
    pair = await inbound(lab)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "103")
    carol = await rung(lab.carol, marks[0])
    since = await carol.at("talking")
    await talk_a_little()
    then = await by_phone(lab, carol, "104")
    dave = await rung(lab.dave, marks[1])
    await dave.saw("talking")
    await talk_a_little()
    await dave.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, until),
        Talked((MOBILE, "103"), "transfer", since, then),
        Talked((MOBILE, "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )
    attempts = (BOB_ANSWERED, CAROL_ANSWERED, Rang("PJSIP/104", "answered", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="callee", talks=talks)


async def agent_transfers(lab: Lab) -> Expected:
    """From the queue to Carol, who hands the caller to Dave."""
    await lab.dave.behave(answer_after=0.3)
    mark = len(lab.dave.seen)
    pair = await connect(lab.carrier, "+61290000003", lab.carol)
    await talk_a_little()
    until = await by_phone(lab, pair.callee, "104")
    dave = await rung(lab.dave, mark)
    await dave.saw("talking")
    await talk_a_little()
    await pair.caller.hang_up()
    attempts = (
        Rang("PJSIP/103", "answered", "queue"),
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
        Rang("PJSIP/104", "answered", "transfer"),
    )
    talks = (
        Talked((MOBILE, "103"), "dial", pair.since, until),
        Talked((MOBILE, "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )
    visit = ("support", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000003", attempts, "caller", (visit,), talks)


# Attended by phone: a second call of the same phone, then REFER with Replaces. Nobody talks with two at once: where
# the two calls become one, its first talk ends when the one who was asked answers.


@dataclass(frozen=True, slots=True)
class Consultation:
    """Bob's second call; `since`: when the one asked answered, None while it rings."""

    near: Leg
    far: Leg
    since: float | None


async def consult(lab: Lab, pair: Pair, to: str, *, answered: bool = True) -> Consultation:
    """Bob puts his call on hold, and calls Carol (or the outside)."""
    whom = lab.carrier if to.startswith("+") else lab.carol
    mine = pair.callee if pair.callee.phone is lab.bob else pair.caller
    await lab.bob.hold(mine.call)
    mark = len(whom.seen)
    near = await dial(lab.bob, to)
    far = await rung(whom, mark)
    if not answered:
        await near.saw("ringing")
        return Consultation(near, far, None)
    since = await far.at("talking")
    await near.saw("talking")
    await talk_a_little()
    return Consultation(near, far, since)


async def attended_by_phone(lab: Lab, *, media: bool = False, answered: bool = True) -> Expected:
    await lab.carrier.behave(media=media)
    await lab.carol.behave(answer_after=0.3 if answered else None, media=media)
    pair = await inbound(lab, media=media)
    await talk_a_little()
    asked = await consult(lab, pair, "103", answered=answered)
    joined = (await lab.bob.refer_replaces(pair.callee.call, asked.near.call)).at
    if not answered:
        await talk_a_little(0.3)
        await lab.carol.answer(asked.far.call)
        since = await asked.far.at("talking")
    else:
        since = joined
    await talk_a_little()
    await pair.caller.hang_up()
    consulted = (Talked(("102", "103"), "dial", asked.since, joined),) if answered else ()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, asked.since or joined),
        *consulted,
        Talked((MOBILE, "103"), "transfer", since, await asked.far.at("over")),
    )
    attempts = (BOB_ANSWERED, CAROL_ANSWERED)
    return from_outside(attempts=attempts, hung_up_by="caller", talks=talks, merged=1)


async def attended_transfer_by_phone(lab: Lab) -> Expected:
    return await attended_by_phone(lab)


async def attended_transfer_by_phone_with_media(lab: Lab) -> Expected:
    return await attended_by_phone(lab, media=True)


async def blonde_transfer_by_phone(lab: Lab) -> Expected:
    """Bob does not wait for Carol's answer."""
    return await attended_by_phone(lab, answered=False)


async def attended_transfer_by_calling_phone(lab: Lab) -> Expected:
    """Bob called Dave, asks Carol, and brings the two together."""
    await lab.carol.behave(answer_after=0.3)
    pair = await connect(lab.bob, "104", lab.dave)
    await talk_a_little()
    asked = await consult(lab, pair, "103")
    joined = (await lab.bob.refer_replaces(pair.caller.call, asked.near.call)).at
    await talk_a_little()
    await asked.far.hang_up()
    talks = (
        Talked(("102", "104"), "dial", pair.since, asked.since),
        Talked(("102", "103"), "dial", asked.since, joined),
        Talked(("104", "103"), "transfer", joined, await asked.far.at("over")),
    )
    attempts = (Rang("PJSIP/104", "answered"), CAROL_ANSWERED)
    return Expected(
        "answered", "internal", "102", "104", attempts, "callee", talks=talks, answered_by="PJSIP/104", merged=1
    )


async def attended_transfer_to_outside(lab: Lab) -> Expected:
    """Bob asks somebody outside: what he dials for that is a call of its own until he joins them."""
    pair = await connect(lab.dave, "102", lab.bob)
    await lab.carrier.behave(answer_after=0.3)
    await talk_a_little()
    asked = await consult(lab, pair, OUTSIDE)
    joined = (await lab.bob.refer_replaces(pair.callee.call, asked.near.call)).at
    await talk_a_little()
    await pair.caller.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, asked.since),
        Talked(("102", OUTSIDE), "dial", asked.since, joined),
        Talked(("104", OUTSIDE), "transfer", joined, await asked.far.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang(OUTSIDE, "answered", "transfer"))
    return Expected("answered", "internal", "104", "102", attempts, "caller", talks=talks, merged=1)


async def consultation_never_joined(lab: Lab) -> list[Expected]:
    """Bob asks Carol, and goes back to his caller: two calls."""
    await lab.carol.behave(answer_after=0.3)
    pair = await inbound(lab)
    await talk_a_little()
    asked = await consult(lab, pair, "103")
    await asked.far.hang_up()
    await asked.near.saw("over")
    await lab.bob.unhold(pair.callee.call)
    await talk_a_little()
    await pair.callee.hang_up()
    first = Talked((MOBILE, "102"), "dial", pair.since, await pair.callee.at("over"))
    second = Talked(("102", "103"), "dial", asked.since, await asked.far.at("over"))
    return [
        from_outside(hung_up_by="callee", talks=(first,)),
        Expected("answered", "internal", "102", "103", (Rang("PJSIP/103", "answered"),), "callee", talks=(second,)),
    ]


async def attended_then_blind(lab: Lab) -> Expected:
    """Bob brings the caller to Carol, who hands him on to Dave."""
    await lab.carol.behave(answer_after=0.3)
    await lab.dave.behave(answer_after=0.3)
    mark = len(lab.dave.seen)
    pair = await inbound(lab)
    await talk_a_little()
    asked = await consult(lab, pair, "103")
    joined = (await lab.bob.refer_replaces(pair.callee.call, asked.near.call)).at
    await talk_a_little()
    then = await by_phone(lab, asked.far, "104")
    dave = await rung(lab.dave, mark)
    await dave.saw("talking")
    await talk_a_little()
    await dave.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, asked.since),
        Talked(("102", "103"), "dial", asked.since, joined),
        Talked((MOBILE, "103"), "transfer", joined, then),
        Talked((MOBILE, "104"), "transfer", await dave.at("talking"), await dave.at("over")),
    )
    attempts = (BOB_ANSWERED, CAROL_ANSWERED, Rang("PJSIP/104", "answered", "transfer"))
    return from_outside(attempts=attempts, hung_up_by="callee", talks=talks, merged=1)


# Attended by key, and by the operator pressing the keys: Asterisk calls the one to be asked. Where it is not said
# that calls have media, only the one who presses has: nothing flows any more once he has left.

Ask = Callable[[Lab, Leg, str], Awaitable[None]]


async def ask_by_key(lab: Lab, leg: Leg, to: str) -> None:
    await leg.phone.dtmf(f"*2{to}", leg.call)


async def ask_by_operator(lab: Lab, leg: Leg, to: str) -> None:
    channel = await channel_of(lab, f"PJSIP/{leg.phone.name}")
    await lab.ami.action("Atxfer", {"Channel": channel, "Context": "from-internal", "Exten": to})


async def attended_by_callee(lab: Lab, ask: Ask, *, media: bool = False) -> Expected:
    """Bob leaves his caller when Carol begins to ring, and hangs up when he has talked with her."""
    if media:
        await with_media(lab)
    await lab.carol.behave(answer_after=0.3, media=media)
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    since = await carol.at("talking")
    await talk_a_little()
    await pair.callee.hang_up()
    joined = await pair.callee.at("over")
    await talk_a_little(1.2 if media else 0.6)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("102", "103"), "dial", since, joined),
        Talked((MOBILE, "103"), "transfer", joined, await carol.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), hung_up_by="caller", talks=talks)


async def attended_transfer_by_key(lab: Lab) -> Expected:
    return await attended_by_callee(lab, ask_by_key)


async def attended_transfer_by_key_with_media(lab: Lab) -> Expected:
    return await attended_by_callee(lab, ask_by_key, media=True)


async def attended_transfer_by_operator(lab: Lab) -> Expected:
    return await attended_by_callee(lab, ask_by_operator)


async def attended_transfer_by_operator_with_media(lab: Lab) -> Expected:
    return await attended_by_callee(lab, ask_by_operator, media=True)


async def attended_by_caller(lab: Lab, ask: Ask, *, media: bool = False) -> Expected:
    """Dave called Bob, asks Carol, and leaves the two alone."""
    if media:
        await with_media(lab)
    await lab.dave.behave(media=True)
    await lab.carol.behave(answer_after=0.3, media=media)
    mark = len(lab.carol.seen)
    pair = await connect(lab.dave, "102", lab.bob, media=media)
    await talk_a_little()
    await ask(lab, pair.caller, "103")
    carol = await rung(lab.carol, mark)
    since = await carol.at("talking")
    await talk_a_little()
    await pair.caller.hang_up()
    joined = await pair.caller.at("over")
    await talk_a_little(1.2 if media else 0.6)
    await carol.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("104", "103"), "dial", since, joined),
        Talked(("102", "103"), "transfer", joined, await carol.at("over")),
    )
    return Expected(
        "answered",
        "internal",
        "104",
        "102",
        (BOB_ANSWERED, CAROL_ANSWERED),
        "callee",
        talks=talks,
        answered_by="PJSIP/102",
    )


async def attended_transfer_by_callers_key(lab: Lab) -> Expected:
    return await attended_by_caller(lab, ask_by_key)


async def attended_transfer_by_callers_key_with_media(lab: Lab) -> Expected:
    return await attended_by_caller(lab, ask_by_key, media=True)


async def attended_transfer_to_outside_by_key(lab: Lab) -> Expected:
    pair = await connect(lab.dave, "102", lab.bob, media=True)
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    await talk_a_little()
    await ask_by_key(lab, pair.callee, OUTSIDE.replace("+", "00"))
    outside = await rung(lab.carrier, mark)
    since = await outside.at("talking")
    await talk_a_little()
    await pair.callee.hang_up()
    joined = await pair.callee.at("over")
    await talk_a_little()
    await outside.hang_up()
    talks = (
        Talked(("104", "102"), "dial", pair.since, await outside.at("invite")),
        Talked(("102", OUTSIDE), "dial", since, joined),
        Talked(("104", OUTSIDE), "transfer", joined, await outside.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang(OUTSIDE, "answered", "transfer"))
    return Expected("answered", "internal", "104", "102", attempts, "callee", talks=talks, answered_by="PJSIP/102")


async def blonde(lab: Lab, ask: Ask, *, media: bool = False) -> Expected:
    """Bob hangs up while Carol still rings; she finds his caller."""
    if media:
        await with_media(lab)
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    await talk_a_little(0.3)
    await pair.callee.hang_up()
    await talk_a_little(0.4)
    await lab.carol.answer(carol.call)
    since = await carol.at("talking")
    await talk_a_little(1.2 if media else 0.6)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked((MOBILE, "103"), "transfer", since, await carol.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), hung_up_by="caller", talks=talks)


async def blonde_transfer_by_key(lab: Lab) -> Expected:
    return await blonde(lab, ask_by_key)


async def blonde_transfer_by_key_with_media(lab: Lab) -> Expected:
    return await blonde(lab, ask_by_key, media=True)


async def blonde_transfer_by_operator(lab: Lab) -> Expected:
    return await blonde(lab, ask_by_operator)


async def blonde_transfer_called_back(lab: Lab) -> Expected:
    """Bob hangs up while Carol rings, she does not answer, and Bob is rung again: he has his caller back."""
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask_by_key(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    await talk_a_little(0.3)
    await pair.callee.hang_up()
    await pair.callee.saw("over")
    mark = len(lab.bob.seen)
    again = await rung(lab.bob, mark)
    since = await again.at("talking")
    await talk_a_little()
    await pair.caller.hang_up()
    attempts = (
        BOB_ANSWERED,
        Rang("PJSIP/103", "no_answer", "transfer"),
        Rang("PJSIP/102", "answered", "transfer"),
    )
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked((MOBILE, "102"), "transfer", since, await again.at("over")),
    )
    # To ring him, Asterisk begins a call that then becomes part of this one.
    return from_outside(attempts=attempts, hung_up_by="caller", talks=talks, merged=1)


async def aborted(lab: Lab, ask: Ask, abort: Callable[[Leg], Awaitable[None]], *, media: bool = False) -> Expected:
    """Bob and Carol talk; then `abort`, and Bob is with his caller again: since when, Carol's BYE shows."""
    if media:
        await with_media(lab)
    await lab.carol.behave(answer_after=0.3, media=media)
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    since = await carol.at("talking")
    await talk_a_little()
    await abort(carol)
    back = await carol.at("over")
    await talk_a_little(1.0)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("102", "103"), "dial", since, back),
        Talked((MOBILE, "102"), "dial", None, await pair.callee.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), hung_up_by="caller", talks=talks)


async def attended_transfer_aborted_by_target(lab: Lab) -> Expected:
    return await aborted(lab, ask_by_key, Leg.hang_up)


async def attended_transfer_aborted_by_target_with_media(lab: Lab) -> Expected:
    return await aborted(lab, ask_by_key, Leg.hang_up, media=True)


async def attended_transfer_aborted_by_key(lab: Lab) -> Expected:
    async def press(carol: Leg) -> None:
        await lab.bob.dtmf("*1")

    return await aborted(lab, ask_by_key, press)


async def attended_transfer_cancelled_by_operator(lab: Lab) -> Expected:
    async def cancel(carol: Leg) -> None:
        await lab.ami.action("CancelAtxfer", {"Channel": await channel_of(lab, "PJSIP/102")})

    return await aborted(lab, ask_by_operator, cancel)


async def refused(lab: Lab, result: str) -> Expected:
    """Carol does not come to the telephone: Bob is with his caller again."""
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask_by_key(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    await carol.saw("over")
    await talk_a_little(2.0)
    await pair.caller.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked((MOBILE, "102"), "dial", None, await pair.callee.at("over")),
    )
    attempts = (BOB_ANSWERED, Rang("PJSIP/103", result, "transfer"))
    return from_outside(attempts=attempts, hung_up_by="caller", talks=talks)


async def attended_transfer_declined(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.5, code=603)
    return await refused(lab, "declined")


async def attended_transfer_no_answer(lab: Lab) -> Expected:
    return await refused(lab, "no_answer")


async def attended_transfer_caller_gives_up(lab: Lab) -> Expected:
    """While Bob talks with Carol the caller, who waits, hangs up: Bob and Carol talk on."""
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    pair = await inbound(lab, media=True)
    await talk_a_little()
    await ask_by_key(lab, pair.callee, "103")
    carol = await rung(lab.carol, mark)
    since = await carol.at("talking")
    await talk_a_little()
    await pair.caller.hang_up()
    await pair.caller.saw("over")
    await talk_a_little()
    await pair.callee.hang_up()
    talks = (
        Talked((MOBILE, "102"), "dial", pair.since, await carol.at("invite")),
        Talked(("102", "103"), "dial", since, await carol.at("over")),
    )
    return from_outside(attempts=(BOB_ANSWERED, CAROL_ANSWERED), talks=talks)


SCENARIOS: tuple[Play, ...] = (
    blind_transfer_by_phone,
    blind_transfer_by_phone_with_media,
    blind_transfer_by_key,
    blind_transfer_by_operator,
    blind_transfer_by_calling_phone,
    blind_transfer_by_callers_key,
    blind_transfer_by_operator_of_caller,
    blind_transfer_of_outbound,
    blind_transfer_of_internal,
    blind_transfer_to_busy,
    blind_transfer_declined,
    blind_transfer_no_answer,
    blind_transfer_unreachable,
    blind_transfer_given_up,
    blind_transfer_to_outside,
    inbound_transferred_to_outside,
    blind_transfer_to_queue,
    blind_transfer_to_queue_abandoned,
    blind_transfer_to_group,
    blind_transfer_to_voicemail,
    redirected_by_operator,
    blind_transfer_twice,
    agent_transfers,
    attended_transfer_by_phone,
    attended_transfer_by_phone_with_media,
    blonde_transfer_by_phone,
    attended_transfer_by_calling_phone,
    attended_transfer_to_outside,
    consultation_never_joined,
    attended_then_blind,
    attended_transfer_by_key,
    attended_transfer_by_key_with_media,
    attended_transfer_by_operator,
    attended_transfer_by_operator_with_media,
    attended_transfer_by_callers_key,
    attended_transfer_by_callers_key_with_media,
    attended_transfer_to_outside_by_key,
    blonde_transfer_by_key,
    blonde_transfer_by_key_with_media,
    blonde_transfer_by_operator,
    blonde_transfer_called_back,
    attended_transfer_aborted_by_target,
    attended_transfer_aborted_by_target_with_media,
    attended_transfer_aborted_by_key,
    attended_transfer_cancelled_by_operator,
    attended_transfer_declined,
    attended_transfer_no_answer,
    attended_transfer_caller_gives_up,
)

FOREIGN = tuple(
    play
    for play in SCENARIOS
    if play is not blind_transfer_unreachable  # there nothing is dialled, and nothing tells what it would have been
)
