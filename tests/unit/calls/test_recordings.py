"""Every recorded call, folded from either of its two forms, is what its scenario says (see tests/lab/record.py)."""

from datetime import datetime
from typing import Any

import pytest

from gateway.calls.document import call_document
from tests.lab.recordings import RECORDINGS, Recording
from tests.lab.scenarios import SCENARIOS
from tests.lab.scenarios.verdict import TOLERANCE, differences


def test_every_scenario_is_recorded() -> None:
    assert sorted(recording.name for recording in RECORDINGS) == sorted(play.__name__ for play in SCENARIOS)


@pytest.mark.parametrize("source", ["journal", "ami"])
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recorded_call_is_told_as_it_was(recording: Recording, source: str) -> None:
    records = recording.fold(await recording.rows(source))

    assert len(records) == len(recording.expected)
    wrong = []
    for record, expected in zip(records, recording.expected, strict=True):
        wrong += differences(expected, call_document(record))
        if recording.placed:
            assert record.id == recording.placed
    assert not wrong, "\n".join(wrong)
    _rang_when_the_phones_did([call_document(record) for record in records], recording.phones)


def _rang_when_the_phones_did(calls: list[dict[str, Any]], phones: dict[str, list[dict[str, Any]]]) -> None:
    for attempt in (attempt for call in calls for attempt in call["attempts"]):
        if attempt["result"] == "unreachable" or attempt["via"] == "pickup":
            continue
        seen = phones[attempt["device"].removeprefix("PJSIP/") if attempt["device"] else "carrier"]
        started = datetime.fromisoformat(attempt["started_at"]).timestamp()
        assert any(abs(one["at"] - started) < TOLERANCE for one in seen if one["what"] == "invite"), attempt
