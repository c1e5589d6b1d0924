import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.asterisk.ami import AmiSession, Pace
from tests.unit.asterisk.peer import ScriptedPeer

QUICK = Pace(ping_interval=30.0, first_retry=0.01, longest_retry=0.04, stable_after=1.0)
"""Reconnects at once. What is answered has the time that it has in service: a machine under load stalls for long."""

IMPATIENT = replace(QUICK, login_timeout=0.3, ping_timeout=0.2)
"""For a peer that does not answer."""


@pytest.fixture
async def peer() -> AsyncIterator[ScriptedPeer]:
    async with ScriptedPeer() as scripted:
        yield scripted


@pytest.fixture
async def open_session(peer: ScriptedPeer) -> AsyncIterator[Callable[..., Any]]:
    """Makes sessions with `peer` and closes them."""
    sessions: list[AmiSession] = []

    async def open_one(*, wait: bool = True, pace: Pace = QUICK, **options: Any) -> AmiSession:
        session = AmiSession(peer.url, events=options.pop("events", True), pace=pace, **options)
        sessions.append(session)
        await session.start()
        if wait:
            await session.wait_connected(5)
        return session

    yield open_one
    await asyncio.gather(*(session.close() for session in sessions))
