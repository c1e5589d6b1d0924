"""Whatever else is done with a telephone: applications, announcements, hold, several calls at once, other programs."""

from tests.lab.scenarios.legs import channel_of, connect, dial, rung, with_media
from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, Talked, talk_a_little

CAROL_ANSWERED = Rang("PJSIP/103", "answered")


async def echo(lab: Lab) -> Expected:
    near = await dial(lab.bob, "*43")
    await near.saw("talking")
    await talk_a_little()
    await near.hang_up()
    return Expected("answered", "internal", "102", "*43", (), "caller", answered_by="")


async def paging(lab: Lab) -> Expected:
    """Dave speaks, the phones of Bob and Carol answer by themselves."""
    marks = len(lab.bob.seen), len(lab.carol.seen)
    await lab.bob.behave(answer_after=0.1)
    await lab.carol.behave(answer_after=0.1)
    near = await dial(lab.dave, "810")
    for phone, mark in zip((lab.bob, lab.carol), marks, strict=True):
        await (await rung(phone, mark)).saw("talking")
    await talk_a_little()
    await near.hang_up()
    attempts = (Rang("PJSIP/102", "answered"), Rang("PJSIP/103", "answered"))
    return Expected("answered", "internal", "104", "810", attempts, "caller", answered_by="")


async def paging_one_busy(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    await lab.bob.behave(answer_after=0.1)
    await lab.carol.behave(code=486)
    near = await dial(lab.dave, "810")
    await (await rung(lab.bob, mark)).saw("talking")
    await talk_a_little()
    await near.hang_up()
    attempts = (Rang("PJSIP/102", "answered"), Rang("PJSIP/103", "busy"))
    return Expected("answered", "internal", "104", "810", attempts, "caller", answered_by="")


async def intercom(lab: Lab) -> Expected:
    """Both ways, but an announcement still: nobody lifted a receiver at the other end."""
    mark = len(lab.carol.seen)
    await lab.carol.behave(answer_after=0.1)
    near = await dial(lab.dave, "811")
    await (await rung(lab.carol, mark)).saw("talking")
    await talk_a_little()
    await near.hang_up()
    return Expected("answered", "internal", "104", "811", (CAROL_ANSWERED,), "caller", answered_by="")


async def held(lab: Lab, *, by_caller: bool) -> Expected:
    """Hold and back: one segment."""
    pair = await connect(lab.bob, "103", lab.carol)
    await talk_a_little()
    holder = pair.caller if by_caller else pair.callee
    await holder.phone.hold(holder.call)
    await talk_a_little()
    await holder.phone.unhold(holder.call)
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked(("102", "103"), "dial", pair.since, await pair.callee.at("over"))
    return Expected("answered", "internal", "102", "103", (CAROL_ANSWERED,), "caller", talks=(talk,))


async def held_by_caller(lab: Lab) -> Expected:
    return await held(lab, by_caller=True)


async def held_by_callee(lab: Lab) -> Expected:
    return await held(lab, by_caller=False)


async def hung_up_on_hold(lab: Lab) -> Expected:
    """The caller does not wait until Carol comes back."""
    pair = await connect(lab.carrier, "+61290000103", lab.carol)
    await talk_a_little()
    await lab.carol.hold(pair.callee.call)
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked((MOBILE, "103"), "dial", pair.since, await pair.callee.at("over"))
    return Expected("answered", "inbound", MOBILE, "+61290000103", (CAROL_ANSWERED,), "caller", talks=(talk,))


async def hops(lab: Lab, to: str, *, media: bool) -> Expected:
    """To Carol by way of two Local channels."""
    if media:
        await with_media(lab)
    pair = await connect(lab.dave, to, lab.carol, media=media)
    await talk_a_little(1.2 if media else 0.6)
    await pair.callee.hang_up()
    talk = Talked(("104", "103"), "dial", pair.since, await pair.callee.at("over"))
    return Expected("answered", "internal", "104", to, (CAROL_ANSWERED,), "callee", talks=(talk,))


async def local_hops(lab: Lab) -> Expected:
    return await hops(lab, "820", media=False)


async def local_hops_with_media(lab: Lab) -> Expected:
    return await hops(lab, "820", media=True)


async def lasting_local_hops(lab: Lab) -> Expected:
    return await hops(lab, "823", media=False)


async def lasting_local_hops_with_media(lab: Lab) -> Expected:
    return await hops(lab, "823", media=True)


async def local_hops_no_answer(lab: Lab) -> Expected:
    near = await dial(lab.dave, "820")
    await near.saw("over")
    return Expected("no_answer", "internal", "104", "820", (Rang("PJSIP/103", "no_answer"),), "system")


async def two_calls_at_once(lab: Lab) -> list[Expected]:
    """Bob talks with Carol, takes a second call meanwhile, and goes back."""
    first = await connect(lab.bob, "103", lab.carol)
    await talk_a_little()
    await lab.bob.hold(first.caller.call)
    second = await connect(lab.carrier, "+61290000102", lab.bob)
    await talk_a_little()
    await second.callee.hang_up()
    await second.callee.saw("over")
    await lab.bob.unhold(first.caller.call)
    await talk_a_little()
    await first.caller.hang_up()
    talks = (
        Talked(("102", "103"), "dial", first.since, await first.callee.at("over")),
        Talked((MOBILE, "102"), "dial", second.since, await second.callee.at("over")),
    )
    bob = (Rang("PJSIP/102", "answered"),)
    return [
        Expected("answered", "internal", "102", "103", (CAROL_ANSWERED,), "caller", talks=talks[:1]),
        Expected("answered", "inbound", MOBILE, "+61290000102", bob, "callee", talks=talks[1:]),
    ]


async def call_waiting_declined(lab: Lab) -> list[Expected]:
    """Bob talks with Carol, and declines the second call."""
    first = await connect(lab.bob, "103", lab.carol)
    await lab.bob.behave(code=486)
    second = await dial(lab.dave, "102")
    await second.saw("over")
    await talk_a_little()
    await first.callee.hang_up()
    talk = Talked(("102", "103"), "dial", first.since, await first.callee.at("over"))
    return [
        Expected("answered", "internal", "102", "103", (CAROL_ANSWERED,), "callee", talks=(talk,)),
        Expected("busy", "internal", "104", "102", (Rang("PJSIP/102", "busy"),), "callee"),
    ]


async def out_and_in_by_the_carrier(lab: Lab) -> list[Expected]:
    """Bob dials Carol's own outside number: the carrier brings the call back to us. Two calls."""
    did = "+61290000103"
    mark = len(lab.carrier.seen)
    near = await dial(lab.bob, did.replace("+", "00"))
    out = await rung(lab.carrier, mark)
    caller = f"<sip:+61290000002@{lab.carrier.address}>"
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    back = await dial(lab.carrier, did, caller=caller)
    far = await rung(lab.carol, mark)
    await back.saw("talking")
    await lab.carrier.answer(out.call)
    await near.saw("talking")
    await talk_a_little()
    await far.hang_up()
    await back.saw("over")
    await out.hang_up()
    talks = (
        Talked(("102", did), "dial", await out.at("talking"), await out.at("over")),
        Talked(("+61290000002", "103"), "dial", await far.at("talking"), await far.at("over")),
    )
    return [
        Expected(
            "answered", "outbound", "102", did.replace("+", "00"), (Rang(did, "answered"),), "callee", talks=talks[:1]
        ),
        Expected("answered", "inbound", "+61290000002", did, (CAROL_ANSWERED,), "callee", talks=talks[1:]),
    ]


async def outside_by_keypad(lab: Lab) -> Expected:
    """00 instead of the plus: what was dialled first is the callee."""
    pair = await connect(lab.bob, OUTSIDE.replace("+", "00"), lab.carrier)
    await talk_a_little()
    await pair.caller.hang_up()
    talk = Talked(("102", OUTSIDE), "dial", pair.since, await pair.callee.at("over"))
    attempts = (Rang(OUTSIDE, "answered"),)
    return Expected("answered", "outbound", "102", OUTSIDE.replace("+", "00"), attempts, "caller", talks=(talk,))


ALICES_DESK = {"Channel": "PJSIP/101-desk", "CallerID": '"Alice" <101>', "Async": "true"}


async def originated(lab: Lab, to: str) -> None:
    """Another program rings Alice's desk phone, and calls on from there when she answers."""
    where = {"Context": "from-internal", "Exten": to, "Priority": "1"}
    await lab.ami.action("Originate", ALICES_DESK | where)


async def originated_by_another_program(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    await originated(lab, "103")
    far = await rung(lab.carol, mark)
    since = await far.at("talking")
    await talk_a_little()
    await far.hang_up()
    talk = Talked(("101", "103"), "dial", since, await far.at("over"))
    attempts = (Rang("PJSIP/101-desk", "answered", "click_to_call"), CAROL_ANSWERED)
    return Expected("answered", "internal", "101", "103", attempts, "callee", talks=(talk,), answered_by="PJSIP/103")


async def originated_to_the_outside(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    await originated(lab, OUTSIDE)
    far = await rung(lab.carrier, mark)
    since = await far.at("talking")
    await talk_a_little()
    await lab.desk.hang_up()
    talk = Talked(("101", OUTSIDE), "dial", since, await far.at("over"))
    attempts = (Rang("PJSIP/101-desk", "answered", "click_to_call"), Rang(OUTSIDE, "answered"))
    return Expected("answered", "outbound", "101", OUTSIDE, attempts, "caller", talks=(talk,), answered_by=OUTSIDE)


async def originated_in_vain(lab: Lab) -> Expected:
    """Alice declines: nobody was called for her, and whom the program had in mind nobody knows."""
    await lab.desk.behave(code=603)
    mark = len(lab.desk.seen)
    await originated(lab, "103")
    await (await rung(lab.desk, mark)).saw("over")
    attempts = (Rang("PJSIP/101-desk", "declined", "click_to_call"),)
    return Expected("declined", "internal", "101", None, attempts, answered_by="")


async def originated_nobody_answers(lab: Lab) -> Expected:
    """Alice answers, and whom the program calls for her does not."""
    await lab.desk.behave(answer_after=0.3)
    mark = len(lab.desk.seen)
    await originated(lab, "103")
    await (await rung(lab.desk, mark)).saw("over")
    attempts = (Rang("PJSIP/101-desk", "answered", "click_to_call"), Rang("PJSIP/103", "no_answer"))
    return Expected("no_answer", "internal", "101", "103", attempts, "system", answered_by="")


async def completed_when_free(lab: Lab) -> list[Expected]:
    """Carol is busy; once she is free again, a program rings Alice and calls Carol for her.

    Asterisk's own call completion (CCSS) knows no phones of PJSIP, so that programs do it.
    """
    await lab.carol.behave(code=486)
    near = await dial(lab.desk, "103")
    await near.saw("over")
    busy = Expected("busy", "internal", "101", "103", (Rang("PJSIP/103", "busy"),), "callee")
    return [busy, await originated_by_another_program(lab)]


async def hung_up_by_operator(lab: Lab) -> Expected:
    pair = await connect(lab.bob, "103", lab.carol)
    await talk_a_little()
    await lab.ami.action("Hangup", {"Channel": await channel_of(lab, "PJSIP/102")})
    talk = Talked(("102", "103"), "dial", pair.since, await pair.callee.at("over"))
    return Expected("answered", "internal", "102", "103", (CAROL_ANSWERED,), "system", talks=(talk,))


async def hung_up_by_operator_while_ringing(lab: Lab) -> Expected:
    mark = len(lab.carol.seen)
    near = await dial(lab.bob, "103")
    await (await rung(lab.carol, mark)).saw("ringing")
    await talk_a_little(0.3)
    await lab.ami.action("Hangup", {"Channel": await channel_of(lab, "PJSIP/102")})
    await near.saw("over")
    return Expected("cancelled", "internal", "102", "103", (Rang("PJSIP/103", "cancelled"),), "system")


async def restarted_mid_call(lab: Lab) -> Expected:
    """Asterisk is told to stop, and ends its calls first."""
    pair = await connect(lab.bob, "103", lab.carol)
    await talk_a_little()
    await lab.pbx.stop()
    until = await pair.callee.at("over")
    await lab.pbx.start()
    await lab.ami.wait_connected(15)
    talk = Talked(("102", "103"), "dial", pair.since, until)
    return Expected("answered", "internal", "102", "103", (CAROL_ANSWERED,), "system", talks=(talk,))


async def killed_mid_call(lab: Lab) -> Expected:
    """The rows just stop: nobody saw the end."""
    pair = await connect(lab.bob, "103", lab.carol)
    await talk_a_little()
    await lab.pbx.kill()
    await lab.pbx.start()
    await lab.ami.wait_connected(15)
    for leg in (pair.caller, pair.callee):
        await leg.hang_up()
    talk = Talked(("102", "103"), "dial", pair.since, None)
    return Expected("lost", "internal", "102", "103", (CAROL_ANSWERED,), talks=(talk,), complete=False)


async def killed_while_ringing(lab: Lab) -> Expected:
    mark = len(lab.carol.seen)
    near = await dial(lab.bob, "103")
    far = await rung(lab.carol, mark)
    await near.saw("ringing")
    await talk_a_little(0.3)
    await lab.pbx.kill()
    await lab.pbx.start()
    await lab.ami.wait_connected(15)
    await lab.carol.answer(far.call, code=486)
    await near.hang_up()
    return Expected("lost", "internal", "102", "103", (Rang("PJSIP/103", "failed"),), complete=False)


SCENARIOS: tuple[Play, ...] = (
    echo,
    paging,
    paging_one_busy,
    intercom,
    held_by_caller,
    held_by_callee,
    hung_up_on_hold,
    local_hops,
    local_hops_with_media,
    lasting_local_hops,
    lasting_local_hops_with_media,
    local_hops_no_answer,
    two_calls_at_once,
    call_waiting_declined,
    out_and_in_by_the_carrier,
    outside_by_keypad,
    originated_by_another_program,
    originated_to_the_outside,
    originated_in_vain,
    originated_nobody_answers,
    completed_when_free,
    hung_up_by_operator,
    hung_up_by_operator_while_ringing,
    restarted_mid_call,
    killed_mid_call,
    killed_while_ringing,
)

FOREIGN: tuple[Play, ...] = (
    two_calls_at_once,
    out_and_in_by_the_carrier,
    outside_by_keypad,
    originated_to_the_outside,
    originated_in_vain,
    originated_nobody_answers,
    completed_when_free,
    hung_up_by_operator,
    hung_up_by_operator_while_ringing,
)
