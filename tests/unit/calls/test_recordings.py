"""Every recorded call, folded from either of its two forms, is what its scenario says (see tests/lab/record.py)."""

from datetime import datetime
from typing import Any

import pytest

from gateway.calls.document import call_document
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.lab.scenarios import PLAYED_ON
from tests.lab.scenarios.model import SILENT
from tests.lab.scenarios.verdict import TOLERANCE, differences


def test_every_scenario_is_recorded() -> None:
    played = [f"{pbx}/{play.__name__}" for pbx, plays in PLAYED_ON.items() for play in plays]
    assert sorted(recording.name for recording in RECORDINGS) == sorted(played)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recorded_call_is_told_as_it_was(recording: Recording, source: str) -> None:
    records = recording.fold(await recording.rows(source))

    wanted = recording.expected_of(source)
    assert len(records) == len(wanted)
    wrong = []
    for record, expected in zip(records, wanted, strict=True):
        wrong += differences(expected, call_document(record))
        assert record.account == expected.account
        if recording.placed:
            assert record.id == recording.placed
    assert not wrong, "\n".join(wrong)
    _rang_when_the_phones_did([call_document(record) for record in records], recording.phones)


def _rang_when_the_phones_did(calls: list[dict[str, Any]], phones: dict[str, list[dict[str, Any]]]) -> None:
    for attempt in (attempt for call in calls for attempt in call["attempts"]):
        if attempt["result"] == "unreachable" or attempt["via"] == "pickup":
            continue
        seen = _seen_by(attempt, phones)
        if any(one["what"] == SILENT for one in seen):
            continue
        started = datetime.fromisoformat(attempt["started_at"]).timestamp()
        assert any(abs(one["at"] - started) < TOLERANCE for one in seen if one["what"] == "invite"), attempt


def _seen_by(attempt: dict[str, Any], phones: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What the device's phone saw; a number outside is the carrier's, or another account's phone."""
    name = attempt["device"].removeprefix("PJSIP/") if attempt["device"] else attempt["number"]
    return phones[name if name in phones else "carrier"]
