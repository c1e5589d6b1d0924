"""Two accounts on one Asterisk, and phones of nobody's."""

from tests.lab.phones import Phone
from tests.lab.scenarios.model import MOBILE, OUTSIDE, Expected, Lab, Play, Rang, conversation, guest, talk_a_little

ZOES = "+61290000020"


async def _talk(phone: Phone, mark: int) -> None:
    await phone.wait_for("talking", since=mark)
    await talk_a_little()


async def accounts_side_by_side(lab: Lab) -> list[Expected]:
    """Acme talks among itself while a call comes in for Umbrella."""
    async with guest(lab, "201") as zoe:
        await zoe.behave(answer_after=0.3)
        await lab.carol.behave(answer_after=0.3)
        mark, since = len(lab.carol.seen), len(zoe.seen)
        await lab.bob.call("103")
        await _talk(lab.carol, mark)
        await lab.carrier.call(ZOES)
        await _talk(zoe, since)
        await lab.bob.hang_up()
        await zoe.hang_up()
        inside = await conversation(lab.carol, mark, "102", "103")
        inbound = await conversation(zoe, since, MOBILE, "201")
    return [
        Expected("answered", "internal", "102", "103", (Rang("PJSIP/103", "answered"),), "caller", talks=(inside,)),
        Expected(
            "answered",
            "inbound",
            MOBILE,
            ZOES,
            (Rang("PJSIP/201", "answered"),),
            "callee",
            talks=(inbound,),
            account="umbrella",
        ),
    ]


async def account_of_a_shared_trunk(lab: Lab) -> Expected:
    """Umbrella calls out over the trunk that Acme has, too."""
    await lab.carrier.behave(answer_after=0.3)
    async with guest(lab, "201") as zoe:
        mark = len(lab.carrier.seen)
        await zoe.call(OUTSIDE)
        await _talk(lab.carrier, mark)
        await zoe.hang_up()
        talk = await conversation(lab.carrier, mark, "201", OUTSIDE)
        attempts = (Rang(OUTSIDE, "answered"),)
    return Expected(
        "answered", "outbound", "201", OUTSIDE, attempts, "caller", talks=(talk,), account="umbrella", caller_name="Zoe"
    )


async def account_calls_another(lab: Lab) -> Expected:
    """Zoe of Umbrella is an outside party to Bob of Acme, though she is on the same Asterisk."""
    async with guest(lab, "201") as zoe:
        await zoe.behave(answer_after=0.3)
        mark = len(zoe.seen)
        await lab.bob.call("201")
        await _talk(zoe, mark)
        await zoe.hang_up()
        talk = await conversation(zoe, mark, "102", "201")
    return Expected("answered", "outbound", "102", "201", (Rang("201", "answered"),), "callee", talks=(talk,))


async def account_called_by_another(lab: Lab) -> Expected:
    """Umbrella's call, and Carol of Acme is an outside party to it."""
    await lab.carol.behave(answer_after=0.3)
    async with guest(lab, "201") as zoe:
        mark = len(lab.carol.seen)
        await zoe.call("103")
        await _talk(lab.carol, mark)
        await zoe.hang_up()
        talk = await conversation(lab.carol, mark, "201", "103")
        attempts = (Rang("103", "answered"),)
    return Expected("answered", "outbound", "201", "103", attempts, "caller", talks=(talk,), account="umbrella")


async def account_of_nobody(lab: Lab) -> list[Expected]:
    """Two phones that no directory names: nobody's call, and no record of it."""
    async with guest(lab, "301") as one, guest(lab, "302") as other:
        await other.behave(answer_after=0.3)
        await one.call("302")
        await _talk(other, 0)
        await one.hang_up()
        await other.wait_for("over")
    return []


SCENARIOS: tuple[Play, ...] = (
    accounts_side_by_side,
    account_of_a_shared_trunk,
    account_calls_another,
    account_called_by_another,
    account_of_nobody,
)

FOREIGN = SCENARIOS
