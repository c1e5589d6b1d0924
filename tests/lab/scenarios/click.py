"""Click to call: the gateway rings the user, then the destination."""

from typing import Any

from tests.lab.scenarios.model import OUTSIDE, Expected, Lab, Play, Rang, conversation, talk_a_little


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
)
