"""Ordinary calls on a real Asterisk: each record is held against what the phones themselves saw."""

from tests.asterisk.laboratory import (
    OUTSIDE,
    Laboratory,
    assert_same_moment,
    assert_talk_as_heard,
    attempt,
    results,
)

MAIN_NUMBER = "+61290000002"


async def test_a_colleague_answers(lab: Laboratory) -> None:
    bob, carol = await lab.phones("102", "103")
    await carol.behave(answer_after=0.3)
    await bob.call("103")
    await carol.wait_for("talking")
    await lab.talk()
    await carol.hang_up()
    record = await lab.record()
    assert (record.direction, record.outcome, record.hung_up_by) == ("internal", "answered", "callee")
    assert (record.caller.number, record.caller.name, record.callee.number) == ("102", "Bob", "103")
    assert results(record) == {"PJSIP/103": "answered"}
    assert_same_moment(attempt(record, "PJSIP/103").started_at, await carol.wait_for("invite"))
    await assert_talk_as_heard(record, carol)


async def test_a_colleague_is_busy(lab: Laboratory) -> None:
    bob, carol = await lab.phones("102", "103")
    await carol.behave(code=486)
    await bob.call("103")
    record = await lab.record()
    assert (record.outcome, record.talk_ms, results(record)) == ("busy", 0, {"PJSIP/103": "busy"})
    assert (await bob.wait_for("over")).code == 486


async def test_a_colleague_declines(lab: Laboratory) -> None:
    bob, carol = await lab.phones("102", "103")
    await carol.behave(code=603)
    await bob.call("103")
    record = await lab.record()
    assert (record.outcome, results(record)) == ("declined", {"PJSIP/103": "declined"})


async def test_a_colleague_does_not_answer(lab: Laboratory) -> None:
    bob, carol = await lab.phones("102", "103")
    await bob.call("103")
    record = await lab.record()
    invite, cancel = await carol.wait_for("invite"), await carol.wait_for("cancel")
    assert (record.outcome, results(record)) == ("no_answer", {"PJSIP/103": "no_answer"})
    assert_same_moment(attempt(record, "PJSIP/103").started_at, invite)
    assert_same_moment(attempt(record, "PJSIP/103").ended_at, cancel)


async def test_the_caller_gives_up(lab: Laboratory) -> None:
    bob, carol = await lab.phones("102", "103")
    await bob.call("103")
    await carol.wait_for("invite")
    await bob.hang_up()
    await carol.wait_for("cancel")
    record = await lab.record()
    assert (record.outcome, record.hung_up_by) == ("cancelled", "caller")
    assert results(record) == {"PJSIP/103": "cancelled"}


async def test_a_phone_that_is_switched_off(lab: Laboratory) -> None:
    (bob,) = await lab.phones("102")
    await bob.call("105")
    record = await lab.record()
    assert (record.outcome, results(record)) == ("failed", {"PJSIP/105": "unreachable"})


async def test_outbound_shows_the_main_number(lab: Laboratory) -> None:
    bob, outside = await lab.phones("102", "carrier")
    await outside.behave(answer_after=0.2)
    await bob.call(OUTSIDE)
    await outside.wait_for("talking")
    await lab.talk()
    await bob.hang_up()
    record = await lab.record()
    assert f"sip:{MAIN_NUMBER}@" in (await outside.wait_for("invite")).header("From")
    assert (record.direction, record.outcome, record.hung_up_by) == ("outbound", "answered", "caller")
    assert (record.caller.number, record.callee.number) == ("102", OUTSIDE)
    await assert_talk_as_heard(record, outside)


async def test_inbound_rings_both_devices_and_one_answers(lab: Laboratory) -> None:
    desk, mobile, outside = await lab.phones("101-desk", "101-mobile", "carrier")
    await mobile.behave(answer_after=0.3)
    await outside.call("+61290000001")
    await mobile.wait_for("talking")
    await desk.wait_for("cancel")
    await lab.talk()
    await outside.hang_up()
    record = await lab.record()
    assert (record.direction, record.outcome, record.hung_up_by) == ("inbound", "answered", "caller")
    assert (record.caller.number, record.callee.number) == (OUTSIDE, "+61290000001")
    assert results(record) == {"PJSIP/101-desk": "answered_elsewhere", "PJSIP/101-mobile": "answered"}
    assert record.answered_by is not None
    assert record.answered_by.device == "PJSIP/101-mobile"
    await assert_talk_as_heard(record, mobile)


async def test_a_ring_group_of_which_one_answers(lab: Laboratory) -> None:
    bob, carol, outside = await lab.phones("102", "103", "carrier")
    await carol.behave(answer_after=0.3)
    await outside.call(MAIN_NUMBER)
    await carol.wait_for("talking")
    await bob.wait_for("cancel")
    await lab.talk()
    await carol.hang_up()
    record = await lab.record()
    (visit,) = record.visits
    assert (visit.kind, visit.group.name, visit.status) == ("ring_group", "sales", "answered")
    assert visit.user is not None
    assert visit.user.name == "Carol"
    assert {one.via for one in record.attempts} == {"ring_group"}
    assert results(record) == {"PJSIP/102": "answered_elsewhere", "PJSIP/103": "answered"}
    await assert_talk_as_heard(record, carol)


async def test_a_queue_of_which_one_answers(lab: Laboratory) -> None:
    bob, carol, outside = await lab.phones("102", "103", "carrier")
    await bob.behave(answer_after=0.3)
    await outside.call("+61290000003")
    await bob.wait_for("talking")
    await carol.wait_for("cancel")
    await lab.talk()
    await bob.hang_up()
    record = await lab.record()
    (visit,) = record.visits
    assert (visit.kind, visit.group.name, visit.status) == ("queue", "support", "answered")
    assert visit.user is not None
    assert visit.user.name == "Bob"
    assert results(record) == {"PJSIP/102": "answered", "PJSIP/103": "answered_elsewhere"}
    assert visit.position_at_entry == 1
    assert_same_moment(visit.answered_at, await bob.wait_for("talking"))


async def test_a_caller_who_leaves_the_queue(lab: Laboratory) -> None:
    bob, _, outside = await lab.phones("102", "103", "carrier")
    await outside.call("+61290000003")
    await bob.wait_for("invite")
    await outside.hang_up()
    await bob.wait_for("cancel")
    record = await lab.record()
    (visit,) = record.visits
    assert (record.outcome, visit.status, visit.user) == ("abandoned", "abandoned", None)
    assert results(record) == {"PJSIP/102": "cancelled", "PJSIP/103": "cancelled"}


async def test_a_queue_that_nobody_answers_in_time(lab: Laboratory) -> None:
    bob, carol, outside = await lab.phones("102", "103", "carrier")
    await outside.call("+61290000003")
    await outside.wait_for("over")
    record = await lab.record()
    (visit,) = record.visits
    assert (record.outcome, visit.status) == ("timed_out", "timed_out")
    assert len(bob.all("invite")) == len([one for one in record.attempts if one.device == "PJSIP/102"])
    assert len(carol.all("invite")) == len([one for one in record.attempts if one.device == "PJSIP/103"])
