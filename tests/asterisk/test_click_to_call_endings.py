"""Click to call that does not come to a conversation: on either leg, and with a phone that means harm."""

import pytest

from tests.asterisk.hostile_phone import register
from tests.asterisk.laboratory import OUTSIDE, Laboratory, results


@pytest.mark.parametrize(("code", "outcome", "result"), [(603, "declined", "declined"), (486, "busy", "busy")])
async def test_a_user_whose_only_device_refuses(lab: Laboratory, code: int, outcome: str, result: str) -> None:
    desk, outside = await lab.phones("101-desk", "carrier")
    await desk.behave(code=code)
    await lab.click(OUTSIDE, devices=("PJSIP/101-desk",))
    record = await lab.record()
    assert record.outcome == outcome
    assert results(record) == {"PJSIP/101-desk": result}
    assert outside.all("invite") == []


async def test_a_user_without_a_reachable_device(lab: Laboratory) -> None:
    (outside,) = await lab.phones("carrier")
    await lab.click(OUTSIDE)
    record = await lab.record()
    assert (record.outcome, record.talk_ms) == ("failed", 0)
    assert outside.all("invite") == []


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [(603, "declined", "destination_declined"), (503, "failed", "destination_failed")],
)
async def test_a_destination_that_refuses(lab: Laboratory, code: int, outcome: str, reason: str) -> None:
    desk, outside = await lab.phones("101-desk", "carrier")
    await desk.behave(answer_after=0)
    await outside.behave(code=code)
    await lab.click(OUTSIDE)
    await desk.wait_for("over")
    record = await lab.record()
    assert (record.outcome, record.end_reason) == (outcome, reason)


async def test_a_contact_cannot_name_a_channel_of_its_own(lab: Laboratory) -> None:
    """`Dial` splits its targets at `&`: a contact that holds one would ring whom the phone likes."""
    desk, bob = await lab.phones("101-desk", "102")
    hostile = f"sip:101@{lab.pbx.phone_addresses[-1]}:5060;x=&PJSIP/102"
    status = await register(lab.pbx.sip_address, lab.pbx.phone_addresses.pop(), "101-mobile", hostile)
    assert status == 200
    await lab.click(OUTSIDE, ring_timeout=1)
    record = await lab.record()
    assert results(record) == {"PJSIP/101-desk": "no_answer"}
    assert len(desk.all("invite")) == 1
    assert bob.all("invite") == []
