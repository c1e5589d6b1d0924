"""What the fold reads: the rows of one node, in the order of their file.

Instants are integers, microseconds since the epoch, UTC: they order, subtract and
serialise without a time zone in sight. `gateway.calls.instant` turns them into text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

Instant: TypeAlias = int
"""Microseconds since the epoch, UTC."""

SAME_MOMENT = 50_000
"""Microseconds: what one act did to several channels, in whatever order it is written."""

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CelRow:
    """One channel event, as AMI's `CEL` event or `cel_custom`'s stock line gives it.

    `event` is Asterisk's name (`CHAN_START`, `BRIDGE_ENTER`, …); `extra` the decoded Extra
    object with every value as text ({} where it is absent or cannot be read).
    Absent texts are "". `user_type` is the type of a USER_DEFINED event.
    """

    event: str
    at: Instant
    channel: str
    unique_id: str
    linked_id: str
    exten: str = ""
    context: str = ""
    caller_number: str = ""
    caller_name: str = ""
    app: str = ""
    app_data: str = ""
    peer: str = ""
    account_code: str = ""
    dnid: str = ""
    user_type: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One fact about a queue's caller, from `queue_log` or from AMI's queue events.

    `event` is queue_log's name: ENTERQUEUE, CONNECT, ABANDON, EXITWITHTIMEOUT, EXITWITHKEY,
    EXITEMPTY, JOINEMPTY …; `unique_id` the caller's channel. Positions are None where the
    source does not tell them.
    """

    event: str
    at: Instant
    unique_id: str
    queue: str
    member: str = ""
    position: int | None = None
    original_position: int | None = None


QUEUE_ENTERING = ("ENTERQUEUE", "JOINEMPTY")

QUEUE_LEAVING = ("ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY", "WITHDRAW", "LEAVE")
"""The events that tell the position of a caller who left unanswered; only AMI tells that of one who was answered."""

QUEUE_OVER = frozenset((*QUEUE_LEAVING, "CONNECT", "JOINEMPTY"))
"""The events of which each visit that is over has one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The source heard nothing from before this row until it: open calls may lack rows."""

    at: Instant


@dataclass(frozen=True, slots=True)
class ChannelsAlive:
    """Asterisk's own list of the channels that live, taken after the source was connected.

    A channel that is not in it, and of which no row came at or after `since`, ended unseen, and so
    did a call that has no others.
    """

    at: Instant
    since: Instant
    unique_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClockStep:
    """Asterisk's clock was set shortly before this row, after which it was `at`: durations of open calls are wrong."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Watermark:
    """Every row of before `at`, by Asterisk's clock, stands before this one, whether or not any comes after."""

    at: Instant


Row: TypeAlias = CelRow | QueueRow | Gap | ChannelsAlive | ClockStep | Watermark
