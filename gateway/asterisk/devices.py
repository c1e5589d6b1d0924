"""Which devices could ring now.

Asked by `Getvar` of PJSIP_DIAL_CONTACTS, the very function that the dialplan dials by: it lists
reachable contacts only, and needs no more than the class `call` or `reporting`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.asterisk import values
from gateway.asterisk.calls_control import ControlSession
from gateway.asterisk.errors import ActionRefused

UNDIALABLE = frozenset(",|")


async def contacts(session: ControlSession, endpoints: Sequence[str]) -> Mapping[str, int]:
    """Reachable contacts of each endpoint (`PJSIP/101-desk`); 0 for one that Asterisk does not know.

    Raises: UnsafeValue for a name that is no endpoint's; else as `AmiSession.action`.
    """
    names = {endpoint: values.endpoint_name(endpoint) for endpoint in endpoints}
    counts = await asyncio.gather(*(_count(session, name) for name in names.values()))
    return dict(zip(names, counts, strict=True))


async def states(session: ControlSession) -> Mapping[str, str]:
    """The state of every device that Asterisk has heard of: `PJSIP/101-desk` → `NOT_INUSE`, `INUSE`,
    `RINGING`, `UNAVAILABLE` … Raises: as `AmiSession.action`.
    """
    items = await session.list_action("DeviceStateList", {}, "DeviceStateListComplete")
    return {item["Device"]: item.get("State", "UNKNOWN") for item in items if "Device" in item}


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
