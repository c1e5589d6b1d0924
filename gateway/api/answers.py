"""The answers as models: what the OpenAPI document says of them, and what the tests hold every answer against.

The rows themselves leave as the fold wrote them; no answer is built through these.
"""

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.calls.record import AttemptResult, Direction, How, HungUpBy, Outcome, State, Via

Time: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
        examples=["2026-11-24T02:03:04.567Z"],
    ),
]
Seconds: TypeAlias = Annotated[float, Field(ge=0, examples=[42.318])]
Text: TypeAlias = str
CALL = "0193603e-57c7-7a11-8c11-2f6d4c0f8a10"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _with(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": list(examples)})


class FaultAnswer(_Answer):
    """One thing that is wrong: with the field at `pointer` (RFC 6901), or with the parameter or header."""

    pointer: str | None = None
    parameter: str | None = None
    code: str
    detail: str


class ProblemAnswer(BaseModel):
    """RFC 9457. `code` is stable; docs/errors.md explains each. `ip`, `scope`: of the codes that tell them."""

    model_config = _with(
        {
            "type": "urn:gateway:problem:invalid_request",
            "title": "Unprocessable Content",
            "status": 422,
            "detail": "The request cannot be read as it is.",
            "code": "invalid_request",
            "request_id": "5b1f7a0e6a0f4a4f8f0d7e5b8e8f2a61",
            "errors": [{"parameter": "limit", "code": "too_large", "detail": "Input should be less than …"}],
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FaultAnswer] = []
    ip: str | None = None
    scope: str | None = None


class User(_Answer):
    id: Annotated[str, Field(examples=["u7"])]
    number: Annotated[str, Field(examples=["101"])]
    name: Annotated[str, Field(examples=["Alice"])]


class Group(_Answer):
    number: str | None
    name: str


class Attempt(_Answer):
    user: User | None
    device: str | None
    number: str | None
    via: Via
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    result: AttemptResult | None


class UserCallVia(_Answer):
    queue: Group | None
    ring_group: Group | None


class UserCall(_Answer):
    """A call and a user who took part in it."""

    model_config = _with(
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
    type: str
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


class _Visit(_Answer):
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
    wait_duration: Seconds
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


class CallingParty(_Answer):
    number: str | None
    name: str | None
    user: User | None


class CalledParty(_Answer):
    number: str | None
    user: User | None
    queue: Group | None
    ring_group: Group | None


class AnsweredBy(_Answer):
    user: User | None
    device: str | None
    number: str | None


class Origin(_Answer):
    kind: str
    user: User | None
    reference: str | None


class Segment(_Answer):
    parties: list[CallingParty]
    how: How
    room: str | None
    started_at: Time
    ended_at: Time | None


class Voicemail(_Answer):
    mailbox: str | None
    message_left: bool | None


class Call(_Answer):
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


class Gone(_Answer):
    """With `updated_since`: this row is no more; the call goes on as that one, or is told without the row."""

    id: str
    merged_into: UUID | None


class _Page(_Answer):
    has_more: bool
    next_cursor: str | None
    as_of: Time
    settled_until: Time | None
    open_calls: int
    total: int | None = None


class CallPage(_Page):
    data: list[Call | Gone]


class Refusal(_Answer):
    """What `POST /v1/calls` would answer now."""

    status: int
    code: str
    detail: str


class ShownNumbers(_Answer):
    """Each side's screen shows this."""

    user: str
    destination: str
    destination_name: str | None


class DeviceThatWouldRing(_Answer):
    """`contacts`: how many phones of it; null where Asterisk cannot be asked."""

    device: str
    state: Literal["registered", "ringing", "in_use", "unreachable"] | None
    contacts: int | None


class CallLimit(_Answer):
    name: Literal["calls_per_minute", "simultaneous_calls"]
    limit: int
    used: int
    reached: bool


class CallCheck(_Answer):
    """Whether the call could be placed now, and what would ring."""

    placeable: bool
    refusals: list[Refusal]
    user: User
    to: str
    caller_ids: ShownNumbers
    devices: list[DeviceThatWouldRing]
    limits: list[CallLimit]


class UserCallPage(_Page):
    data: list[UserCall | Gone]


class QueueCallPage(_Page):
    data: list[QueueCall | Gone]


class RingGroupCallPage(_Page):
    data: list[RingGroupCall | Gone]


class _DirectoryPage(_Answer):
    has_more: bool
    total: int | None = None
    live_at: Time | None


DeviceState: TypeAlias = Literal["registered", "ringing", "in_use", "unreachable"]
Presence: TypeAlias = Literal["available", "ringing", "in_call", "offline"]


class Device(_Answer):
    device: str
    state: DeviceState | None


class DirectoryUser(User):
    email: str | None
    external_id: str | None
    caller_id: str | None
    devices: list[Device]
    presence: Presence | None


class UserPage(_DirectoryPage):
    data: list[DirectoryUser]


class QueueMember(_Answer):
    user: User | None
    name: str
    device: str
    state: DeviceState | None
    paused: bool


class WaitingCaller(_Answer):
    position: int
    call_id: UUID | None
    caller_id: str | None
    caller_name: str | None
    wait_duration: Seconds


class DirectoryQueue(Group):
    members: list[QueueMember] | None
    waiting: list[WaitingCaller] | None


class QueuePage(_DirectoryPage):
    data: list[DirectoryQueue]


class RingGroupMember(_Answer):
    user: User
    presence: Presence | None


class DirectoryRingGroup(Group):
    members: list[RingGroupMember] | None


class RingGroupPage(_DirectoryPage):
    data: list[DirectoryRingGroup]


class Number(_Answer):
    number: str


class NumberPage(_DirectoryPage):
    data: list[Number]


class Status(BaseModel):
    """`asterisk` and `source`: of a gateway that also listens. `last_audit`: of the account's records."""

    node: str
    asterisk_connected: bool
    open_calls: int
    as_of: Time
    settled_until: Time | None
    last_audit: dict[str, Any] | None
    asterisk: dict[str, Any] | None = None
    source: dict[str, Any] | None = None


class Key(_Answer):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    last_used_ip: str | None


class MadeKey(Key):
    """The key itself is in no other answer."""

    key: Annotated[str, Field(pattern=r"^gw_live_[0-9a-z]{12}_[0-9A-Za-z_-]{43}$")]


class KeyList(_Answer):
    data: list[Key]


class AllowedNetwork(_Answer):
    network: Annotated[str, Field(examples=["192.0.2.0/24"])]
    note: str
    created_at: Time


class NetworkList(_Answer):
    data: list[AllowedNetwork]


class AuditEntry(_Answer):
    """`actor`: `key:<id>`, `login:<name>` or `cli`."""

    model_config = _with(
        {
            "id": 71,
            "at": "2026-11-24T02:03:04.567Z",
            "actor": "key:0f3b9c1d2e4f",
            "action": "ip.refused",
            "subject": "198.51.100.9",
            "ip": "198.51.100.9",
            "details": {},
        }
    )

    id: int
    at: Time
    actor: str
    action: str
    subject: str
    ip: str | None
    details: dict[str, Any]


class AuditPage(_Answer):
    data: list[AuditEntry]
    has_more: bool


class Event(_Answer):
    """`data`: of `call.ended` the whole call; docs say what each type carries."""

    id: str
    sequence: int
    type: str
    occurred_at: Time
    account: str
    data: dict[str, Any]


class EventPage(_Answer):
    data: list[Event]
    has_more: bool
    last_sequence: int


class Webhook(_Answer):
    id: str
    url: str
    event_types: list[str]
    enabled: bool
    created_at: Time


class MadeWebhook(Webhook):
    """The secret that signs is in no other answer."""

    secret: str


class WebhookList(_Answer):
    data: list[Webhook]


class Delivery(_Answer):
    event_id: str
    sequence: int
    type: str
    state: str
    tries: int
    next_try_at: Time | None
    status: int | None
    error: str | None
    latency_ms: int | None
    delivered_at: Time | None


class DeliveryList(_Answer):
    data: list[Delivery]


class Health(_Answer):
    status: Literal["ok"]


class Readiness(_Answer):
    status: Literal["ready", "not_ready"]
    database: bool
    asterisk: bool
