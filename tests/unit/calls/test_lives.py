"""What is told while a recorded call lives: each life has one end, and its events say what the record does."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import SAME_MOMENT
from gateway.calls.views import user_calls
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.unit.calls.damage import start_of
from tests.unit.calls.telling import life_faults, tell

FOLLOWING = (
    ("call.started", "call.ringing"),
    ("call.started", "call.answered"),
    ("queue.entered", "queue.left"),
    ("ring_group.entered", "ring_group.left"),
)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recorded_life_has_one_end_and_tells_what_the_record_does(recording: Recording, source: str) -> None:
    rows = await recording.rows(source)
    told = tell(recording.new_fold(start_of(rows)), rows)
    wrong = [*life_faults(told), *_late(told.events)]
    for call_id, record in told.records.items():
        merged = [old for _, old, into in told.merged if into == call_id]
        wrong += [f"{call_id}: {fault}" for fault in _faults(record, told.events_of([call_id, *merged]))]
    assert not wrong, "\n".join(wrong)


def _faults(record: CallRecord, life: Sequence[DomainEvent]) -> Iterator[str]:
    """Where the events of a call, and of those that joined it, are not what its record tells.

    What a visit does is told once, whichever of the calls it began in; what a user does, once in each call.
    """
    kinds = [event.type for event in life]
    rows = user_calls(record)
    rung = {one.user.id for one in record.attempts if one.user and one.via != "click_to_call" and _rang(one.result)}
    told_of = {
        "user.ringing": rung,
        "user.answered": {row.user.id for row in rows if row.answered_at is not None},
        "user.missed": {row.user.id for row in rows if row.result == "missed"},
        "user.ended": {row.user.id for row in rows if row.result != "missed"},
    }
    for kind, users in told_of.items():
        happened = Counter((event.call_id, _user(event)) for event in life if event.type == kind)
        if {user for _, user in happened} != users or any(count > 1 for count in happened.values()):
            yield f"{kind} told of {dict(happened)}, not of {users}"
    for kind in ("queue", "ring_group"):
        visits = [visit for visit in record.visits if visit.kind == kind]
        answered = [visit for visit in visits if visit.answered_at is not None]
        for what, of in (("entered", visits), ("answered", answered), ("left", visits)):
            if kinds.count(f"{kind}.{what}") != len(of):
                yield f"{kind}.{what} told {kinds.count(f'{kind}.{what}')} times, not {len(of)}"
    told_at = [event.occurred_at for event in life if event.type == "call.answered"]
    if min(told_at, default=None) != record.answered_at:
        yield f"call.answered at {told_at}, answered at {record.answered_at}"
    if "call.ringing" in kinds and not any(_rang(one.result) for one in record.attempts):
        yield "call.ringing told, and nobody rang"
    yield from _out_of_order(life)


def _late(events: Sequence[DomainEvent]) -> Iterator[str]:
    """What is told after what happened later. What became of each user is told with the end of all."""
    latest = 0
    for event in events:
        if event.type not in ("user.ended", "user.missed"):
            if event.occurred_at < latest - SAME_MOMENT:
                yield f"{event.call_id}: {event.type} told {(latest - event.occurred_at) / 1e6} s late"
            latest = max(latest, event.occurred_at)


def _out_of_order(life: Sequence[DomainEvent]) -> Iterator[str]:
    """Nobody answers before ringing is told, and nothing is answered before the call is."""
    kinds = [event.type for event in life]
    for first, then in (
        ("call.started", "call.ringing"),
        ("queue.entered", "queue.left"),
        ("call.started", "call.answered"),
    ):
        if then in kinds and (first not in kinds or kinds.index(first) > kinds.index(then)):
            yield f"{then} before {first}"


def _user(event: DomainEvent) -> str:
    user: str = json.loads(event.data)["user"]["id"]
    return user


def _rang(result: str | None) -> bool:
    return result != "unreachable"
