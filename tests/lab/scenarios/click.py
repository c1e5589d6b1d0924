"""Click to call: the gateway rings the user, then the destination."""

from typing import Any

from tests.lab.scenarios.model import (
    OUTSIDE,
    Expected,
    Lab,
    Play,
    Rang,
    conversation,
    fall_silent,
    guest,
    silence,
    talk_a_little,
    user_has_set,
)


async def _click(lab: Lab, to: str = OUTSIDE, **more: Any) -> str:
    response = await lab.gateway.api.post("/v1/calls", json={"user": "101", "to": to, **more})
    assert response.status_code == 202, response.text
    placed: str = response.json()["id"]
    return placed


DESK_CLICKED = (
    Rang("PJSIP/101-desk", "answered", "click_to_call"),
    Rang("PJSIP/101-mobile", "answered_elsewhere", "click_to_call"),
)


async def click_to_call(lab: Lab, *, user_ends: bool) -> Expected:
    await lab.desk.behave(answer_after=0.4)
    await lab.carrier.behave(answer_after=0.4)
    mark = len(lab.carrier.seen)
    await _click(lab)
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little()
    await (lab.desk if user_ends else lab.carrier).hang_up()
    talk = await conversation(lab.carrier, mark, "101", OUTSIDE)
    attempts = (
        *DESK_CLICKED,
        Rang(OUTSIDE, "answered"),
    )
    by = "caller" if user_ends else "callee"
    return Expected(
        "answered", "outbound", "101", OUTSIDE, attempts, by, end_reason="hangup", talks=(talk,), placed=True
    )


async def click_user_ends(lab: Lab) -> Expected:
    return await click_to_call(lab, user_ends=True)


async def click_destination_ends(lab: Lab) -> Expected:
    return await click_to_call(lab, user_ends=False)


async def click_user_no_answer(lab: Lab) -> Expected:
    await _click(lab, ring_timeout=5)
    attempts = (
        Rang("PJSIP/101-desk", "no_answer", "click_to_call"),
        Rang("PJSIP/101-mobile", "no_answer", "click_to_call"),
    )
    return Expected(
        "no_answer", "outbound", "101", OUTSIDE, attempts, "system", end_reason="user_no_answer", placed=True
    )


async def click_user_declines(lab: Lab) -> Expected:
    await lab.desk.behave(code=603)
    await lab.mobile.behave(code=603)
    await _click(lab)
    attempts = (
        Rang("PJSIP/101-desk", "declined", "click_to_call"),
        Rang("PJSIP/101-mobile", "declined", "click_to_call"),
    )
    return Expected("declined", "outbound", "101", OUTSIDE, attempts, end_reason="user_declined", placed=True)


async def _click_refused(lab: Lab, code: int, outcome: str) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.carrier.behave(code=code)
    await _click(lab)
    attempts = (
        *DESK_CLICKED,
        Rang(OUTSIDE, outcome),
    )
    return Expected(outcome, "outbound", "101", OUTSIDE, attempts, end_reason=f"destination_{outcome}", placed=True)


async def click_destination_busy(lab: Lab) -> Expected:
    return await _click_refused(lab, 486, "busy")


async def click_destination_declines(lab: Lab) -> Expected:
    return await _click_refused(lab, 603, "declined")


async def click_trunk_fails(lab: Lab) -> Expected:
    return await _click_refused(lab, 503, "failed")


async def click_destination_no_answer(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await _click(lab, answer_timeout=5)
    attempts = (
        *DESK_CLICKED,
        Rang(OUTSIDE, "no_answer"),
    )
    return Expected("no_answer", "outbound", "101", OUTSIDE, attempts, end_reason="destination_no_answer", placed=True)


async def click_user_gives_up(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    await _click(lab)
    await lab.carrier.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.desk.hang_up()
    attempts = (
        *DESK_CLICKED,
        Rang(OUTSIDE, "cancelled"),
    )
    return Expected(
        "cancelled", "outbound", "101", OUTSIDE, attempts, "caller", end_reason="destination_cancelled", placed=True
    )


async def click_to_an_extension(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    await _click(lab, "103")
    invite = await lab.carol.wait_for("invite", since=mark)
    assert "Alice" in invite.header("From"), invite.message
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carol.hang_up()
    talk = await conversation(lab.carol, mark, "101", "103")
    attempts = (
        *DESK_CLICKED,
        Rang("PJSIP/103", "answered"),
    )
    return Expected("answered", "internal", "101", "103", attempts, "callee", talks=(talk,), placed=True)


async def click_user_silent(lab: Lab) -> Expected:
    """Both devices are registered and gone: they cannot even be told to stop."""
    for phone in (lab.desk, lab.mobile):
        fall_silent(phone)
    try:
        await _click(lab, ring_timeout=5)
        await talk_a_little(0.5)
        await silence(lab.pbx)
    finally:
        for phone in (lab.desk, lab.mobile):
            phone.resume()
    for phone in (lab.desk, lab.mobile):
        await phone.wait_for("over", since=len(phone.seen) - 1)
    attempts = (
        Rang("PJSIP/101-desk", "no_answer", "click_to_call"),
        Rang("PJSIP/101-mobile", "no_answer", "click_to_call"),
    )
    return Expected(
        "no_answer", "outbound", "101", OUTSIDE, attempts, "system", end_reason="user_no_answer", placed=True
    )


async def click_one_device_declines(lab: Lab) -> Expected:
    await lab.desk.behave(code=603)
    await lab.mobile.behave(answer_after=0.5)
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    await _click(lab)
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.mobile.hang_up()
    talk = await conversation(lab.carrier, mark, "101", OUTSIDE)
    attempts = (
        Rang("PJSIP/101-desk", "declined", "click_to_call"),
        Rang("PJSIP/101-mobile", "answered", "click_to_call"),
        Rang(OUTSIDE, "answered"),
    )
    return Expected("answered", "outbound", "101", OUTSIDE, attempts, "caller", talks=(talk,), placed=True)


async def click_contact_answers(lab: Lab) -> Expected:
    """Two phones are registered as the desk's: all of them ring, and are one device."""
    async with guest(lab, "101-desk/2") as other:
        await other.behave(answer_after=0.4)
        await lab.carrier.behave(answer_after=0.3)
        mark = len(lab.carrier.seen)
        await _click(lab)
        await lab.carrier.wait_for("talking", since=mark)
        await talk_a_little()
        await other.hang_up()
        talk = await conversation(lab.carrier, mark, "101", OUTSIDE)
    attempts = (*DESK_CLICKED, Rang(OUTSIDE, "answered"))
    return Expected("answered", "outbound", "101", OUTSIDE, attempts, "caller", talks=(talk,), placed=True)


async def _click_to_nobody(lab: Lab, to: str, outcome: str, *attempts: Rang, direction: str = "internal") -> Expected:
    """The user answers, and the dialplan rings nobody."""
    await lab.desk.behave(answer_after=0.3)
    mark = len(lab.desk.seen)
    await _click(lab, to)
    await lab.desk.wait_for("over", since=mark)
    return Expected(
        outcome,
        direction,
        "101",
        to,
        attempts or DESK_CLICKED,
        "system",
        end_reason=f"destination_{outcome}",
        placed=True,
    )


async def click_congested(lab: Lab) -> Expected:
    return await _click_to_nobody(lab, "+61255509999", "failed", direction="outbound")


async def click_congested_other_device_busy(lab: Lab) -> Expected:
    """What the user's own devices said is not what became of the destination."""
    await lab.mobile.behave(code=486)
    attempts = (
        Rang("PJSIP/101-desk", "answered", "click_to_call"),
        Rang("PJSIP/101-mobile", "busy", "click_to_call"),
    )
    return await _click_to_nobody(lab, "+61255509999", "failed", *attempts, direction="outbound")


async def click_do_not_disturb(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "dnd"):
        return await _click_to_nobody(lab, "104", "busy")


async def click_refused_by_dialplan(lab: Lab) -> Expected:
    async with user_has_set(lab, "104", "refuses"):
        return await _click_to_nobody(lab, "104", "declined")


async def click_destination_wrong_number(lab: Lab) -> Expected:
    return await _click_refused(lab, 404, "failed")


async def click_destination_incomplete_number(lab: Lab) -> Expected:
    return await _click_refused(lab, 484, "failed")


async def click_destination_never_rings(lab: Lab) -> Expected:
    """The carrier plays its own ringing (183), and nobody comes."""
    await lab.desk.behave(answer_after=0.3)
    await lab.carrier.behave(ring_code=183)
    await _click(lab, answer_timeout=5)
    attempts = (*DESK_CLICKED, Rang(OUTSIDE, "no_answer"))
    return Expected("no_answer", "outbound", "101", OUTSIDE, attempts, end_reason="destination_no_answer", placed=True)


async def click_extension_no_answer(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await _click(lab, "103")
    attempts = (*DESK_CLICKED, Rang("PJSIP/103", "no_answer"))
    return Expected("no_answer", "internal", "101", "103", attempts, end_reason="destination_no_answer", placed=True)


async def click_extension_ended_by_operator(lab: Lab) -> Expected:
    """Whoever placed the call ends it over the API, while they talk."""
    await lab.desk.behave(answer_after=0.3)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    placed = await _click(lab, "103")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    response = await lab.gateway.api.post(f"/v1/calls/{placed}/hangup")
    assert response.status_code == 202, response.text
    talk = await conversation(lab.carol, mark, "101", "103")
    attempts = (*DESK_CLICKED, Rang("PJSIP/103", "answered"))
    return Expected("answered", "internal", "101", "103", attempts, "system", talks=(talk,), placed=True)


async def click_to_a_queue(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    await _click(lab, "700")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carol.hang_up()
    talk = await conversation(lab.carol, mark, "101", "103")
    attempts = (
        *DESK_CLICKED,
        Rang("PJSIP/102", "answered_elsewhere", "queue"),
        Rang("PJSIP/103", "answered", "queue"),
    )
    visits = (("support", "answered"),)
    return Expected("answered", "internal", "101", "700", attempts, "callee", visits, talks=(talk,), placed=True)


async def click_queue_abandoned(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    mark = len(lab.carol.seen)
    await _click(lab, "700")
    await lab.carol.wait_for("invite", since=mark)
    await talk_a_little(0.4)
    await lab.desk.hang_up()
    attempts = (*DESK_CLICKED, Rang("PJSIP/102", "cancelled", "queue"), Rang("PJSIP/103", "cancelled", "queue"))
    return Expected("abandoned", "internal", "101", "700", attempts, "caller", (("support", "abandoned"),), placed=True)


async def click_to_a_group(lab: Lab) -> Expected:
    await lab.desk.behave(answer_after=0.3)
    await lab.bob.behave(answer_after=0.3)
    mark = len(lab.bob.seen)
    await _click(lab, "600")
    await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.desk.hang_up()
    talk = await conversation(lab.bob, mark, "101", "102")
    attempts = (
        *DESK_CLICKED,
        Rang("PJSIP/102", "answered", "ring_group"),
        Rang("PJSIP/103", "answered_elsewhere", "ring_group"),
    )
    visits = (("sales", "answered"),)
    return Expected("answered", "internal", "101", "600", attempts, "caller", visits, talks=(talk,), placed=True)


async def click_to_a_forward(lab: Lab) -> Expected:
    """The colleague is away to a mobile."""
    away = "+61411000777"
    await lab.desk.behave(answer_after=0.3)
    await lab.carrier.behave(answer_after=0.3)
    mark = len(lab.carrier.seen)
    async with user_has_set(lab, "104", "away", f"Local/{away}@from-internal/n"):
        await _click(lab, "104")
        await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.desk.hang_up()
    talk = await conversation(lab.carrier, mark, "101", away)
    attempts = (*DESK_CLICKED, Rang(away, "answered", "forward"))
    return Expected("answered", "internal", "101", "104", attempts, "caller", talks=(talk,), placed=True)


async def click_to_a_mailbox(lab: Lab) -> Expected:
    mark = len(lab.carol.seen)
    await lab.desk.behave(answer_after=0.3)
    async with user_has_set(lab, "103", "mailbox"):
        await _click(lab, "103")
        await lab.carol.wait_for("over", since=mark)
        await talk_a_little(0.7)
        await lab.desk.hang_up()
        await silence(lab.pbx)
    attempts = (*DESK_CLICKED, Rang("PJSIP/103", "no_answer"))
    more: dict[str, object] = {"voicemail": {"mailbox": "103@default", "message_left": None}}
    return Expected("voicemail", "internal", "101", "103", attempts, "caller", more=more, placed=True)


async def click_ended_by_operator_while_user_rings(lab: Lab) -> Expected:
    """Whoever placed the call thinks better of it before the user has answered."""
    mark = len(lab.desk.seen)
    placed = await _click(lab)
    await lab.desk.wait_for("invite", since=mark)
    await talk_a_little(0.4)
    response = await lab.gateway.api.post(f"/v1/calls/{placed}/hangup")
    assert response.status_code == 202, response.text
    await lab.desk.wait_for("over", since=mark)
    attempts = (
        Rang("PJSIP/101-desk", "cancelled", "click_to_call"),
        Rang("PJSIP/101-mobile", "cancelled", "click_to_call"),
    )
    return Expected("cancelled", "outbound", "101", OUTSIDE, attempts, "system", placed=True)


async def click_silent_carrier_given_up(lab: Lab) -> Expected:
    """Nothing is heard of the carrier, and the user hangs up."""
    mark, since = len(lab.desk.seen), len(lab.carrier.seen)
    await lab.desk.behave(answer_after=0.3)
    fall_silent(lab.carrier)
    try:
        await _click(lab)
        await lab.desk.wait_for("talking", since=mark)
        await talk_a_little(0.8)
        await lab.desk.hang_up()
        await silence(lab.pbx)
    finally:
        lab.carrier.resume()
    await lab.carrier.wait_for("over", since=since)
    attempts = (*DESK_CLICKED, Rang(OUTSIDE, "cancelled"))
    return Expected("cancelled", "outbound", "101", OUTSIDE, attempts, "caller", placed=True)


SCENARIOS: tuple[Play, ...] = (
    click_user_ends,
    click_destination_ends,
    click_user_no_answer,
    click_user_declines,
    click_destination_busy,
    click_destination_declines,
    click_trunk_fails,
    click_destination_no_answer,
    click_user_gives_up,
    click_to_an_extension,
    click_user_silent,
    click_one_device_declines,
    click_contact_answers,
    click_destination_wrong_number,
    click_destination_incomplete_number,
    click_destination_never_rings,
    click_extension_no_answer,
    click_extension_ended_by_operator,
    click_to_a_queue,
    click_queue_abandoned,
    click_to_a_group,
    click_to_a_forward,
    click_to_a_mailbox,
    click_ended_by_operator_while_user_rings,
    click_silent_carrier_given_up,
    click_congested,
    click_congested_other_device_busy,
    click_do_not_disturb,
    click_refused_by_dialplan,
)

FOREIGN = SCENARIOS
