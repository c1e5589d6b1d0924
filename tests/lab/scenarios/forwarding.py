"""Forwards: by the dialplan or the phone itself, inside and outside, one after the other, with a key to press."""

from tests.lab.phones import Phone
from tests.lab.scenarios.model import (
    MOBILE,
    Expected,
    Lab,
    Play,
    Rang,
    conversation,
    seen_of,
    talk_a_little,
    user_has_set,
)

ELSEWHERE = "+61411000777"
STAYING = f"Local/{ELSEWHERE}@from-internal/n"
LEAVING = f"Local/{ELSEWHERE}@from-internal"
"""A Local channel without /n leaves the call once both sides send sound."""


def forwarded(who: str, result: str) -> Rang:
    return Rang(who, result, "forward")


async def _inside(lab: Lab, phone: Phone, *attempts: Rang, media: bool = False) -> Expected:
    """Bob calls Dave's 104; `phone` answers, and hangs up."""
    await phone.behave(answer_after=0.4, media=media)
    mark = len(phone.seen)
    await lab.bob.call("104")
    await phone.wait_for("talking", since=mark)
    await talk_a_little(1.5 if media else 0.6)
    await phone.hang_up()
    talk = await conversation(phone, mark, "102", phone.name)
    return Expected("answered", "internal", "102", "104", attempts, "callee", talks=(talk,))


async def _outside(lab: Lab, *attempts: Rang, media: bool = False) -> Expected:
    """Bob calls Dave's 104; somebody outside answers, and hangs up."""
    await lab.bob.behave(media=media)
    await lab.carrier.behave(answer_after=0.4, media=media)
    mark = len(lab.carrier.seen)
    await lab.bob.call("104")
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little(1.5 if media else 0.6)
    await lab.carrier.hang_up()
    talk = await conversation(lab.carrier, mark, "102", ELSEWHERE)
    return Expected("answered", "internal", "102", "104", attempts, "callee", talks=(talk,), answered_by=ELSEWHERE)


async def forward_away_inside(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "away", "103"):
        return await _inside(lab, lab.carol, forwarded("PJSIP/103", "answered"))


async def forward_away_outside(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "away", STAYING):
        return await _outside(lab, forwarded(ELSEWHERE, "answered"))


async def forward_away_outside_leaving(lab: Lab) -> Expected:
    """A Local channel that would leave, and cannot, since nobody sends sound."""
    async with user_has_set(lab, "104", "away", LEAVING):
        return await _outside(lab, forwarded(ELSEWHERE, "answered"))


async def forward_away_outside_with_media(lab: Lab) -> Expected:
    """The Local channel leaves in mid-call: one talk all the same."""
    async with user_has_set(lab, "104", "away", LEAVING):
        return await _outside(lab, forwarded(ELSEWHERE, "answered"), media=True)


async def forward_away_inbound(lab: Lab) -> Expected:
    """From outside to outside: an inbound call still."""
    did = "+61290000104"
    async with user_has_set(lab, "104", "away", STAYING):
        await lab.carrier.behave(answer_after=0.4)
        mark = len(lab.carrier.seen)
        caller = await lab.carrier.call(did)
        mobile = await lab.carrier.wait_for("invite", since=mark)
        await seen_of(lab.carrier, "talking", mark, mobile.call)
        await talk_a_little()
        await lab.carrier.hang_up(caller)
        talk = await conversation(lab.carrier, mark, MOBILE, ELSEWHERE, call=mobile.call)
    return Expected(
        "answered",
        "inbound",
        MOBILE,
        did,
        (forwarded(ELSEWHERE, "answered"),),
        "caller",
        talks=(talk,),
        answered_by=ELSEWHERE,
    )


async def forward_away_nobody(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "104", "away", STAYING):
        await lab.bob.call("104")
        await lab.bob.wait_for("over", since=mark)
    return Expected("no_answer", "internal", "102", "104", (forwarded(ELSEWHERE, "no_answer"),), "system")


async def forward_away_given_up(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    async with user_has_set(lab, "104", "away", STAYING):
        await lab.bob.call("104")
        await lab.carrier.wait_for("invite", since=mark)
        await talk_a_little(0.4)
        await lab.bob.hang_up()
        await lab.carrier.wait_for("over", since=mark)
    return Expected("cancelled", "internal", "102", "104", (forwarded(ELSEWHERE, "cancelled"),), "caller")


async def forward_busy_inside(lab: Lab) -> Expected:
    await lab.dave.behave(code=486)
    async with user_has_set(lab, "104", "busy", "103"):
        return await _inside(lab, lab.carol, Rang("PJSIP/104", "busy"), forwarded("PJSIP/103", "answered"))


async def forward_no_answer_inside(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "noanswer", "103"):
        return await _inside(lab, lab.carol, Rang("PJSIP/104", "no_answer"), forwarded("PJSIP/103", "answered"))


async def forward_no_answer_outside(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "noanswer", STAYING):
        return await _outside(lab, Rang("PJSIP/104", "no_answer"), forwarded(ELSEWHERE, "answered"))


async def forward_chain(lab: Lab) -> Expected:
    """Dave is away to Carol, and Carol to Bob."""
    await lab.bob.behave(answer_after=0.4)
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "104", "away", "103"), user_has_set(lab, "103", "away", "102"):
        await lab.desk.call("104")
        await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, "101", "102")
    attempts = (forwarded("PJSIP/102", "answered"),)
    return Expected("answered", "internal", "101", "104", attempts, "callee", talks=(talk,))


async def forward_chain_outside(lab: Lab) -> Expected:
    """Dave is busy, Carol does not answer, and then it is her mobile."""
    await lab.dave.behave(code=486)
    async with user_has_set(lab, "104", "busy", "103"), user_has_set(lab, "103", "noanswer", STAYING):
        return await _outside(
            lab,
            Rang("PJSIP/104", "busy"),
            forwarded("PJSIP/103", "no_answer"),
            forwarded(ELSEWHERE, "answered"),
        )


async def forward_to_group(lab: Lab) -> Expected:
    """What rings then is the group: a visit to it."""
    mark = len(lab.carol.seen)
    await lab.carol.behave(answer_after=0.4)
    async with user_has_set(lab, "104", "away", "600"):
        await lab.carrier.call("+61290000104")
        await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carol.hang_up()
    talk = await conversation(lab.carol, mark, MOBILE, "103")
    attempts = (Rang("PJSIP/102", "answered_elsewhere", "ring_group"), Rang("PJSIP/103", "answered", "ring_group"))
    visits = (("sales", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000104", attempts, "callee", visits, talks=(talk,))


async def forward_by_phone_inside(lab: Lab) -> Expected:
    """Dave's phone itself sends callers on (302)."""
    await lab.dave.behave(code=302, redirect_to=f"sip:103@{lab.pbx.sip_address}")
    attempts = (Rang("PJSIP/104", "answered_elsewhere"), forwarded("PJSIP/103", "answered"))
    return await _inside(lab, lab.carol, *attempts)


async def forward_by_phone_outside(lab: Lab) -> Expected:
    await lab.dave.behave(code=302, redirect_to=f"sip:{ELSEWHERE}@{lab.pbx.sip_address}")
    return await _outside(lab, Rang("PJSIP/104", "answered_elsewhere"), forwarded(ELSEWHERE, "answered"))


async def forward_by_phone_with_media(lab: Lab) -> Expected:
    """The Local channel that Dial made for it leaves in mid-call."""
    await lab.dave.behave(code=302, redirect_to=f"sip:{ELSEWHERE}@{lab.pbx.sip_address}")
    attempts = (Rang("PJSIP/104", "answered_elsewhere"), forwarded(ELSEWHERE, "answered"))
    return await _outside(lab, *attempts, media=True)


async def forward_by_phone_inside_with_media(lab: Lab) -> Expected:
    await lab.dave.behave(code=302, redirect_to=f"sip:103@{lab.pbx.sip_address}")
    await lab.bob.behave(media=True)
    attempts = (Rang("PJSIP/104", "answered_elsewhere"), forwarded("PJSIP/103", "answered"))
    return await _inside(lab, lab.carol, *attempts, media=True)


async def forward_by_phone_given_up(lab: Lab) -> Expected:
    await lab.dave.behave(code=302, redirect_to=f"sip:103@{lab.pbx.sip_address}")
    mark = len(lab.carol.seen)
    await lab.bob.call("104")
    await lab.carol.wait_for("invite", since=mark)
    await talk_a_little(0.4)
    await lab.bob.hang_up()
    attempts = (Rang("PJSIP/104", "no_answer"), forwarded("PJSIP/103", "cancelled"))
    return Expected("cancelled", "internal", "102", "104", attempts, "caller")


async def forward_by_phone_nobody(lab: Lab) -> Expected:
    await lab.dave.behave(code=302, redirect_to=f"sip:103@{lab.pbx.sip_address}")
    await lab.bob.call("104")
    attempts = (Rang("PJSIP/104", "no_answer"), forwarded("PJSIP/103", "no_answer"))
    return Expected("no_answer", "internal", "102", "104", attempts, "system")


async def _follow_me(lab: Lab, *, media: bool) -> Expected:
    await lab.bob.behave(media=media)
    await lab.carrier.behave(answer_after=0.3, media=media)
    mark, since = len(lab.carrier.seen), len(lab.bob.seen)
    async with user_has_set(lab, "104", "follow", ELSEWHERE):
        await lab.bob.call("104")
        await lab.carrier.wait_for("talking", since=mark)
        await talk_a_little(0.7)
        await lab.carrier.dtmf("1")
        await lab.bob.wait_for("talking", since=since)
        await talk_a_little(1.5 if media else 0.6)
        await lab.carrier.hang_up()
        talk = await conversation(lab.bob, since, "102", ELSEWHERE)
    attempts = (Rang("PJSIP/104", "answered_elsewhere"), forwarded(ELSEWHERE, "answered"))
    return Expected("answered", "internal", "102", "104", attempts, "callee", talks=(talk,), answered_by=ELSEWHERE)


async def follow_me_accepted(lab: Lab) -> Expected:
    """Dave's mobile rings with his phone; he takes the call there with a key, and only then is he connected."""
    return await _follow_me(lab, media=False)


async def follow_me_accepted_with_media(lab: Lab) -> Expected:
    return await _follow_me(lab, media=True)


async def follow_me_not_accepted(lab: Lab) -> Expected:
    """His mobile's own mailbox answers, and presses no key: then he takes it at his desk."""
    await lab.carrier.behave(answer_after=0.3)
    mark, since = len(lab.carrier.seen), len(lab.dave.seen)
    async with user_has_set(lab, "104", "follow", ELSEWHERE):
        await lab.bob.call("104")
        await lab.carrier.wait_for("over", since=mark)
        await talk_a_little(0.3)
        await lab.dave.answer()
        await lab.dave.wait_for("talking", since=since)
        await talk_a_little()
        await lab.bob.hang_up()
        talk = await conversation(lab.dave, since, "102", "104")
    attempts = (Rang("PJSIP/104", "answered"), forwarded(ELSEWHERE, "no_answer"))
    return Expected("answered", "internal", "102", "104", attempts, "caller", talks=(talk,))


async def follow_me_nobody(lab: Lab) -> Expected:
    """The mobile's mailbox answers, presses no key, and nobody is at the desk."""
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "104", "follow", ELSEWHERE):
        await lab.bob.call("104")
        await lab.bob.wait_for("over", since=mark)
    attempts = (Rang("PJSIP/104", "no_answer"), forwarded(ELSEWHERE, "no_answer"))
    return Expected("no_answer", "internal", "102", "104", attempts, "system", answered_by="")


async def follow_me_at_the_desk(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "follow", ELSEWHERE):
        attempts = (Rang("PJSIP/104", "answered"), forwarded(ELSEWHERE, "answered_elsewhere"))
        return await _inside(lab, lab.dave, *attempts)


SCENARIOS: tuple[Play, ...] = (
    forward_away_inside,
    forward_away_outside,
    forward_away_outside_leaving,
    forward_away_outside_with_media,
    forward_away_inbound,
    forward_away_nobody,
    forward_away_given_up,
    forward_busy_inside,
    forward_no_answer_inside,
    forward_no_answer_outside,
    forward_chain,
    forward_chain_outside,
    forward_to_group,
    forward_by_phone_inside,
    forward_by_phone_outside,
    forward_by_phone_with_media,
    forward_by_phone_inside_with_media,
    forward_by_phone_given_up,
    forward_by_phone_nobody,
    follow_me_accepted,
    follow_me_accepted_with_media,
    follow_me_not_accepted,
    follow_me_nobody,
    follow_me_at_the_desk,
)

FOREIGN = SCENARIOS
