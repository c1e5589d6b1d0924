"""The rows that lists show, as views of the record: user-calls."""

from functools import lru_cache

from gateway.calls.record import Attempt, CallRecord, Direction, Segment, UserCall, UserRef, Visit
from gateway.calls.rows import Instant

MISSED = ("no_answer", "cancelled", "unreachable")
"""Results of being rung that a user reads as a missed call."""

# Of several attempts at one user in one call, the one that says most.
TELLING = (
    "answered",
    "declined",
    "busy",
    "answered_elsewhere",
    "cancelled",
    "no_answer",
    "failed",
    "unreachable",
)


@lru_cache(maxsize=2048)
def user_calls(record: CallRecord) -> tuple[UserCall, ...]:
    """One row for each user who took part: as caller, or rung, however often."""
    rows: list[UserCall] = []
    caller = record.caller.user
    if caller:
        rows.append(_caller_row(record, caller))
    seen = {caller.id} if caller else set()
    for attempt in record.attempts:
        if attempt.user and attempt.user.id not in seen and attempt.via != "click_to_call":
            seen.add(attempt.user.id)
            rows.append(_called_row(record, attempt.user))
    for segment in record.segments:
        for party in segment.parties:
            if party.user and party.user.id not in seen:
                seen.add(party.user.id)
                rows.append(_unrung_row(record, party.user, segment))
    return tuple(rows)


def _caller_row(record: CallRecord, user: UserRef) -> UserCall:
    answered = [a for a in record.attempts if a.via == "click_to_call" and a.result == "answered"]
    result = None if record.outcome is None else _caller_result(record)
    return UserCall(
        id=f"{record.id}-{user.id}",
        call_id=record.id,
        user=user,
        type=_type(record.direction, result),
        result=result,
        direction=record.direction,
        caller_id=record.caller.number,
        caller_name=record.caller.name,
        destination_number=record.callee.number,
        device=answered[0].device if answered else None,
        via_queue=None,
        via_ring_group=None,
        started_at=record.started_at,
        answered_at=record.answered_at,
        ended_at=record.ended_at,
        duration_ms=record.duration_ms,
        ring_ms=record.ring_ms,
        talk_ms=record.talk_ms,
        reference=record.origin.reference if record.origin else None,
    )


def _caller_result(record: CallRecord) -> str:
    match record.outcome:
        case "answered" | "busy" | "declined" | "failed" | "cancelled" | "voicemail":
            return record.outcome
        case "abandoned":
            return "cancelled"
        case "lost":
            return "answered" if record.answered_at is not None else "failed"
        case _:
            return "missed"


def _called_row(record: CallRecord, user: UserRef) -> UserCall:
    own = [attempt for attempt in record.attempts if attempt.user == user and attempt.via != "click_to_call"]
    telling = min(own, key=_rank)
    direction: Direction = "inbound" if record.direction == "outbound" else record.direction
    visit = next((visit for visit in record.visits if visit.id == telling.visit), None)
    result = None if telling.result is None else _called_result(record, telling, visit)
    # Who was rung may talk on another phone later: at one that fetched the parked call.
    ends = [*(attempt.ended_at for attempt in own), *(talk.ended_at for talk in _talks(record, user))]
    out_at = max((end for end in ends if end is not None), default=record.ended_at) if record.ended_at else None
    until = telling.answered_at if telling.answered_at is not None else telling.ended_at
    talk = _talk_ms(record, user) if telling.answered_at is not None else 0
    return UserCall(
        id=f"{record.id}-{user.id}",
        call_id=record.id,
        user=user,
        type=_type(direction, result),
        result=result,
        direction=direction,
        caller_id=record.caller.number,
        caller_name=record.caller.name,
        destination_number=record.callee.number,
        device=telling.device,
        via_queue=visit.group if visit and visit.kind == "queue" else None,
        via_ring_group=visit.group if visit and visit.kind == "ring_group" else None,
        started_at=record.started_at,
        answered_at=telling.answered_at,
        ended_at=out_at,
        duration_ms=_duration_ms(record, out_at),
        ring_ms=0 if until is None else (until - telling.started_at) // 1000,
        talk_ms=talk,
        reference=record.origin.reference if record.origin else None,
    )


def _unrung_row(record: CallRecord, user: UserRef, first: Segment) -> UserCall:
    """Who talked without having been rung: whoever fetched a parked call."""
    direction: Direction = "inbound" if record.direction == "outbound" else record.direction
    own = _talks(record, user)
    result = None if record.outcome is None else "answered"
    return UserCall(
        id=f"{record.id}-{user.id}",
        call_id=record.id,
        user=user,
        type=_type(direction, result),
        result=result,
        direction=direction,
        caller_id=record.caller.number,
        caller_name=record.caller.name,
        destination_number=record.callee.number,
        device=None,
        via_queue=None,
        via_ring_group=None,
        started_at=record.started_at,
        answered_at=first.started_at,
        ended_at=own[-1].ended_at,
        duration_ms=_duration_ms(record, own[-1].ended_at),
        ring_ms=0,
        talk_ms=_talk_ms(record, user),
        reference=record.origin.reference if record.origin else None,
    )


def _called_result(record: CallRecord, attempt: Attempt, visit: Visit | None) -> str:
    """What a user reads of having been rung: nobody missed a call that a colleague answered, or their mailbox."""
    assert attempt.result is not None
    if attempt.result not in MISSED:
        return attempt.result
    if visit and visit.status == "answered":
        return "answered_elsewhere"
    return "voicemail" if record.voicemail and record.outcome == "voicemail" and visit is None else "missed"


def _rank(attempt: Attempt) -> int:
    return TELLING.index(attempt.result) if attempt.result else len(TELLING)


def _duration_ms(record: CallRecord, out_at: Instant | None) -> int | None:
    """From the call's start until the user was out of it, once the call is over."""
    if record.ended_at is None or out_at is None:
        return None
    return max(0, out_at // 1000 - record.started_at // 1000)


def _talk_ms(record: CallRecord, user: UserRef) -> int:
    until = record.ended_at
    total = 0
    for segment in _talks(record, user):
        end = segment.ended_at if segment.ended_at is not None else until
        if end is not None:
            total += (end - segment.started_at) // 1000
    return total


def _talks(record: CallRecord, user: UserRef) -> list[Segment]:
    return [segment for segment in record.segments if any(party.user == user for party in segment.parties)]


def _type(direction: Direction, result: str | None) -> str:
    """`user_inbound_answered` …; while the call is open, without a result."""
    return f"user_{direction}" + (f"_{result}" if result else "")
