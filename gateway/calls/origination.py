"""What was asked for when the gateway placed a call: known before any channel exists."""

from dataclasses import dataclass

from gateway.calls.record import UserRef
from gateway.calls.rows import Instant

RING_CONTEXT = "gw-ring"
"""The dialplan context whose Local channel is an origination's first channel."""


@dataclass(frozen=True, slots=True)
class Origination:
    """`id` is the call's id and the first channel's unique id. `destination` is E.164 or an extension.

    `over`: its end was told, though no channel of it was seen. That stays so: what Asterisk makes of it
    after its deadline rings nobody.
    """

    account: str
    id: str
    node: str
    user: UserRef
    destination: str
    caller_id: str | None
    reference: str | None
    created_at: Instant
    over: bool = False
