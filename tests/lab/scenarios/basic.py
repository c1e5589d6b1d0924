"""Calls between two people: inside, out, and in, with every plain ending."""

from dataclasses import replace

from tests.lab.scenarios.model import (
    MOBILE,
    OUTSIDE,
    Expected,
    Lab,
    Play,
    Rang,
    conversation,
    fall_silent,
    talk_a_little,
    user_has_set,
)

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


async def internal_silent(lab: Lab) -> Expected:
    """A phone that is registered and gone: nothing answers Asterisk, not even a ringing."""
    mark, since = len(lab.bob.seen), len(lab.carol.seen)
    fall_silent(lab.carol)
    try:
        await lab.bob.call("103")
        await lab.bob.wait_for("over", since=mark)
    finally:
        lab.carol.resume()
    await lab.carol.wait_for("over", since=since)
    return Expected("no_answer", "internal", "102", "103", (Rang("PJSIP/103", "no_answer"),), "system")


async def _outbound_refused(lab: Lab, code: int, outcome: str, by: str) -> Expected:
    await lab.carrier.behave(code=code)
    await lab.bob.call(OUTSIDE)
    return Expected(outcome, "outbound", "102", OUTSIDE, (Rang(OUTSIDE, outcome),), by)


async def outbound_declined(lab: Lab) -> Expected:
    return await _outbound_refused(lab, 603, "declined", "callee")


async def outbound_wrong_number(lab: Lab) -> Expected:
    return await _outbound_refused(lab, 404, "failed", "system")


async def outbound_incomplete_number(lab: Lab) -> Expected:
    return await _outbound_refused(lab, 484, "failed", "system")


async def outbound_never_rings(lab: Lab) -> Expected:
    """A carrier that plays its own ringing (183), and nobody comes."""
    await lab.carrier.behave(ring_code=183)
    await lab.bob.call(OUTSIDE)
    return Expected("no_answer", "outbound", "102", OUTSIDE, (Rang(OUTSIDE, "no_answer"),), "system")


async def outbound_congested(lab: Lab) -> Expected:
    """The dialplan itself has no line left: nobody was rung."""
    mark = len(lab.bob.seen)
    await lab.bob.call("+61255509999")
    over = await lab.bob.wait_for("over", since=mark)
    assert over.code == 503, over
    return Expected("failed", "outbound", "102", "+61255509999", (), "system")


async def inbound_declined(lab: Lab) -> Expected:
    await lab.desk.behave(code=603)
    await lab.mobile.behave(code=603)
    await lab.carrier.call("+61290000001")
    attempts = (Rang("PJSIP/101-mobile", "declined"), Rang("PJSIP/101-desk", "declined"))
    return Expected("declined", "inbound", MOBILE, "+61290000001", attempts, "callee")


async def inbound_given_up_in_menu(lab: Lab) -> Expected:
    """The menu answers, and the caller leaves before choosing anybody."""
    mark = len(lab.carrier.seen)
    await lab.carrier.call("+61290000711")
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little(0.5)
    await lab.carrier.hang_up()
    return Expected("cancelled", "inbound", MOBILE, "+61290000711", (), "caller", answered_by="")


async def _answered_by_bob(lab: Lab, did: str, *, dialled: str | None, caller: str = "") -> Expected:
    await lab.bob.behave(answer_after=0.4)
    mark = len(lab.bob.seen)
    await lab.carrier.call(did, caller=caller or None)
    await lab.bob.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, MOBILE, "102")
    return Expected("answered", "inbound", MOBILE, dialled, (Rang("PJSIP/102", "answered"),), "callee", talks=(talk,))


async def inbound_without_number(lab: Lab) -> Expected:
    """A carrier that does not say which number was called: the call comes to the extension `s`."""
    return await _answered_by_bob(lab, "s", dialled=None)


async def inbound_caller_rewritten(lab: Lab) -> Expected:
    """The dialplan shows the caller otherwise; the record has who called."""
    mark = len(lab.bob.seen)
    caller = f'"Jo Citizen" <sip:{MOBILE}@{lab.pbx.trunk_address}>'
    expected = await _answered_by_bob(lab, "+61290000004", dialled="+61290000004", caller=caller)
    shown = (await lab.bob.wait_for("invite", since=mark)).header("From")
    assert "Sales: Jo Citizen" in shown, shown
    return replace(expected, caller_name="Jo Citizen")


async def inbound_anonymous(lab: Lab) -> Expected:
    caller = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    expected = await _answered_by_bob(lab, "+61290000102", dialled="+61290000102", caller=caller)
    talks = tuple(replace(talk, parties=("None", "102")) for talk in expected.talks)
    return replace(expected, caller=None, talks=talks)


async def _named(lab: Lab, name: str, recorded: str | None = None) -> Expected:
    """A call from somebody of this name; Asterisk keeps 79 bytes of it."""
    written = name.replace("\\", "\\\\").replace('"', '\\"')
    caller = f'"{written}" <sip:{MOBILE}@{lab.pbx.trunk_address}>'
    expected = await _answered_by_bob(lab, "+61290000102", dialled="+61290000102", caller=caller)
    return replace(expected, caller_name=name if recorded is None else recorded)


async def name_with_quotes(lab: Lab) -> Expected:
    return await _named(lab, 'Jo "Lucky" O\'Brien')


async def name_with_commas(lab: Lab) -> Expected:
    return await _named(lab, "Citizen, Jo; ${EXTEN} | <x> & a=b, Dr.")


async def name_with_emoji(lab: Lab) -> Expected:
    return await _named(lab, "Zoë 😀 日本語")


async def name_right_to_left(lab: Lab) -> Expected:
    return await _named(lab, "שלום محمد")


async def name_of_200_characters(lab: Lab) -> Expected:
    name = "Zoë the Unending " * 12
    return await _named(lab, name[:200], name.encode()[:79].decode(errors="ignore"))


async def announcement(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    await lab.carrier.call("+61290000900")
    await lab.carrier.wait_for("over", since=mark)
    return Expected("no_answer", "inbound", MOBILE, "+61290000900", (), "system", answered_by="")


async def announcement_given_up(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    await lab.carrier.call("+61290000900")
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    return Expected("cancelled", "inbound", MOBILE, "+61290000900", (), "caller", answered_by="")


async def do_not_disturb(lab: Lab) -> Expected:
    """Nothing rings: the dialplan says busy."""
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "104", "dnd"):
        await lab.bob.call("104")
        over = await lab.bob.wait_for("over", since=mark)
    assert over.code == 486, over
    return Expected("busy", "internal", "102", "104", (), "system")


async def do_not_disturb_declines(lab: Lab) -> Expected:
    """Nothing rings: the dialplan declines."""
    mark = len(lab.bob.seen)
    async with user_has_set(lab, "104", "refuses"):
        await lab.bob.call("104")
        over = await lab.bob.wait_for("over", since=mark)
    assert over.code in (403, 603), over
    return Expected("declined", "internal", "102", "104", (), "system")


async def wrong_number(lab: Lab) -> list[Expected]:
    """Asterisk has no such extension, and makes no channel: there is nothing to record."""
    mark = len(lab.bob.seen)
    await lab.bob.call("199")
    over = await lab.bob.wait_for("over", since=mark)
    assert over.code == 404, over
    return []


async def wrong_number_announced(lab: Lab) -> Expected:
    """The dialplan takes every number, and says that there is no such one."""
    mark = len(lab.bob.seen)
    await lab.bob.call("199")
    over = await lab.bob.wait_for("over", since=mark)
    assert over.code == 503, over
    return Expected("failed", "internal", "102", "199", (), "system", answered_by="")


async def internal_unregistered(lab: Lab) -> Expected:
    """The dialplan looks for contacts, finds none, and dials nothing: nobody can tell which phone was meant."""
    mark = len(lab.bob.seen)
    await lab.bob.call("105")
    await lab.bob.wait_for("over", since=mark)
    return Expected("failed", "internal", "102", "105", (), "system", answered_by="")


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
    internal_silent,
    outbound_declined,
    outbound_wrong_number,
    outbound_incomplete_number,
    outbound_never_rings,
    outbound_congested,
    inbound_declined,
    inbound_given_up_in_menu,
    inbound_without_number,
    inbound_caller_rewritten,
    inbound_anonymous,
    name_with_quotes,
    name_with_commas,
    name_with_emoji,
    name_right_to_left,
    name_of_200_characters,
    announcement,
    announcement_given_up,
    do_not_disturb,
    do_not_disturb_declines,
    wrong_number,
)

FOREIGN: tuple[Play, ...] = (
    *(
        play
        for play in SCENARIOS
        if play not in (internal_unreachable, wrong_number, name_with_emoji, name_right_to_left, name_of_200_characters)
    ),
    wrong_number_announced,
    internal_unregistered,
)
