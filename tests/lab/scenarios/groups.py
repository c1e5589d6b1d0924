"""Ring groups: several people rung for one caller."""

from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, conversation, talk_a_little


async def group_answered(lab: Lab) -> Expected:
    await lab.bob.behave(answer_after=0.4)
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000002")
    await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, MOBILE, "102")
    attempts = (
        Rang("PJSIP/102", "answered", "ring_group"),
        Rang("PJSIP/103", "answered_elsewhere", "ring_group"),
    )
    visit = ("sales", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000002", attempts, "callee", (visit,), talks=(talk,))


async def group_nobody(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000002")
    attempts = (
        Rang("PJSIP/102", "no_answer", "ring_group"),
        Rang("PJSIP/103", "no_answer", "ring_group"),
    )
    return Expected("no_answer", "inbound", MOBILE, "+61290000002", attempts, "system", (("sales", "no_answer"),))


async def group_given_up(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000002")
    await lab.bob.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    attempts = (
        Rang("PJSIP/102", "cancelled", "ring_group"),
        Rang("PJSIP/103", "cancelled", "ring_group"),
    )
    return Expected("cancelled", "inbound", MOBILE, "+61290000002", attempts, "caller", (("sales", "cancelled"),))


SCENARIOS: tuple[Play, ...] = (
    group_answered,
    group_nobody,
    group_given_up,
)
