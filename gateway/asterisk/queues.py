"""Who is a member of each queue, and who waits in it: Asterisk's `QueueStatus`, which needs no class of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.asterisk.calls_control import ControlSession
from gateway.asterisk.devices import STATES, DeviceState

STATE_NUMBERS = (
    "UNKNOWN",
    "NOT_INUSE",
    "INUSE",
    "BUSY",
    "INVALID",
    "UNAVAILABLE",
    "RINGING",
    "RINGINUSE",
    "ONHOLD",
)
"""Device states by the numbers in which a member's is told (`main/devicestate.c`)."""


@dataclass(frozen=True, slots=True)
class Member:
    """`device`: whose state counts, `PJSIP/102`, also where the member is rung by way of the dialplan."""

    name: str
    device: str
    state: DeviceState | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """`unique_id`: the channel's. `wait_seconds`: so far."""

    position: int
    unique_id: str
    caller_number: str | None
    caller_name: str | None
    wait_seconds: int


@dataclass(frozen=True, slots=True)
class Queue:
    members: list[Member] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


async def status(session: ControlSession) -> Mapping[str, Queue]:
    """Every queue of queues.conf, by its name. Raises: as `AmiSession.action`."""
    queues: dict[str, Queue] = {}
    for item in await session.list_action("QueueStatus", {}, "QueueStatusComplete"):
        queue = queues.setdefault(item.get("Queue", ""), Queue())
        if item.get("Event") == "QueueMember":
            queue.members.append(_member(item))
        elif item.get("Event") == "QueueEntry":
            queue.waiting.append(_waiting(item))
    return queues


def _member(item: Mapping[str, str]) -> Member:
    number = _whole(item.get("Status", ""))
    state = STATES.get(STATE_NUMBERS[number]) if number < len(STATE_NUMBERS) else None
    device = item.get("StateInterface") or item.get("Location", "")
    return Member(item.get("Name", ""), device, state, item.get("Paused") == "1")


def _waiting(item: Mapping[str, str]) -> Waiting:
    return Waiting(
        _whole(item.get("Position", "")),
        item.get("Uniqueid", ""),
        _known(item.get("CallerIDNum", "")),
        _known(item.get("CallerIDName", "")),
        _whole(item.get("Wait", "")),
    )


def _known(text: str) -> str | None:
    """Asterisk says `unknown` where it does not know."""
    return None if text in ("", "unknown", "<unknown>") else text


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
