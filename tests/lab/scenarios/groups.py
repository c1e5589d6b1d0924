"""Ring groups: several people rung for one caller, at once, in turn, or a little later."""

from tests.lab.phones import Phone
from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, conversation, seen_of, talk_a_little

COLLEAGUE = "+61411000777"
"""The mobile that is a member of group 604, by way of the carrier."""


def ring(who: str, result: str) -> Rang:
    return Rang(who, result, "ring_group")


async def group_answered(lab: Lab) -> Expected:
    await lab.bob.behave(answer_after=0.4)
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000002")
    await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, MOBILE, "102")
    attempts = (
        ring("PJSIP/102", "answered"),
        ring("PJSIP/103", "answered_elsewhere"),
    )
    visit = ("sales", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000002", attempts, "callee", (visit,), talks=(talk,))


async def group_nobody(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000002")
    attempts = (
        ring("PJSIP/102", "no_answer"),
        ring("PJSIP/103", "no_answer"),
    )
    return Expected("no_answer", "inbound", MOBILE, "+61290000002", attempts, "system", (("sales", "no_answer"),))


async def group_given_up(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000002")
    await lab.bob.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    attempts = (
        ring("PJSIP/102", "cancelled"),
        ring("PJSIP/103", "cancelled"),
    )
    return Expected("cancelled", "inbound", MOBILE, "+61290000002", attempts, "caller", (("sales", "cancelled"),))


async def _answered(
    lab: Lab, extension: str, group: str, phone: Phone, *attempts: Rang, seconds: float = 0.6
) -> Expected:
    """From outside to the group at this extension; `phone` will answer, and hangs up."""
    did = f"+61290000{extension}"
    mark = len(phone.seen)
    await lab.carrier.call(did)
    await phone.wait_for("talking", since=mark)
    await talk_a_little(seconds)
    await phone.hang_up()
    talk = await conversation(phone, mark, MOBILE, phone.name)
    return Expected("answered", "inbound", MOBILE, did, attempts, "callee", ((group, "answered"),), talks=(talk,))


async def _given_up(lab: Lab, extension: str, group: str, phone: Phone, *attempts: Rang, ring_on: float) -> Expected:
    """The caller gives up a little after `phone` began to ring."""
    did = f"+61290000{extension}"
    mark = len(phone.seen)
    await lab.carrier.call(did)
    await phone.wait_for("invite", since=mark)
    await talk_a_little(ring_on)
    await lab.carrier.hang_up()
    return Expected("cancelled", "inbound", MOBILE, did, attempts, "caller", ((group, "cancelled"),))


async def group_all_busy(lab: Lab) -> Expected:
    await lab.bob.behave(code=486)
    await lab.carol.behave(code=486)
    await lab.carrier.call("+61290000002")
    attempts = (ring("PJSIP/102", "busy"), ring("PJSIP/103", "busy"))
    return Expected("busy", "inbound", MOBILE, "+61290000002", attempts, "callee", (("sales", "busy"),))


async def group_member_busy(lab: Lab) -> Expected:
    await lab.bob.behave(code=486)
    await lab.carol.behave(answer_after=0.4)
    return await _answered(lab, "600", "sales", lab.carol, ring("PJSIP/102", "busy"), ring("PJSIP/103", "answered"))


async def group_member_declines(lab: Lab) -> Expected:
    await lab.bob.behave(code=603)
    await lab.carrier.call("+61290000600")
    attempts = (ring("PJSIP/102", "declined"), ring("PJSIP/103", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000600", attempts, "system", (("sales", "no_answer"),))


async def group_called_from_inside(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark = len(lab.carol.seen)
    await lab.dave.call("600")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.dave.hang_up()
    talk = await conversation(lab.carol, mark, "104", "103")
    attempts = (ring("PJSIP/102", "answered_elsewhere"), ring("PJSIP/103", "answered"))
    return Expected("answered", "internal", "104", "600", attempts, "caller", (("sales", "answered"),), talks=(talk,))


async def hunt_second_answers(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    attempts = (ring("PJSIP/102", "no_answer"), ring("PJSIP/103", "answered"))
    return await _answered(lab, "601", "hunt", lab.carol, *attempts)


async def hunt_first_busy(lab: Lab) -> Expected:
    await lab.bob.behave(code=486)
    await lab.carol.behave(answer_after=0.4)
    return await _answered(lab, "601", "hunt", lab.carol, ring("PJSIP/102", "busy"), ring("PJSIP/103", "answered"))


async def hunt_first_answers(lab: Lab) -> Expected:
    await lab.bob.behave(answer_after=0.4)
    return await _answered(lab, "601", "hunt", lab.bob, ring("PJSIP/102", "answered"))


async def hunt_nobody(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000601")
    attempts = (ring("PJSIP/102", "no_answer"), ring("PJSIP/103", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000601", attempts, "system", (("hunt", "no_answer"),))


async def hunt_given_up(lab: Lab) -> Expected:
    attempts = (ring("PJSIP/102", "no_answer"), ring("PJSIP/103", "cancelled"))
    return await _given_up(lab, "601", "hunt", lab.carol, *attempts, ring_on=0.4)


async def delayed_second_answers(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    attempts = (ring("PJSIP/102", "answered_elsewhere"), ring("PJSIP/103", "answered"))
    return await _answered(lab, "602", "delayed", lab.carol, *attempts)


async def delayed_first_answers(lab: Lab) -> Expected:
    """Before the second was rung at all."""
    await lab.bob.behave(answer_after=0.3)
    return await _answered(lab, "602", "delayed", lab.bob, ring("PJSIP/102", "answered"))


async def delayed_nobody(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000602")
    attempts = (ring("PJSIP/102", "no_answer"), ring("PJSIP/103", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000602", attempts, "system", (("delayed", "no_answer"),))


async def delayed_given_up(lab: Lab) -> Expected:
    """Both ring when the caller leaves."""
    attempts = (ring("PJSIP/102", "cancelled"), ring("PJSIP/103", "cancelled"))
    return await _given_up(lab, "602", "delayed", lab.carol, *attempts, ring_on=0.4)


async def rounds_second_answered(lab: Lab) -> Expected:
    """Nobody in the first round; then Bob. One visit."""
    mark = len(lab.bob.seen)
    attempts = (
        ring("PJSIP/102", "no_answer"),
        ring("PJSIP/103", "no_answer"),
        ring("PJSIP/102", "answered"),
        ring("PJSIP/103", "answered_elsewhere"),
    )
    await lab.carrier.call("+61290000603")
    await lab.bob.wait_for("over", since=mark)
    await lab.bob.behave(answer_after=0.3)
    await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talking = await lab.bob.wait_for("talking", since=mark)
    talk = await conversation(lab.bob, mark, MOBILE, "102", call=talking.call)
    visits = (("rounds", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000603", attempts, "callee", visits, talks=(talk,))


async def rounds_nobody(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000603")
    attempts = (ring("PJSIP/102", "no_answer"), ring("PJSIP/103", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000603", attempts, "system", (("rounds", "no_answer"),))


async def group_with_media(lab: Lab) -> Expected:
    """Where the dialplan reaches members by way of Local channels, these leave the call in its middle."""
    await lab.carrier.behave(media=True)
    await lab.bob.behave(answer_after=0.4, media=True)
    attempts = (ring("PJSIP/102", "answered"), ring("PJSIP/103", "answered_elsewhere"))
    return await _answered(lab, "600", "sales", lab.bob, *attempts, seconds=1.5)


async def delayed_with_media(lab: Lab) -> Expected:
    await lab.carrier.behave(media=True)
    await lab.carol.behave(answer_after=0.4, media=True)
    attempts = (ring("PJSIP/102", "answered_elsewhere"), ring("PJSIP/103", "answered"))
    return await _answered(lab, "602", "delayed", lab.carol, *attempts, seconds=1.5)


async def mixed_mobile_answers(lab: Lab) -> Expected:
    """The member behind the carrier answers, far from any phone of the house."""
    return await _mobile_answers(lab, media=False)


async def mixed_mobile_with_media(lab: Lab) -> Expected:
    return await _mobile_answers(lab, media=True)


async def _mobile_answers(lab: Lab, *, media: bool) -> Expected:
    await lab.carrier.behave(answer_after=0.5, media=media)
    mark = len(lab.carrier.seen)
    await lab.carrier.call("+61290000604")
    mobile = await lab.carrier.wait_for("invite", since=mark)
    await seen_of(lab.carrier, "talking", mark, mobile.call)
    await talk_a_little(1.5 if media else 0.6)
    await lab.carrier.hang_up(mobile.call)
    talk = await conversation(lab.carrier, mark, MOBILE, COLLEAGUE, call=mobile.call)
    attempts = (ring("PJSIP/102", "answered_elsewhere"), ring(COLLEAGUE, "answered"))
    visits = (("mixed", "answered"),)
    return Expected(
        "answered", "inbound", MOBILE, "+61290000604", attempts, "callee", visits, (talk,), answered_by=COLLEAGUE
    )


async def mixed_colleague_answers(lab: Lab) -> Expected:
    await lab.bob.behave(answer_after=0.5)
    attempts = (ring("PJSIP/102", "answered"), ring(COLLEAGUE, "answered_elsewhere"))
    return await _answered(lab, "604", "mixed", lab.bob, *attempts)


async def mixed_nobody(lab: Lab) -> Expected:
    await lab.dave.call("604")
    attempts = (ring("PJSIP/102", "no_answer"), ring(COLLEAGUE, "no_answer"))
    return Expected("no_answer", "internal", "104", "604", attempts, "system", (("mixed", "no_answer"),))


SCENARIOS: tuple[Play, ...] = (
    group_answered,
    group_nobody,
    group_given_up,
    group_all_busy,
    group_member_busy,
    group_member_declines,
    group_called_from_inside,
    hunt_second_answers,
    hunt_first_busy,
    hunt_first_answers,
    hunt_nobody,
    hunt_given_up,
    delayed_second_answers,
    delayed_first_answers,
    delayed_nobody,
    delayed_given_up,
    rounds_second_answered,
    rounds_nobody,
    group_with_media,
    delayed_with_media,
    mixed_mobile_answers,
    mixed_mobile_with_media,
    mixed_colleague_answers,
    mixed_nobody,
)

FOREIGN = SCENARIOS
