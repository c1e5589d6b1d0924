"""One person, several devices; one device, several contacts; one device, rung more than once."""

from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, conversation, guest, talk_a_little

BOTH_CONTACTS = "+61290000006"
TWICE = "+61290000005"


async def device_declines_other_answers(lab: Lab) -> Expected:
    await lab.desk.behave(code=603)
    await lab.mobile.behave(answer_after=0.5)
    mark = len(lab.mobile.seen)
    await lab.bob.call("101")
    await lab.mobile.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.mobile.hang_up()
    talk = await conversation(lab.mobile, mark, "102", "101")
    attempts = (Rang("PJSIP/101-desk", "declined"), Rang("PJSIP/101-mobile", "answered"))
    return Expected("answered", "internal", "102", "101", attempts, "callee", talks=(talk,))


async def device_busy_other_rings(lab: Lab) -> Expected:
    await lab.desk.behave(code=486)
    await lab.bob.call("101")
    attempts = (Rang("PJSIP/101-desk", "busy"), Rang("PJSIP/101-mobile", "no_answer"))
    return Expected("no_answer", "internal", "102", "101", attempts, "system")


async def contacts_one_answers(lab: Lab) -> Expected:
    """Two phones are registered as 102: one device, one attempt."""
    async with guest(lab, "102/2") as other:
        await other.behave(answer_after=0.5)
        await lab.carrier.call(BOTH_CONTACTS)
        await other.wait_for("talking")
        await lab.bob.wait_for("over", since=0)
        await talk_a_little()
        await other.hang_up()
        talk = await conversation(other, 0, MOBILE, "102")
    attempts = (Rang("PJSIP/102", "answered"),)
    return Expected("answered", "inbound", MOBILE, BOTH_CONTACTS, attempts, "callee", talks=(talk,))


async def contacts_nobody(lab: Lab) -> Expected:
    async with guest(lab, "102/2") as other:
        await lab.carrier.call(BOTH_CONTACTS)
        await other.wait_for("over")
    attempts = (Rang("PJSIP/102", "no_answer"),)
    return Expected("no_answer", "inbound", MOBILE, BOTH_CONTACTS, attempts, "system")


async def contacts_one_declines(lab: Lab) -> Expected:
    """Declined on one phone, answered on the other."""
    await lab.bob.behave(code=603)
    async with guest(lab, "102/2") as other:
        await other.behave(answer_after=0.5)
        await lab.carrier.call(BOTH_CONTACTS)
        await other.wait_for("talking")
        await talk_a_little()
        await lab.carrier.hang_up()
        talk = await conversation(other, 0, MOBILE, "102")
    attempts = (Rang("PJSIP/102", "answered"),)
    return Expected("answered", "inbound", MOBILE, BOTH_CONTACTS, attempts, "caller", talks=(talk,))


async def device_rung_twice(lab: Lab) -> Expected:
    """Bob lets it ring, the caller hears an apology, and Bob is rung again."""
    mark = len(lab.bob.seen)
    await lab.carrier.call(TWICE)
    await lab.bob.wait_for("over", since=mark)
    await lab.bob.behave(answer_after=0.3)
    talking = await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, MOBILE, "102", call=talking.call)
    attempts = (Rang("PJSIP/102", "no_answer"), Rang("PJSIP/102", "answered"))
    return Expected("answered", "inbound", MOBILE, TWICE, attempts, "callee", talks=(talk,))


async def device_rung_twice_in_vain(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    await lab.carrier.call(TWICE)
    await lab.carrier.wait_for("over", since=mark)
    attempts = (Rang("PJSIP/102", "no_answer"),)
    return Expected("no_answer", "inbound", MOBILE, TWICE, attempts, "system", answered_by="")


SCENARIOS: tuple[Play, ...] = (
    device_declines_other_answers,
    device_busy_other_rings,
    contacts_one_answers,
    contacts_nobody,
    contacts_one_declines,
    device_rung_twice,
    device_rung_twice_in_vain,
)

FOREIGN = SCENARIOS
