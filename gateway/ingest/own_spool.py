"""In AMI mode every gateway of a node hears Asterisk and has a spool of its own; only the leader's counts.

All sessions of AMI are told the same events in the same order, with the same times
(`timestampevents`), so the row that was committed last stands in each spool, and what comes after it
is what is to be read next. A standby follows it there, and lets go what lies before. Where it is not
found, this gateway did not hear it: what it has heard since counts, and that something is missing is
known.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.asterisk.source import Position
from gateway.asterisk.spool import STREAM, SpoolSource
from gateway.calls.rows import Instant
from gateway.store import raw_rows
from gateway.store.connection import Connection

LOOK_TIMES = 10
LOOK_AGAIN_SECONDS = 0.1
KEPT_UNFOUND = 600 * 1_000_000
"""Microseconds: rows so much older than the last one committed need not be kept, whosever they are."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """`missed_since`: rows may be missing after it; none until then counts again. None: gapless."""

    positions: Mapping[str, Position]
    missed_since: Instant | None = None


class OwnSpool:
    """This gateway's spool, beside those of the node's others."""

    def __init__(self, source: SpoolSource, node: str) -> None:
        self._source = source
        self._node = node
        self._found: Position | None = None
        self._row: str | None = None

    async def follow(self, connection: Connection) -> None:
        """While another leads."""
        at = await raw_rows.last_at(connection, self._node)
        if at is None:
            return
        last = await raw_rows.last_text(connection, self._node, at)
        if last is None or not self._look_for(last):
            self._source.forget_before(at - KEPT_UNFOUND)

    async def take_up(self, connection: Connection, positions: Mapping[str, Position]) -> TakenUp:
        """Where to go on, given the positions that were committed last, by whomever."""
        committed = positions.get(STREAM)
        if committed is None or self._source.holds(committed):
            return TakenUp(positions)
        others = {stream: position for stream, position in positions.items() if stream != STREAM}
        at = await raw_rows.last_at(connection, self._node)
        if at is None:
            return TakenUp(others)
        last = await raw_rows.last_text(connection, self._node, at)
        found = None if last is None else await self._awaited(last)
        return TakenUp(others, at) if found is None else TakenUp({**others, STREAM: found})

    async def _awaited(self, row: str) -> Position | None:
        """The place after it, which may be on its way to us."""
        for _ in range(LOOK_TIMES):
            if self._look_for(row):
                return self._found
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return None

    def _look_for(self, row: str) -> bool:
        if row == self._row:
            return True
        found = self._source.find(row, self._found)
        if found is None:
            return False
        self._found, self._row = found, row
        self._source.forget_until(found)
        return True
