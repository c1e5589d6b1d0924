"""The lists of calls, and the whole call."""

from typing import Any, Literal
from uuid import UUID

from gateway.api.answers.shapes import CALL, Answer, Group, Seconds, Time, User, examples_of
from gateway.api.parameters import ShownUserCallType
from gateway.calls.record import AttemptResult, Direction, How, HungUpBy, Outcome, State, Via


class Attempt(Answer):
    user: User | None
    device: str | None
    number: str | None
    via: Via
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    result: AttemptResult | None


class UserCallVia(Answer):
    queue: Group | None
    ring_group: Group | None


class UserCall(Answer):
    """A call and a user who took part in it."""

    model_config = examples_of(
        {
            "id": f"{CALL}-u7",
            "call_id": CALL,
            "type": "user_inbound_answered",
            "direction": "inbound",
            "caller_id": "+61290001111",
            "caller_name": "Jo Citizen",
            "destination_number": "+61290000001",
            "user": {"id": "u7", "number": "101", "name": "Alice"},
            "device": "PJSIP/101-desk",
            "via": {"queue": None, "ring_group": {"number": "600", "name": "sales"}},
            "result": "answered",
            "started_at": "2026-11-24T02:03:04.567Z",
            "answered_at": "2026-11-24T02:03:10.667Z",
            "ended_at": "2026-11-24T02:03:46.885Z",
            "duration": 42.318,
            "ring_duration": 6.1,
            "talk_duration": 36.218,
            "reference": None,
            "revision": 1,
            "updated_at": "2026-11-24T02:03:47.012Z",
        }
    )

    id: str
    call_id: UUID
    type: ShownUserCallType
    direction: Direction
    caller_id: str | None
    caller_name: str | None
    destination_number: str | None
    user: User
    device: str | None
    via: UserCallVia
    result: AttemptResult | Literal["missed", "voicemail"] | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    duration: Seconds | None
    ring_duration: Seconds
    talk_duration: Seconds
    reference: str | None
    revision: int
    updated_at: Time


class _Visit(Answer):
    id: str
    call_id: UUID
    caller_id: str | None
    caller_name: str | None
    destination_number: str | None
    user: User | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    duration: Seconds | None
    wait_duration: Seconds | None
    talk_duration: Seconds
    attempts: list[Attempt]
    reference: str | None


class QueueVisit(_Visit):
    queue: Group
    status: (
        Literal["answered", "abandoned", "timed_out", "left_by_key", "joined_empty", "left_empty", "failed", "left"]
        | None
    )
    position_at_entry: int | None
    position_at_leave: int | None


class RingGroupVisit(_Visit):
    ring_group: Group
    status: Literal["answered", "no_answer", "busy", "cancelled", "failed"] | None


class QueueCall(QueueVisit):
    """A caller's visit to a queue."""

    revision: int
    updated_at: Time


class RingGroupCall(RingGroupVisit):
    """A caller's visit to a ring group."""

    revision: int
    updated_at: Time


class CallingParty(Answer):
    number: str | None
    name: str | None
    user: User | None


class CalledParty(Answer):
    number: str | None
    user: User | None
    queue: Group | None
    ring_group: Group | None


class AnsweredBy(Answer):
    user: User | None
    device: str | None
    number: str | None


class Origin(Answer):
    kind: str
    user: User | None
    reference: str | None


class Segment(Answer):
    parties: list[CallingParty]
    how: How
    room: str | None
    started_at: Time
    ended_at: Time | None


class Voicemail(Answer):
    mailbox: str | None
    message_left: bool | None


class Call(Answer):
    """The whole call: who was rung, who talked with whom, how it ended."""

    id: UUID
    node: str
    linked_ids: list[str]
    merged_ids: list[UUID]
    state: State
    direction: Direction
    outcome: Outcome | None
    caller: CallingParty
    callee: CalledParty
    answered_by: AnsweredBy | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    duration: Seconds | None
    ring_duration: Seconds
    talk_duration: Seconds
    hung_up_by: HungUpBy | None
    hangup_cause: int | None
    end_reason: str | None
    origin: Origin | None
    attempts: list[Attempt]
    queue_visits: list[QueueVisit]
    ring_group_visits: list[RingGroupVisit]
    segments: list[Segment]
    voicemail: Voicemail | None
    recordings: list[dict[str, Any]]
    complete: bool
    settled: bool
    revision: int
    updated_at: Time


class Gone(Answer):
    """With `updated_since`: this row is no more; the call goes on as that one, or is told without the row."""

    id: str
    merged_into: UUID | None


class _Page(Answer):
    has_more: bool
    next_cursor: str | None
    as_of: Time
    settled_until: Time | None
    open_calls: int
    total: int | None = None


class CallPage(_Page):
    data: list[Call | Gone]


class UserCallPage(_Page):
    data: list[UserCall | Gone]


class QueueCallPage(_Page):
    data: list[QueueCall | Gone]


class RingGroupCallPage(_Page):
    data: list[RingGroupCall | Gone]
