"""Placing a call: one Originate of a Local channel whose ids were chosen before it exists.

Its second half runs `gw-ring`, which rings the user's devices; once one of them answered, its
first half runs `gw-connect`, which dials the destination (`asterisk-conf/gateway/`). The
dialplan refuses to ring after the deadline, so an answer that was lost cannot ring late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.asterisk import values
from gateway.asterisk.ami import AmiReply
from gateway.asterisk.errors import UnsafeValue

RING_CONTEXT = "gw-ring"
CONNECT_CONTEXT = "gw-connect"
DEVICE_SEPARATOR = ":"
MOST_DEVICES = 32
TIMEOUT_MARGIN_SECONDS = 5
"""Originate's own time-out comes after the Dial's, which says more about what happened."""


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """`devices` as `PJSIP/101-desk`; timeouts in seconds; `deadline_epoch` in seconds since 1970.

    `caller_id` is what the destination shall see (E.164), or None where the user's own
    extension and name are to be shown.
    """

    id: str
    other_id: str
    devices: tuple[str, ...]
    destination: str
    destination_context: str
    user_number: str
    user_name: str
    caller_id: str | None
    account: str
    ring_timeout: int
    answer_timeout: int
    deadline_epoch: int


class ActionSession(Protocol):
    """What placing a call needs of an `AmiSession`."""

    async def action(
        self,
        name: str,
        headers: Mapping[str, str] | None = None,
        variables: Sequence[tuple[str, str]] = (),
        timeout: float = 5.0,
    ) -> AmiReply: ...


def headers(request: OriginateRequest) -> dict[str, str]:
    """The action's headers but for its variables.

    Raises:
        UnsafeValue: a value that Asterisk must not see.
    """
    destination = values.dialable(request.destination)
    ring_timeout = values.seconds(request.ring_timeout, "ring_timeout")
    return {
        "Channel": f"Local/{values.extension(request.user_number, 'user_number')}@{RING_CONTEXT}/n",
        "Context": CONNECT_CONTEXT,
        "Exten": destination,
        "Priority": "1",
        "CallerID": destination,
        "Account": values.account(request.account),
        "ChannelId": values.channel_id(request.id),
        "OtherChannelId": values.channel_id(request.other_id, "other_id"),
        "Timeout": str((ring_timeout + TIMEOUT_MARGIN_SECONDS) * 1000),
        "Async": "true",
    }


def variables(request: OriginateRequest) -> list[tuple[str, str]]:
    """The channel variables; two underscores hand one on to the channels that are dialled.

    Raises:
        UnsafeValue: a value that Asterisk must not see.
    """
    if not 1 <= len(request.devices) <= MOST_DEVICES:
        raise UnsafeValue("devices", f"are not 1 to {MOST_DEVICES}")
    devices = DEVICE_SEPARATOR.join(values.endpoint_name(device) for device in request.devices)
    if len(devices) > values.MAX_VARIABLE_BYTES:
        raise UnsafeValue("devices", "have names that are too long together for Asterisk")
    return [
        ("__GW_ID", values.channel_id(request.id)),
        ("__GW_ACCOUNT", values.account(request.account)),
        ("__GW_DEVICES", devices),
        ("__GW_DEADLINE", str(values.epoch(request.deadline_epoch, "deadline_epoch"))),
        ("__GW_RING_TIMEOUT", str(values.seconds(request.ring_timeout, "ring_timeout"))),
        ("__GW_ANSWER_TIMEOUT", str(values.seconds(request.answer_timeout, "answer_timeout"))),
        ("__GW_DESTINATION", values.dialable(request.destination)),
        ("__GW_DESTINATION_CONTEXT", values.context(request.destination_context, "destination_context")),
        ("__GW_CALLER_ID", values.e164(request.caller_id, "caller_id") if request.caller_id else ""),
        ("__GW_USER_NUMBER", values.extension(request.user_number, "user_number")),
        ("__GW_USER_NAME", values.shown_name(request.user_name)),
    ]


async def place(session: ActionSession, request: OriginateRequest) -> None:
    """Hands the call to Asterisk; returns once Asterisk has accepted it.

    Raises:
        UnsafeValue, NotConnected, TooManyActions: nothing was sent, nothing will ring.
        ActionRefused: Asterisk refused it, nothing will ring.
        LinkLost, ActionTimeout: it may ring, until the deadline at the latest.
    """
    await session.action("Originate", headers(request), variables(request))
