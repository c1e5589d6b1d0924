"""What lives in Asterisk now, and ending it."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.errors import ActionRefused
from gateway.asterisk.originate import ActionSession
from gateway.calls.rows import Instant


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """One channel of Asterisk's own list."""

    unique_id: str
    linked_id: str
    name: str


class ControlSession(ActionSession, Protocol):
    """What this module needs of an `AmiSession`."""

    async def list_action(
        self, name: str, headers: Mapping[str, str] | None, complete_event: str, timeout: float = 5.0
    ) -> list[Mapping[str, str]]: ...


async def live_channels(session: ControlSession) -> list[LiveChannel]:
    """All channels that live now (needs the class `reporting`). Raises: as `AmiSession.action`."""
    items = await session.list_action("CoreShowChannels", {}, "CoreShowChannelsComplete")
    return [
        LiveChannel(item.get("Uniqueid", ""), item.get("Linkedid", ""), item.get("Channel", ""))
        for item in items
        if item.get("Event") == "CoreShowChannel"
    ]


async def clock(session: ActionSession) -> Instant | None:
    """Asterisk's, as it was while it answered; None where it does not tell. Raises: as `AmiSession.action`."""
    reply = await session.action("Ping")
    try:
        return read_time(reply.headers["Timestamp"])
    except (KeyError, ValueError):
        return None


async def hang_up(session: ControlSession, ids: Collection[str]) -> int:
    """Hangs up every channel whose linked id or unique id is among `ids` (needs the class `call`).

    Gives how many there were; a channel that ended by itself meanwhile counts too.
    Raises: as `AmiSession.action`.
    """
    wanted = frozenset(ids)
    doomed = [c for c in await live_channels(session) if c.linked_id in wanted or c.unique_id in wanted]
    await asyncio.gather(*(_hang_up_channel(session, channel) for channel in doomed))
    return len(doomed)


async def _hang_up_channel(session: ControlSession, channel: LiveChannel) -> None:
    try:
        # By unique id: a name could be read as a pattern, and names begin again when Asterisk does.
        await session.action("Hangup", {"Channel": channel.unique_id, "Cause": "16"})
    except ActionRefused as error:
        if "no such channel" not in error.message.lower():
            raise
