"""Every recording's records agree with what its phones logged, whatever its scenario says: tests/lab/testimony.py."""

from typing import Any

import pytest

from gateway.calls.document import call_document
from tests.lab.recordings import RECORDINGS, SOURCES, Recording, directories
from tests.lab.testimony import contradictions, dialogs

PHONES = [
    device.removeprefix("PJSIP/") for directory in directories() for user in directory.users for device in user.devices
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_record_says_what_the_phones_did(recording: Recording, source: str) -> None:
    calls = [call_document(record) for record in recording.fold(await recording.rows(source))]
    wrong = contradictions(calls, dialogs(recording.phones), PHONES)
    assert not wrong, "\n".join(wrong)


LIES: tuple[tuple[str, Any], ...] = (
    ("caller", {"number": "104", "name": None, "user": None}),
    ("hung_up_by", "caller"),
    ("talk_duration", 2.5),
    ("attempts", []),
)


@pytest.mark.parametrize(("member", "lie"), LIES)
async def test_the_phones_deny_what_was_not_so(member: str, lie: Any) -> None:
    recording = next(one for one in RECORDINGS if one.name == "demo/internal_callee_ends")
    (record,) = recording.fold(await recording.rows("journal"))
    call = call_document(record)
    assert contradictions([{**call, member: lie}], dialogs(recording.phones), PHONES)


@pytest.mark.parametrize("result", ["no_answer", "busy", "declined", "answered_elsewhere", "cancelled", "failed"])
async def test_the_phones_deny_every_other_result(result: str) -> None:
    recording = next(one for one in RECORDINGS if one.name == "demo/group_answered")
    (record,) = recording.fold(await recording.rows("journal"))
    call = call_document(record)
    for told in call["attempts"]:
        if told["result"] != result:
            others = [one for one in call["attempts"] if one is not told]
            lied = [*others, {**told, "result": result}]
            assert contradictions([{**call, "attempts": lied}], dialogs(recording.phones), PHONES), told
