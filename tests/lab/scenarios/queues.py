"""Queues: callers wait, agents are rung."""

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
)


def rung(who: str, result: str) -> Rang:
    return Rang(who, result, "queue")


async def queue_answered(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark = len(lab.carol.seen)
    await lab.carrier.call("+61290000003")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.carol, mark, MOBILE, "103")
    attempts = (
        rung("PJSIP/103", "answered"),
        rung("PJSIP/102", "answered_elsewhere"),
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
        rung("PJSIP/102", "cancelled"),
        rung("PJSIP/103", "cancelled"),
    )
    return Expected("abandoned", "inbound", MOBILE, "+61290000003", attempts, "caller", (("support", "abandoned"),))


async def queue_abandoned_at_once(lab: Lab) -> Expected:
    """Within milliseconds of the first ringing."""
    mark, since = len(lab.bob.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000003")
    await lab.bob.wait_for("invite", since=mark)
    await lab.carol.wait_for("invite", since=since)
    await lab.carrier.hang_up()
    attempts = (rung("PJSIP/102", "cancelled"), rung("PJSIP/103", "cancelled"))
    return Expected("abandoned", "inbound", MOBILE, "+61290000003", attempts, "caller", (("support", "abandoned"),))


async def queue_timed_out(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000003")
    attempts = (
        rung("PJSIP/102", "no_answer"),
        rung("PJSIP/103", "no_answer"),
    )
    return Expected("timed_out", "inbound", MOBILE, "+61290000003", attempts, "system", (("support", "timed_out"),))


async def _answered(lab: Lab, extension: str, queue: str, phone: Phone, *attempts: Rang) -> Expected:
    """From outside to the queue at this extension; `phone` will answer, and hangs up."""
    did = f"+61290000{extension}"
    mark = len(phone.seen)
    await lab.carrier.call(did)
    talking = await phone.wait_for("talking", since=mark)
    await talk_a_little()
    await phone.hang_up()
    talk = await conversation(phone, mark, MOBILE, phone.name, call=talking.call)
    return Expected("answered", "inbound", MOBILE, did, attempts, "callee", ((queue, "answered"),), talks=(talk,))


def _tells(lab: Lab) -> bool:
    """Whether the dialplan tells QUEUESTATUS."""
    return lab.pbx.pbx == "demo"


async def _rung_first(lab: Lab, marks: tuple[int, int]) -> tuple[Phone, Phone]:
    """Of the two agents, who rings, and the other: whose turn it is depends on earlier callers."""
    agents = ((lab.bob, marks[0]), (lab.carol, marks[1]))
    for phone, mark in agents:
        if any(seen.what == "invite" for seen in phone.seen[mark:]):
            return phone, lab.carol if phone is lab.bob else lab.bob
    await talk_a_little(0.02)
    return await _rung_first(lab, marks)


async def queue_turns_second_answers(lab: Lab) -> Expected:
    """Strategy rrmemory: one agent lets it ring, the other is next."""
    since = len(lab.bob.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000701")
    first, second = await _rung_first(lab, since)
    await second.behave(answer_after=0.3)
    mark = since[1] if second is lab.carol else since[0]
    await second.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(second, mark, MOBILE, second.name)
    attempts = (rung(f"PJSIP/{first.name}", "no_answer"), rung(f"PJSIP/{second.name}", "answered"))
    return Expected(
        "answered", "inbound", MOBILE, "+61290000701", attempts, "caller", (("turns", "answered"),), talks=(talk,)
    )


async def _first_answers(lab: Lab, extension: str, queue: str) -> Expected:
    """One agent at a time is rung, whom the strategy chooses, and answers."""
    since = len(lab.bob.seen), len(lab.carol.seen)
    for phone in (lab.bob, lab.carol):
        await phone.behave(answer_after=0.3)
    did = f"+61290000{extension}"
    await lab.carrier.call(did)
    chosen, _ = await _rung_first(lab, since)
    mark = since[1] if chosen is lab.carol else since[0]
    await chosen.wait_for("talking", since=mark)
    await talk_a_little()
    await chosen.hang_up()
    talk = await conversation(chosen, mark, MOBILE, chosen.name)
    attempts = (rung(f"PJSIP/{chosen.name}", "answered"),)
    return Expected("answered", "inbound", MOBILE, did, attempts, "callee", ((queue, "answered"),), talks=(talk,))


async def queue_least_recent(lab: Lab) -> Expected:
    return await _first_answers(lab, "713", "recent")


async def queue_fewest_calls(lab: Lab) -> Expected:
    return await _first_answers(lab, "714", "fewest")


async def queue_random(lab: Lab) -> Expected:
    return await _first_answers(lab, "715", "chance")


async def queue_random_by_penalty(lab: Lab) -> Expected:
    return await _first_answers(lab, "716", "weighted")


async def queue_agent_declines(lab: Lab) -> Expected:
    """Strategy linear: the first declines, and the next is rung."""
    await lab.bob.behave(code=603)
    await lab.carol.behave(answer_after=0.3)
    return await _answered(lab, "702", "line", lab.carol, rung("PJSIP/102", "declined"), rung("PJSIP/103", "answered"))


async def queue_agent_busy(lab: Lab) -> Expected:
    """His phone says busy, which the queue could not know."""
    await lab.bob.behave(code=486)
    await lab.carol.behave(answer_after=0.3)
    return await _answered(lab, "702", "line", lab.carol, rung("PJSIP/102", "busy"), rung("PJSIP/103", "answered"))


async def queue_several_rounds(lab: Lab) -> Expected:
    """Bob lets it ring, then Carol; Bob answers when his turn comes again."""
    mark = len(lab.carol.seen)
    ready = lab.carol.wait_until(lambda: next((s for s in lab.carol.seen[mark:] if s.what == "invite"), None))
    since = len(lab.bob.seen)
    await lab.carrier.call("+61290000702")
    await ready
    await lab.bob.behave(answer_after=0.3)
    talking = await lab.bob.wait_for("talking", since=since)
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, since, MOBILE, "102", call=talking.call)
    attempts = (rung("PJSIP/102", "no_answer"), rung("PJSIP/103", "no_answer"), rung("PJSIP/102", "answered"))
    visits = (("line", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000702", attempts, "callee", visits, talks=(talk,))


async def queue_penalty(lab: Lab) -> list[Expected]:
    """Carol is rung only because Bob, who comes first, is talking with Dave."""
    await lab.bob.behave(answer_after=0.2)
    await lab.carol.behave(answer_after=0.3)
    mark = len(lab.bob.seen)
    await lab.dave.call("102")
    await lab.bob.wait_for("talking", since=mark)
    queued = await _answered(lab, "703", "skilled", lab.carol, rung("PJSIP/103", "answered"))
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, mark, "104", "102")
    attempts = (Rang("PJSIP/102", "answered"),)
    return [Expected("answered", "internal", "104", "102", attempts, "callee", talks=(talk,)), queued]


async def queue_penalty_timed_out(lab: Lab) -> Expected:
    """Carol is never rung while Bob's phone could ring."""
    await lab.carrier.call("+61290000703")
    attempts = (rung("PJSIP/102", "no_answer"),)
    return Expected("timed_out", "inbound", MOBILE, "+61290000703", attempts, "system", (("skilled", "timed_out"),))


async def queue_local_answered(lab: Lab) -> Expected:
    """Agents behind Local channels that stay."""
    await lab.carol.behave(answer_after=0.4)
    attempts = (rung("PJSIP/102", "answered_elsewhere"), rung("PJSIP/103", "answered"))
    return await _answered(lab, "704", "field", lab.carol, *attempts)


async def queue_local_abandoned(lab: Lab) -> Expected:
    mark = len(lab.bob.seen)
    await lab.carrier.call("+61290000704")
    await lab.bob.wait_for("invite", since=mark)
    await talk_a_little(0.3)
    await lab.carrier.hang_up()
    attempts = (rung("PJSIP/102", "cancelled"), rung("PJSIP/103", "cancelled"))
    return Expected("abandoned", "inbound", MOBILE, "+61290000704", attempts, "caller", (("field", "abandoned"),))


async def queue_local_timed_out(lab: Lab) -> Expected:
    await lab.carrier.call("+61290000704")
    attempts = (rung("PJSIP/102", "no_answer"), rung("PJSIP/103", "no_answer"))
    return Expected("timed_out", "inbound", MOBILE, "+61290000704", attempts, "system", (("field", "timed_out"),))


async def queue_local_with_media(lab: Lab) -> Expected:
    """Local channels that leave the call when it is through: one talk all the same."""
    await lab.carrier.behave(media=True)
    await lab.carol.behave(answer_after=0.4, media=True)
    mark = len(lab.carol.seen)
    await lab.carrier.call("+61290000705")
    await lab.carol.wait_for("talking", since=mark)
    await talk_a_little(1.5)
    await lab.carol.hang_up()
    talk = await conversation(lab.carol, mark, MOBILE, "103")
    attempts = (rung("PJSIP/103", "answered"),)
    visits = (("floor", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000705", attempts, "callee", visits, talks=(talk,))


async def queue_local_without_media(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    return await _answered(lab, "705", "floor", lab.carol, rung("PJSIP/103", "answered"))


async def queue_left_by_key(lab: Lab) -> Expected:
    """The caller presses 9 while an agent's phone rings, and comes to Dave."""
    await lab.dave.behave(answer_after=0.4)
    mark, since = len(lab.carol.seen), len(lab.dave.seen)
    await lab.carrier.call("+61290000706")
    await lab.carol.wait_for("invite", since=mark)
    await talk_a_little(0.4)
    await lab.carrier.dtmf("9")
    await lab.dave.wait_for("talking", since=since)
    await talk_a_little()
    await lab.dave.hang_up()
    talk = await conversation(lab.dave, since, MOBILE, "104")
    attempts = (rung("PJSIP/103", "cancelled"), Rang("PJSIP/104", "answered"))
    visits = (("orders", "left_by_key"),)
    return Expected("answered", "inbound", MOBILE, "+61290000706", attempts, "callee", visits, talks=(talk,))


async def queue_joined_empty(lab: Lab) -> Expected:
    """Asterisk keeps the reason to itself, in queue_log too, unless the dialplan tells it."""
    await lab.carrier.call("+61290000707")
    status = "joined_empty" if _tells(lab) else "left"
    return Expected("no_answer", "inbound", MOBILE, "+61290000707", (), "system", (("night", status),))


async def queue_left_empty(lab: Lab) -> Expected:
    """The only agent goes for a break while somebody waits: whoever waits is sent away."""
    mark = len(lab.carol.seen)
    await lab.carrier.call("+61290000708")
    await lab.carol.wait_for("invite", since=mark)
    member = "PJSIP/103" if lab.pbx.pbx == "demo" else "Local/103@from-queue/n"
    said = await lab.pbx.command(f"queue pause member {member} queue late")
    assert "paused interface" in said, said
    try:
        since = len(lab.carrier.seen)
        await lab.carrier.wait_for("over", since=since)
    finally:
        await lab.pbx.command(f"queue unpause member {member} queue late")
    attempts = (rung("PJSIP/103", "no_answer"),)
    return Expected(
        "no_answer",
        "inbound",
        MOBILE,
        "+61290000708",
        attempts,
        "system",
        (("late", "left_empty"),),
        visits_over_ami=None if _tells(lab) else (("late", "left"),),
    )


async def queue_after_menu(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark, since = len(lab.carrier.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000711")
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little(0.5)
    await lab.carrier.dtmf("1")
    await lab.carol.wait_for("talking", since=since)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.carol, since, MOBILE, "103")
    attempts = (rung("PJSIP/102", "answered_elsewhere"), rung("PJSIP/103", "answered"))
    visits = (("support", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000711", attempts, "caller", visits, talks=(talk,))


async def person_after_menu(lab: Lab) -> Expected:
    await lab.carol.behave(answer_after=0.4)
    mark, since = len(lab.carrier.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000711")
    await lab.carrier.wait_for("talking", since=mark)
    await talk_a_little(0.5)
    await lab.carrier.dtmf("2")
    await lab.carol.wait_for("talking", since=since)
    await talk_a_little()
    await lab.carrier.hang_up()
    talk = await conversation(lab.carol, since, MOBILE, "103")
    attempts = (Rang("PJSIP/103", "answered"),)
    return Expected("answered", "inbound", MOBILE, "+61290000711", attempts, "caller", talks=(talk,))


async def queue_to_queue(lab: Lab) -> Expected:
    """Dave alone does not answer; in the next queue somebody does."""
    await lab.bob.behave(answer_after=0.3)
    since = len(lab.bob.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000709")
    first, _ = await _rung_first(lab, since)
    await first.behave(answer_after=0.3)
    attempts: tuple[Rang, ...] = (rung("PJSIP/104", "no_answer"), rung("PJSIP/102", "answered"))
    if first is lab.carol:
        attempts = (*attempts, rung("PJSIP/103", "no_answer"))
    talking = await lab.bob.wait_for("talking", since=since[0])
    await talk_a_little()
    await lab.bob.hang_up()
    talk = await conversation(lab.bob, since[0], MOBILE, "102", call=talking.call)
    visits = (("first", "timed_out"), ("turns", "answered"))
    return Expected("answered", "inbound", MOBILE, "+61290000709", attempts, "callee", visits, talks=(talk,))


async def queue_to_queue_abandoned(lab: Lab) -> Expected:
    since = len(lab.bob.seen), len(lab.carol.seen)
    await lab.carrier.call("+61290000709")
    first, _ = await _rung_first(lab, since)
    await talk_a_little(0.4)
    await lab.carrier.hang_up()
    attempts = (rung("PJSIP/104", "no_answer"), rung(f"PJSIP/{first.name}", "cancelled"))
    visits = (("first", "timed_out"), ("turns", "abandoned"))
    return Expected("abandoned", "inbound", MOBILE, "+61290000709", attempts, "caller", visits)


async def queue_to_voicemail(lab: Lab) -> Expected:
    mark = len(lab.carrier.seen)
    await lab.carrier.call("+61290000710")
    voicemail = await lab.carol.wait_for("over", since=len(lab.carol.seen))
    await talk_a_little(1)
    await lab.carrier.hang_up()
    over = await lab.carrier.wait_for("over", since=mark)
    assert over.at > voicemail.at, "the caller heard the greeting"
    attempts = (rung("PJSIP/103", "no_answer"),)
    more = {"voicemail": {"mailbox": "103@default", "message_left": None}}
    visits = (("voice", "timed_out"),)
    return Expected("voicemail", "inbound", MOBILE, "+61290000710", attempts, "caller", visits, more=dict(more))


async def queue_two_callers(lab: Lab) -> list[Expected]:
    """Two wait for the one agent: the second is answered when she is done with the first."""
    since, mark = len(lab.carol.seen), len(lab.carrier.seen)
    one = await lab.carrier.call("+61290000706")
    await seen_of(lab.carrier, "talking", mark, one)
    await lab.carol.wait_for("invite", since=since)
    two = await lab.carrier.call("+61290000706")
    await seen_of(lab.carrier, "talking", mark, two)
    # The dialplan pauses for half a second before it lets a caller in.
    await talk_a_little(0.8)
    talks = []
    for caller in (one, two):
        rings = await lab.carol.wait_for("invite", since=since)
        await lab.carol.answer(rings.call)
        await seen_of(lab.carol, "talking", since, rings.call)
        await talk_a_little()
        await lab.carrier.hang_up(caller)
        talks.append(await conversation(lab.carol, since, MOBILE, "103", call=rings.call))
        since = len(lab.carol.seen)
    attempts = (rung("PJSIP/103", "answered"),)
    return [
        Expected(
            "answered",
            "inbound",
            MOBILE,
            "+61290000706",
            attempts,
            "caller",
            (("orders", "answered"),),
            (talk,),
            positions=(position,),
        )
        for position, talk in enumerate(talks, 1)
    ]


async def queue_full(lab: Lab) -> list[Expected]:
    """One waits, and there is no room for another: only the dialplan could tell."""
    status = "failed" if _tells(lab) else "left"
    did = "+61290000712"
    since, mark = len(lab.carol.seen), len(lab.carrier.seen)
    one = await lab.carrier.call(did)
    rings = await lab.carol.wait_for("invite", since=since)
    two = await lab.carrier.call(did)
    await seen_of(lab.carrier, "over", mark, two)
    await lab.carol.answer(rings.call)
    await seen_of(lab.carol, "talking", since, rings.call)
    await talk_a_little()
    await lab.carrier.hang_up(one)
    talk = await conversation(lab.carol, since, MOBILE, "103", call=rings.call)
    attempts = (rung("PJSIP/103", "answered"),)
    return [
        Expected("answered", "inbound", MOBILE, did, attempts, "caller", (("short", "answered"),), talks=(talk,)),
        Expected("no_answer", "inbound", MOBILE, did, (), "system", (("short", status),), answered_by=""),
    ]


SCENARIOS: tuple[Play, ...] = (
    queue_answered,
    queue_abandoned,
    queue_timed_out,
    queue_turns_second_answers,
    queue_agent_declines,
    queue_agent_busy,
    queue_several_rounds,
    queue_penalty,
    queue_penalty_timed_out,
    queue_local_answered,
    queue_local_abandoned,
    queue_local_timed_out,
    queue_local_with_media,
    queue_local_without_media,
    queue_left_by_key,
    queue_joined_empty,
    queue_left_empty,
    queue_after_menu,
    person_after_menu,
    queue_to_queue,
    queue_to_queue_abandoned,
    queue_to_voicemail,
    queue_two_callers,
    queue_full,
    queue_abandoned_at_once,
    queue_least_recent,
    queue_fewest_calls,
    queue_random,
    queue_random_by_penalty,
)

FOREIGN = SCENARIOS
