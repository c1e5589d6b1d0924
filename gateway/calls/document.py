"""Records as the JSON documents that leave: the shapes of the HTTP contract.

What only the store knows (`revision`, `updated_at`) is added where a document is served.
"""

from functools import lru_cache
from typing import Any

from gateway.calls.compact_json import compact
from gateway.calls.instant import to_text
from gateway.calls.record import Attempt, CallRecord, GroupRef, Segment, UserCall, UserRef, Visit
from gateway.calls.rows import Instant

# One state of a call is told by several events and kept as its record.
LATELY = 2048


@lru_cache(maxsize=LATELY)
def call_text(record: CallRecord) -> str:
    """`call_document` as JSON."""
    return compact(call_document(record))


@lru_cache(maxsize=LATELY)
def user_call_text(row: UserCall) -> str:
    """`user_call_document` as JSON."""
    return compact(user_call_document(row))


@lru_cache(maxsize=LATELY)
def visit_text(record: CallRecord, visit: Visit) -> str:
    """`visit_document` as JSON."""
    return compact(visit_document(record, visit))


def call_document(record: CallRecord) -> dict[str, Any]:
    """`GET /v1/calls/{id}`."""
    answered_by = record.answered_by
    return {
        "id": record.id,
        "node": record.node,
        "linked_ids": list(record.linked_ids),
        "merged_ids": list(record.merged_ids),
        "state": record.state,
        "direction": record.direction,
        "outcome": record.outcome,
        "caller": {
            "number": record.caller.number,
            "name": record.caller.name,
            "user": _user(record.caller.user),
        },
        "callee": {
            "number": record.callee.number,
            "user": _user(record.callee.user),
            "queue": _group(record.callee.queue),
            "ring_group": _group(record.callee.ring_group),
        },
        "answered_by": answered_by
        and {"user": _user(answered_by.user), "device": answered_by.device, "number": answered_by.number},
        "started_at": to_text(record.started_at),
        "answered_at": _time(record.answered_at),
        "ended_at": _time(record.ended_at),
        "duration": _seconds(record.duration_ms),
        "ring_duration": _seconds(record.ring_ms),
        "talk_duration": _seconds(record.talk_ms),
        "hung_up_by": record.hung_up_by,
        "hangup_cause": record.hangup_cause,
        "end_reason": record.end_reason,
        "origin": record.origin
        and {
            "kind": record.origin.kind,
            "user": _user(record.origin.user),
            "reference": record.origin.reference,
        },
        "attempts": [_attempt(attempt) for attempt in record.attempts],
        "queue_visits": [visit_document(record, visit) for visit in record.visits if visit.kind == "queue"],
        "ring_group_visits": [visit_document(record, visit) for visit in record.visits if visit.kind == "ring_group"],
        "segments": [_segment(segment) for segment in record.segments],
        "voicemail": record.voicemail
        and {"mailbox": record.voicemail.mailbox, "message_left": record.voicemail.message_left},
        "recordings": [],
        "complete": record.complete,
        "settled": record.settled,
    }


def user_call_document(row: UserCall) -> dict[str, Any]:
    """A row of `GET /v1/user-calls`."""
    return {
        "id": row.id,
        "call_id": row.call_id,
        "type": row.type,
        "direction": row.direction,
        "caller_id": row.caller_id,
        "caller_name": row.caller_name,
        "destination_number": row.destination_number,
        "user": _user(row.user),
        "device": row.device,
        "via": {"queue": _group(row.via_queue), "ring_group": _group(row.via_ring_group)},
        "result": row.result,
        "started_at": to_text(row.started_at),
        "answered_at": _time(row.answered_at),
        "ended_at": _time(row.ended_at),
        "duration": _seconds(row.duration_ms),
        "ring_duration": _seconds(row.ring_ms),
        "talk_duration": _seconds(row.talk_ms),
        "reference": row.reference,
    }


def visit_document(record: CallRecord, visit: Visit) -> dict[str, Any]:
    """A row of `GET /v1/queue-calls` or `GET /v1/ring-group-calls`."""
    document: dict[str, Any] = {
        "id": visit.id,
        "call_id": record.id,
        "caller_id": record.caller.number,
        "caller_name": record.caller.name,
        "destination_number": record.callee.number,
        visit.kind: _group(visit.group),
        "status": visit.status,
        "user": _user(visit.user),
    }
    if visit.kind == "queue":
        document["position_at_entry"] = visit.position_at_entry
        document["position_at_leave"] = visit.position_at_leave
    return document | {
        "started_at": to_text(visit.started_at),
        "answered_at": _time(visit.answered_at),
        "ended_at": _time(visit.ended_at),
        "duration": _seconds(visit_duration_ms(visit)),
        "wait_duration": _seconds(visit.wait_ms),
        "talk_duration": _seconds(visit.talk_ms),
        "attempts": [_attempt(attempt) for attempt in record.attempts if attempt.visit == visit.id],
        "reference": record.origin.reference if record.origin else None,
    }


def visit_duration_ms(visit: Visit) -> int | None:
    """From entry to the end of the visit; None while it lasts."""
    return None if visit.ended_at is None else max(0, visit.ended_at // 1000 - visit.started_at // 1000)


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "user": _user(attempt.user),
        "device": attempt.device,
        "number": attempt.number,
        "via": attempt.via,
        "started_at": to_text(attempt.started_at),
        "answered_at": _time(attempt.answered_at),
        "ended_at": _time(attempt.ended_at),
        "result": attempt.result,
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "parties": [
            {"number": party.number, "name": party.name, "user": _user(party.user)} for party in segment.parties
        ],
        "how": segment.how,
        "room": segment.room,
        "started_at": to_text(segment.started_at),
        "ended_at": _time(segment.ended_at),
    }


def _user(user: UserRef | None) -> dict[str, str] | None:
    return None if user is None else {"id": user.id, "number": user.number, "name": user.name}


def _group(group: GroupRef | None) -> dict[str, str | None] | None:
    return None if group is None else {"number": group.number, "name": group.name}


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else to_text(instant)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
