"""Queues: callers wait, agents are rung."""

from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, conversation, talk_a_little


async def queue_answered(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark = len(lab.carol.seen)
    await lab.carrier.call("+61290000003")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.carol, mark, MOBILE, "103")
    attempts = (
        Rang("PJSIP/103", "answered", "queue"),
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
    )
    return Expected(
        "answered", "inbound", MOBILE, "+61290000003", attempts, "caller", (("support", "answered"),), talks=(talk,)
    )


async def queue_abandoned(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000003")
    await lab.bob.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    attempts = (
        Rang("PJSIP/102", "cancelled", "queue"),
        Rang("PJSIP/103", "cancelled", "queue"),
    )
    return Expected("abandoned", "inbound", MOBILE, "+61290000003", attempts, "caller", (("support", "abandoned"),))


async def queue_timed_out(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000003")
    attempts = (
        Rang("PJSIP/102", "no_answer", "queue"),
        Rang("PJSIP/103", "no_answer", "queue"),
    )
    return Expected("timed_out", "inbound", MOBILE, "+61290000003", attempts, "system", (("support", "timed_out"),))


SCENARIOS: tuple[Play, ...] = (
    queue_answered,
    queue_abandoned,
    queue_timed_out,
)
