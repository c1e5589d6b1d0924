"""What leaves of a call has the form that the OpenAPI document tells, at each moment of the call."""

import pytest
from pydantic import BaseModel

from gateway.api.answers.calls import Call, QueueCall, RingGroupCall, UserCall
from gateway.calls.document import call_text, user_call_text, visit_text
from gateway.calls.instant import to_datetime
from gateway.calls.record import CallRecord
from gateway.calls.views import user_calls
from gateway.store.listings import spliced
from tests.lab.recordings import PLACE, RECORDINGS, SOURCES, Recording


def shown(record: CallRecord) -> list[tuple[type[BaseModel], str]]:
    """The call, and its row in each list, with the models of these."""
    found: list[tuple[type[BaseModel], str]] = [(Call, call_text(record))]
    found += [(UserCall, user_call_text(row)) for row in user_calls(record)]
    for visit in record.visits:
        found.append((QueueCall if visit.kind == "queue" else RingGroupCall, visit_text(record, visit)))
    return found


async def moments(recording: Recording, source: str) -> set[tuple[type[BaseModel], str]]:
    """Each form that the recording's calls have, from their first row to their last."""
    rows = await recording.rows(source)
    fold = recording.new_fold(rows[0].at if rows else 0)
    found: set[tuple[type[BaseModel], str]] = set()
    for row in rows:
        fold.take(row)
        for record in fold.drain().records:
            if record.account is not None:
                found.update(shown(record))
    return found


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_each_moment_of_a_call_has_the_form_that_is_documented(recording: Recording) -> None:
    for source in SOURCES:
        for model, document in await moments(recording, source):
            model.model_validate_json(spliced(document, 1, to_datetime(0)), strict=True)


@pytest.mark.parametrize(("scenario", "model"), [("queue_answered", QueueCall), ("group_answered", RingGroupCall)])
async def test_for_how_long_somebody_waits_is_not_known_before_the_end_of_it(
    scenario: str, model: type[BaseModel]
) -> None:
    found = await moments(Recording(PLACE / "demo" / scenario), "journal")
    waited = {'"wait_duration":null' in document for one, document in found if one is model}
    assert waited == {True, False}
