"""What Asterisk shows of its devices and queues now, asked for when somebody wants to know.

One answer serves everybody for a second: Asterisk walks through all that it has for each question, and
the screens that ask, many at once and again and again, show what people do. Nobody sees a phone ring
half a second later; that Asterisk is not asked a hundred times a second, everybody has something of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Generic, Protocol, TypeVar

from gateway.asterisk import devices, queues
from gateway.asterisk.calls_control import ControlSession
from gateway.asterisk.devices import DeviceState
from gateway.asterisk.errors import AmiError

KEPT_SECONDS = 1.0

Shown = TypeVar("Shown")


class LiveSession(ControlSession, Protocol):
    """What this module needs of an `AmiSession`."""

    @property
    def connected(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Answer(Generic[Shown]):
    """`at`: when Asterisk was asked."""

    at: datetime
    shown: Shown


class Live:
    """Each question gives None where Asterisk is not connected, or does not answer."""

    def __init__(self, session: LiveSession | None) -> None:
        self._session = session
        self._devices = _Kept(devices.states)
        self._queues = _Kept(queues.status)

    async def devices(self) -> Answer[Mapping[str, DeviceState | None]] | None:
        """By the device, `PJSIP/101-desk`."""
        return await self._devices.answer(self._session)

    async def queues(self) -> Answer[Mapping[str, queues.Queue]] | None:
        """By the name in queues.conf."""
        return await self._queues.answer(self._session)


class _Kept(Generic[Shown]):
    """The last answer to one question, also that there was none; whoever asks meanwhile waits for the same."""

    def __init__(self, question: Callable[[ControlSession], Awaitable[Shown]]) -> None:
        self._question = question
        self._asking = asyncio.Lock()
        self._last: Answer[Shown] | None = None
        self._good_until = 0.0

    async def answer(self, session: LiveSession | None) -> Answer[Shown] | None:
        if session is None or not session.connected:
            return None
        async with self._asking:
            if monotonic() >= self._good_until:
                self._last = await self._ask(session)
                self._good_until = monotonic() + KEPT_SECONDS
            return self._last

    async def _ask(self, session: LiveSession) -> Answer[Shown] | None:
        at = datetime.now(UTC)
        try:
            return Answer(at, await self._question(session))
        except AmiError:
            return None
