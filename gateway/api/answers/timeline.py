"""The timeline of one call."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from gateway.api.answers.shapes import Answer, Time, User


class ChannelCaller(Answer):
    """What the channel's caller ID was at that moment."""

    number: str | None
    name: str | None


class ChannelRow(Answer):
    """A channel event (CEL). Null is what Asterisk does not tell, and what names an endpoint of another account."""

    at: Time
    kind: Literal["row"]
    event: Annotated[str, Field(examples=["BRIDGE_ENTER"])]
    unique_id: str
    linked_id: str
    channel: str | None
    caller: ChannelCaller
    extension: str | None
    application: str | None
    peers: list[str]
    user_event: str | None
    extra: dict[str, str]


class QueueRow(Answer):
    """What the queue log, or AMI, told of the caller in a queue."""

    at: Time
    kind: Literal["queue"]
    event: Annotated[str, Field(examples=["ENTERQUEUE"])]
    unique_id: str
    queue: str
    member: str | None
    position: int | None
    original_position: int | None


class GapInRows(Answer):
    """Until then nothing was heard for a time, so that rows may lack."""

    at: Time
    kind: Literal["gap"]


class ClockStep(Answer):
    """Asterisk's clock was set: times before and after are not to be compared."""

    at: Time
    kind: Literal["clock_step"]


class ToldEvent(Answer):
    """An event of the log; `data` as `GET /v1/events` has it."""

    at: Time
    kind: Literal["event"]
    id: str
    sequence: int
    type: Annotated[str, Field(examples=["call.answered"])]
    data: dict[str, Any]


class Placed(Answer):
    """The call was asked for with `POST /v1/calls`, or on the drop-in path."""

    at: Time
    kind: Literal["placed"]
    user: User
    to: str
    caller_id: str | None
    reference: str | None


class Timeline(Answer):
    """`rows_complete`: false where rows of the call are kept no more or never were (imports), or are
    too many to be told."""

    id: UUID
    rows_complete: bool
    data: list[
        Annotated[ChannelRow | QueueRow | GapInRows | ClockStep | ToldEvent | Placed, Field(discriminator="kind")]
    ]
