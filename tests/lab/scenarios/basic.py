"""Calls between two people: inside, out, and in, with every plain ending."""

from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, conversation, talk_a_little

DESK_ANSWERED = (Rang("PJSIP/101-desk", "answered"), Rang("PJSIP/101-mobile", "answered_elsewhere"))


async def internal(lab: Lab, *, caller_ends: bool) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark = len(lab.carol.seen)
    await lab.bob.call("103")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await (lab.bob if caller_ends else lab.carol).hang_up()
    talk = await conversation(lab.carol, mark, "102", "103")
    by = "caller" if caller_ends else "callee"
    return Expected("answered", "internal", "102", "103", (Rang("PJSIP/103", "answered"),), by, talks=(talk,))


async def internal_caller_ends(lab: Lab) -> Expected:
    return await internal(lab, caller_ends=True)


async def internal_callee_ends(lab: Lab) -> Expected:
    return await internal(lab, caller_ends=False)


async def internal_no_answer(lab: Lab) -> Expected:
    await lab.bob.call("103")
    return Expected("no_answer", "internal", "102", "103", (Rang("PJSIP/103", "no_answer"),), "system")


async def internal_busy(lab: Lab) -> Expected:
    await lab.carol.behave(code=486)
    await lab.bob.call("103")
    return Expected("busy", "internal", "102", "103", (Rang("PJSIP/103", "busy"),), "callee")


async def internal_declined(lab: Lab) -> Expected:
    await lab.carol.behave(code=603)
    await lab.bob.call("103")
    return Expected("declined", "internal", "102", "103", (Rang("PJSIP/103", "declined"),), "callee")


async def internal_cancelled(lab: Lab) -> Expected:
    mark = len(lab.carol.seen)
    await lab.bob.call("103")
    await lab.carol.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.bob.hang_up()
    return Expected("cancelled", "internal", "102", "103", (Rang("PJSIP/103", "cancelled"),), "caller")


async def internal_unreachable(lab: Lab) -> Expected:
    await lab.bob.call("105")
    return Expected("failed", "internal", "102", "105", (Rang("PJSIP/105", "unreachable"),), "system")


async def outbound_answered(lab: Lab) -> Expected:
    await lab.carrier.behave(answer_after=0.4)
    mark = len(lab.carrier.seen)
    await lab.bob.call(OUTSIDE)
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.carrier, mark, "102", OUTSIDE)
    return Expected("answered", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "answered"),), "callee", talks=(talk,))


async def outbound_no_answer(lab: Lab) -> Expected:
    await lab.bob.call(OUTSIDE)
    return Expected("no_answer", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "no_answer"),), "system")


async def outbound_busy(lab: Lab) -> Expected:
    await lab.carrier.behave(code=486)
    await lab.bob.call(OUTSIDE)
    return Expected("busy", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "busy"),), "callee")


async def outbound_failed(lab: Lab) -> Expected:
    await lab.carrier.behave(code=503)
    await lab.bob.call(OUTSIDE)
    return Expected("failed", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "failed"),), "system")


async def outbound_cancelled(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    await lab.bob.call(OUTSIDE)
    await lab.carrier.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.bob.hang_up()
    return Expected("cancelled", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "cancelled"),), "caller")


async def inbound_to_two_devices(lab: Lab) -> Expected:
    await lab.mobile.behave(answer_after=0.4)
    mark = len(lab.mobile.seen)
    await lab.carrier.call("+61290000001")
    await lab.mobile.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.mobile, mark, MOBILE, "101")
    attempts = (
        Rang("PJSIP/101-mobile", "answered"),
        Rang("PJSIP/101-desk", "answered_elsewhere"),
    )
    return Expected("answered", "inbound", MOBILE, "+61290000001", attempts, "caller", talks=(talk,))


async def inbound_callee_ends(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.4)
    mark = len(lab.desk.seen)
    await lab.carrier.call("+61290000001")
    await lab.desk.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.desk.hang_up()
    talk = await conversation(lab.desk, mark, MOBILE, "101")
    return Expected("answered", "inbound", MOBILE, "+61290000001", DESK_ANSWERED, "callee", talks=(talk,))


async def inbound_no_answer(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000001")
    attempts = (
        Rang("PJSIP/101-mobile", "no_answer"),
        Rang("PJSIP/101-desk", "no_answer"),
    )
    return Expected("no_answer", "inbound", MOBILE, "+61290000001", attempts, "system")


async def inbound_cancelled(lab: Lab) -> Expected:
    mark = len(lab.desk.seen)
    await lab.carrier.call("+61290000001")
    await lab.desk.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    attempts = (
        Rang("PJSIP/101-mobile", "cancelled"),
        Rang("PJSIP/101-desk", "cancelled"),
    )
    return Expected("cancelled", "inbound", MOBILE, "+61290000001", attempts, "caller")


SCENARIOS: tuple[Play, ...] = (
    internal_caller_ends,
    internal_callee_ends,
    internal_no_answer,
    internal_busy,
    internal_declined,
    internal_cancelled,
    internal_unreachable,
    outbound_answered,
    outbound_no_answer,
    outbound_busy,
    outbound_failed,
    outbound_cancelled,
    inbound_to_two_devices,
    inbound_callee_ends,
    inbound_no_answer,
    inbound_cancelled,
)
