"""Which devices could ring now, and what each of them does.

Contacts are asked for by `Getvar` of PJSIP_DIAL_CONTACTS, the very function that the dialplan dials by: it lists
reachable contacts only, and needs no more than the class `call` or `reporting`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from gateway.asterisk import values
from gateway.asterisk.calls_control import ControlSession
from gateway.asterisk.errors import ActionRefused

UNDIALABLE = frozenset(",|")

DeviceState: TypeAlias = Literal["registered", "ringing", "in_use", "unreachable"]

STATES: Mapping[str, DeviceState] = {
    "NOT_INUSE": "registered",
    "RINGING": "ringing",
    "RINGINUSE": "ringing",
    "INUSE": "in_use",
    "ONHOLD": "in_use",
    "BUSY": "in_use",
    "UNAVAILABLE": "unreachable",
    "INVALID": "unreachable",
}
"""By Asterisk's own names. An endpoint without a reachable contact is UNAVAILABLE; of UNKNOWN nothing is known."""


async def contacts(session: ControlSession, endpoints: Sequence[str]) -> Mapping[str, int]:
    """Reachable contacts of each endpoint (`PJSIP/101-desk`); 0 for one that Asterisk does not know.

    Raises: UnsafeValue for a name that is no endpoint's; else as `AmiSession.action`.
    """
    names = {endpoint: values.endpoint_name(endpoint) for endpoint in endpoints}
    counts = await asyncio.gather(*(_count(session, name) for name in names.values()))
    return dict(zip(names, counts, strict=True))


async def states(session: ControlSession) -> Mapping[str, DeviceState | None]:
    """Of every device that Asterisk has (needs the class `call` or `reporting`).

    Raises: as `AmiSession.action`.
    """
    items = await session.list_action("DeviceStateList", {}, "DeviceStateListComplete")
    return {item["Device"]: STATES.get(item.get("State", "")) for item in items if "Device" in item}


async def _count(session: ControlSession, name: str) -> int:
    try:
        reply = await session.action("Getvar", {"Variable": f"PJSIP_DIAL_CONTACTS({name})"})
    except ActionRefused:
        return 0
    value = reply.headers.get("Value", "")
    # `PJSIP/name/sip:…&PJSIP/name/sip:…`; a contact that holds `&` gives parts that begin otherwise.
    # As in the dialplan: one such contact, and the whole endpoint is left out.
    parts = value.split("&")
    dialable = all(part.startswith(f"PJSIP/{name}/") and UNDIALABLE.isdisjoint(part) for part in parts)
    return len(parts) if value and dialable else 0
