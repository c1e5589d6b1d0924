"""Pickup: somebody takes the call that rings at another's phone. The picker's own call merges into it."""

from tests.lab.phones import Phone
from tests.lab.scenarios.legs import dial, rung
from tests.lab.scenarios.model import MOBILE, Expected, Lab, Play, Rang, Talked, talk_a_little

PICKED_UP_BY_CAROL = Rang("PJSIP/103", "answered", "pickup")


async def picked_up(lab: Lab, to: str, ringing: Phone, picker: Phone, keys: str, *, caller_ends: bool = True) -> Talked:
    """The outside calls `to`, `ringing` rings, `picker` dials `keys` and talks with the outside."""
    mark = len(ringing.seen)
    near = await dial(lab.carrier, to)
    await (await rung(ringing, mark)).saw("ringing")
    await talk_a_little(0.3)
    far = await dial(picker, keys)
    since = await near.at("talking")
    await talk_a_little()
    await (near if caller_ends else far).hang_up()
    return Talked((MOBILE, picker.name), "pickup", since, await far.at("over"))


async def pickup_directed(lab: Lab) -> Expected:
    talk = await picked_up(lab, "+61290000102", lab.bob, lab.carol, "*8102")
    attempts = (Rang("PJSIP/102", "answered_elsewhere"), PICKED_UP_BY_CAROL)
    return Expected(
        "answered",
        "inbound",
        MOBILE,
        "+61290000102",
        attempts,
        "caller",
        talks=(talk,),
        answered_by="PJSIP/103",
        merged=1,
    )


async def pickup_by_group(lab: Lab) -> Expected:
    talk = await picked_up(lab, "+61290000102", lab.bob, lab.carol, "*8", caller_ends=False)
    attempts = (Rang("PJSIP/102", "answered_elsewhere"), PICKED_UP_BY_CAROL)
    return Expected(
        "answered",
        "inbound",
        MOBILE,
        "+61290000102",
        attempts,
        "callee",
        talks=(talk,),
        answered_by="PJSIP/103",
        merged=1,
    )


async def pickup_while_two_devices_ring(lab: Lab) -> Expected:
    talk = await picked_up(lab, "+61290000001", lab.desk, lab.carol, "*8101", caller_ends=False)
    attempts = (
        Rang("PJSIP/101-desk", "answered_elsewhere"),
        Rang("PJSIP/101-mobile", "answered_elsewhere"),
        PICKED_UP_BY_CAROL,
    )
    return Expected(
        "answered",
        "inbound",
        MOBILE,
        "+61290000001",
        attempts,
        "callee",
        talks=(talk,),
        answered_by="PJSIP/103",
        merged=1,
    )


async def pickup_of_group_call(lab: Lab) -> Expected:
    """Dave is not of the group, and takes its call."""
    talk = await picked_up(lab, "+61290000002", lab.bob, lab.dave, "*8600")
    attempts = (
        Rang("PJSIP/102", "answered_elsewhere", "ring_group"),
        Rang("PJSIP/103", "answered_elsewhere", "ring_group"),
        Rang("PJSIP/104", "answered", "pickup"),
    )
    return Expected(
        "answered",
        "inbound",
        MOBILE,
        "+61290000002",
        attempts,
        "caller",
        (("sales", "answered"),),
        (talk,),
        answered_by="PJSIP/104",
        merged=1,
    )


async def pickup_of_internal(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    near = await dial(lab.dave, "102")
    await (await rung(lab.bob, mark)).saw("ringing")
    await talk_a_little(0.3)
    far = await dial(lab.carol, "*8102")
    since = await near.at("talking")
    await talk_a_little()
    await far.hang_up()
    talk = Talked(("104", "103"), "pickup", since, await near.at("over"))
    attempts = (Rang("PJSIP/102", "answered_elsewhere"), PICKED_UP_BY_CAROL)
    return Expected(
        "answered", "internal", "104", "102", attempts, "callee", talks=(talk,), answered_by="PJSIP/103", merged=1
    )


async def pickup_of_nothing(lab: Lab) -> Expected:
    """Nothing rings at Bob's: a call of Carol's to nobody."""
    near = await dial(lab.carol, "*8102")
    await near.saw("over")
    return Expected("failed", "internal", "103", "*8102", (), "system", answered_by="")


SCENARIOS: tuple[Play, ...] = (
    pickup_directed,
    pickup_by_group,
    pickup_while_two_devices_ring,
    pickup_of_group_call,
    pickup_of_internal,
    pickup_of_nothing,
)

FOREIGN = tuple(play for play in SCENARIOS if play is not pickup_of_group_call)  # there only what is rung is marked
