"""Click to call as phones and carrier see it on the wire, and the record that comes of it."""

import re

from tests.asterisk.laboratory import OUTSIDE, Laboratory, assert_same_moment, assert_talk_as_heard, attempt, results
from tests.lab.phones import Phone, Seen

AT_ONCE = 0.05


async def test_every_device_rings_at_once_and_shows_the_destination(lab: Laboratory) -> None:
    desk, mobile, outside = await lab.phones("101-desk", "101-mobile", "carrier")
    await desk.behave(answer_after=0.4)
    await outside.behave(answer_after=0.4)
    call_id = await lab.click(OUTSIDE)

    at_desk, at_mobile = await desk.wait_for("invite"), await mobile.wait_for("invite")
    assert abs(at_desk.at - at_mobile.at) < AT_ONCE
    for invite in (at_desk, at_mobile):
        assert f"sip:{OUTSIDE}@" in invite.header("From")
        assert f"sip:{OUTSIDE}@" in invite.header("P-Asserted-Identity")

    cancel = await mobile.wait_for("cancel")
    assert "cause=26" in cancel.message or "Call completed elsewhere" in cancel.header("Reason")
    assert_same_moment(round((await desk.wait_for("talking")).at * 1_000_000), cancel)

    await outside.wait_for("talking")
    await lab.talk()
    await outside.hang_up()
    record = await lab.record()
    assert (record.id, record.outcome, record.direction) == (call_id, "answered", "outbound")
    assert (record.caller.number, record.callee.number, record.hung_up_by) == ("101", OUTSIDE, "callee")
    assert results(record) == {
        "PJSIP/101-desk": "answered",
        "PJSIP/101-mobile": "answered_elsewhere",
        OUTSIDE: "answered",
    }
    assert record.complete
    assert_same_moment(attempt(record, "PJSIP/101-desk").started_at, at_desk)
    await assert_talk_as_heard(record, outside)
    assert [len(phone.all("invite")) for phone in (desk, mobile, outside)] == [1, 1, 1]


async def test_the_outside_sees_the_users_number_and_nothing_else_of_her(lab: Laboratory) -> None:
    desk, outside = await lab.phones("101-desk", "carrier")
    await desk.behave(answer_after=0)
    invite = await _invited(lab, outside)
    assert "sip:+61290000001@" in invite.header("From")
    assert "sip:+61290000001@" in invite.header("P-Asserted-Identity")
    head = (
        invite.message.partition("\r\n\r\n")[0].replace(lab.pbx.sip_address, "pbx").replace(outside.address, "carrier")
    )
    for line in head.split("\r\n"):
        assert "alice" not in line.lower()
        assert line.startswith("CSeq:") or not re.search(r"\b101\b", line)


async def test_a_colleague_sees_the_users_extension_and_name(lab: Laboratory) -> None:
    desk, bob = await lab.phones("101-desk", "102")
    await desk.behave(answer_after=0)
    await bob.behave(answer_after=0.2)
    await lab.click("102", caller_id=None)
    invite = await bob.wait_for("invite")
    assert re.match(r'"Alice" <sip:101@', invite.header("From"))
    await bob.wait_for("talking")
    await lab.talk()
    await desk.hang_up()
    record = await lab.record()
    assert (record.direction, record.outcome, record.hung_up_by) == ("internal", "answered", "caller")
    assert results(record)["PJSIP/102"] == "answered"


async def test_after_its_deadline_nothing_rings(lab: Laboratory) -> None:
    desk, mobile = await lab.phones("101-desk", "101-mobile")
    await lab.click(OUTSIDE, deadline_in=-2)
    record = await lab.record()
    assert (record.outcome, record.attempts) == ("failed", ())
    assert (desk.all("invite"), mobile.all("invite")) == ([], [])


async def test_a_user_who_does_not_answer(lab: Laboratory) -> None:
    desk, mobile, outside = await lab.phones("101-desk", "101-mobile", "carrier")
    await lab.click(OUTSIDE, ring_timeout=1)
    record = await lab.record()
    assert (record.outcome, record.end_reason) == ("no_answer", "user_no_answer")
    assert results(record) == {"PJSIP/101-desk": "no_answer", "PJSIP/101-mobile": "no_answer"}
    assert [len(phone.all("invite")) for phone in (desk, mobile, outside)] == [1, 1, 0]


async def test_a_busy_destination(lab: Laboratory) -> None:
    desk, outside = await lab.phones("101-desk", "carrier")
    await desk.behave(answer_after=0)
    await outside.behave(code=486)
    await lab.click(OUTSIDE)
    await desk.wait_for("over")
    record = await lab.record()
    assert (record.outcome, record.end_reason, record.talk_ms) == ("busy", "destination_busy", 0)
    assert results(record)[OUTSIDE] == "busy"


async def test_a_user_who_gives_up_while_the_destination_rings(lab: Laboratory) -> None:
    desk, outside = await lab.phones("101-desk", "carrier")
    await desk.behave(answer_after=0)
    await _invited(lab, outside)
    await desk.wait_for("talking")
    await desk.hang_up()
    await outside.wait_for("cancel")
    record = await lab.record()
    assert (record.outcome, record.hung_up_by) == ("cancelled", "caller")
    assert results(record)[OUTSIDE] == "cancelled"


async def _invited(lab: Laboratory, outside: Phone) -> Seen:
    await lab.click(OUTSIDE)
    return await outside.wait_for("invite")
