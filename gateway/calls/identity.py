"""A call's id: UUID version 7 in form (RFC 9562), made from its node and linked id.

The first 48 bits are the time of the call's first channel in milliseconds, the rest a hash,
so that the same call has the same id whoever reads it and from whichever source, and ids
sort by time. A call that the gateway placed was given its id before it was dialled: the id
travels as the channel's unique id, which then is the linked id.
"""

import hashlib
import re
from uuid import UUID

from gateway.calls.rows import Instant

_ASTERISK_ID = re.compile(r"(?:^|-)(\d{9,11})\.\d+$")


def call_id(node: str, linked_id: str, first_seen: Instant) -> str:
    """The id of the call whose earliest linked id is `linked_id`.

    Asterisk's own ids carry the second in which the channel was made; an id without one
    (a chosen ChannelId) is dated by its first row.
    """
    given = given_id(linked_id)
    if given is not None:
        return given
    match = _ASTERISK_ID.search(linked_id)
    milliseconds = int(match[1]) * 1000 if match else first_seen // 1000
    return uuid7(milliseconds, hashlib.sha256(f"{node}\0{linked_id}".encode()).digest())


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """RFC 9562 section 5.7: 48 bits of time, then version, variant and 74 bits of `entropy`."""
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76
    value |= (int.from_bytes(entropy[:2], "big") & 0xFFF) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(entropy[2:10], "big") & (1 << 62) - 1
    return str(UUID(int=value))


def given_id(text: str) -> str | None:
    """The id that the gateway chose for a call, if this linked id is one."""
    if len(text) != 36:
        return None
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return str(parsed) if parsed.version == 7 else None
