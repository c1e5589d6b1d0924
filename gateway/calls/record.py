"""The record of a call: what the fold concludes, and what the API, webhooks and console show.

Field meanings are the HTTP contract's. Durations are whole milliseconds here and seconds in
documents; instants are microseconds since the epoch, UTC (`rows.Instant`).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.calls.rows import Instant

Direction: TypeAlias = Literal["inbound", "outbound", "internal"]
State: TypeAlias = Literal[
    "queued", "ringing_user", "user_answered", "ringing_destination", "ringing", "in_progress", "ended"
]
Outcome: TypeAlias = Literal[
    "answered",
    "no_answer",
    "busy",
    "declined",
    "failed",
    "cancelled",
    "abandoned",
    "timed_out",
    "voicemail",
    "lost",
]
AttemptResult: TypeAlias = Literal[
    "answered", "no_answer", "busy", "declined", "answered_elsewhere", "cancelled", "unreachable", "failed"
]
Via: TypeAlias = Literal["direct", "ring_group", "queue", "forward", "pickup", "transfer", "click_to_call"]
How: TypeAlias = Literal["dial", "transfer", "pickup", "park", "conference"]
HungUpBy: TypeAlias = Literal["caller", "callee", "system"]
VisitKind: TypeAlias = Literal["queue", "ring_group"]


@dataclass(frozen=True, slots=True)
class UserRef:
    """A user as the directory named them when the call began. `id` stays for ever."""

    id: str
    number: str
    name: str


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A queue or ring group as the directory named it when the call began."""

    number: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Caller:
    number: str | None
    name: str | None
    user: UserRef | None


@dataclass(frozen=True, slots=True)
class Callee:
    number: str | None
    user: UserRef | None = None
    queue: GroupRef | None = None
    ring_group: GroupRef | None = None


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    user: UserRef | None
    device: str | None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a call that the gateway placed. `kind` is `click_to_call`."""

    kind: str
    user: UserRef | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One device (all its contacts) or one outside number that was rung, once.

    `visit` is the id of the queue or ring-group visit it belongs to, if any.
    """

    user: UserRef | None
    device: str | None
    number: str | None
    via: Via
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    result: AttemptResult | None
    visit: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    number: str | None
    name: str | None
    user: UserRef | None


@dataclass(frozen=True, slots=True)
class Segment:
    """Who talked with whom, from when to when. `ended_at` is None while they talk.

    A stay in a conference room has one party, whose call it is, and the `room`.
    """

    parties: tuple[Party, ...]
    how: How
    started_at: Instant
    ended_at: Instant | None
    room: str | None = None


@dataclass(frozen=True, slots=True)
class Voicemail:
    """The mailbox (`103@default`) that a caller reached; `message_left` is None where nobody says."""

    mailbox: str
    message_left: bool | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A caller's visit to a queue or a ring group: one row of queue-calls or ring-group-calls.

    `status` of a queue: answered, abandoned, timed_out, left_by_key, joined_empty, left_empty,
    failed, left; of a ring group: answered, no_answer, busy, cancelled, failed; None while open.
    """

    id: str
    kind: VisitKind
    group: GroupRef
    status: str | None
    user: UserRef | None
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    wait_ms: int | None
    talk_ms: int
    position_at_entry: int | None = None
    position_at_leave: int | None = None

    def __hash__(self) -> int:
        return hash((self.id, self.wait_ms, self.talk_ms, self.ended_at))


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One true record of one call. `account` is None while nobody is known to own it."""

    account: str | None
    id: str
    node: str
    linked_ids: tuple[str, ...]
    merged_ids: tuple[str, ...]
    state: State
    direction: Direction
    outcome: Outcome | None
    caller: Caller
    callee: Callee
    answered_by: AnsweredBy | None
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    duration_ms: int | None
    ring_ms: int
    talk_ms: int
    hung_up_by: HungUpBy | None
    hangup_cause: int | None
    end_reason: str | None
    origin: Origin | None
    attempts: tuple[Attempt, ...]
    visits: tuple[Visit, ...]
    segments: tuple[Segment, ...]
    voicemail: Voicemail | None
    complete: bool
    settled: bool

    def __hash__(self) -> int:
        """Of what differs between calls and between the states of one: what is made of a record is looked up often."""
        return hash((self.id, self.ring_ms, self.talk_ms, self.ended_at))


@dataclass(frozen=True, slots=True)
class UserCall:
    """One row of user-calls: one call and one user who took part in it."""

    id: str
    call_id: str
    user: UserRef
    type: str
    result: str | None
    direction: Direction
    caller_id: str | None
    caller_name: str | None
    destination_number: str | None
    device: str | None
    via_queue: GroupRef | None
    via_ring_group: GroupRef | None
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    duration_ms: int | None
    ring_ms: int
    talk_ms: int
    reference: str | None

    def __hash__(self) -> int:
        return hash((self.id, self.ring_ms, self.talk_ms, self.ended_at))


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """An event of a call's life, before it has a sequence. `data` is a JSON document as text."""

    account: str
    call_id: str
    type: str
    occurred_at: Instant
    data: str
