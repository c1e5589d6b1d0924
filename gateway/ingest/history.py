"""Recorded files into the database: history, beside what the running service records.

Every transaction is whole and of bounded size, and what is recorded stays: an import that was
killed, or is run again, goes over the file once more and adds what is missing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import asyncpg

from gateway.calls.directory import DirectoryHistory
from gateway.calls.fold import Fold
from gateway.calls.identity import given_id
from gateway.calls.record import CallRecord
from gateway.calls.rows import CelRow, ChannelsAlive, Instant, Row
from gateway.numbering import to_e164
from gateway.store import directories, history, placed
from gateway.store.connection import Connection
from gateway.store.history import Written

BATCH_ROWS = 2_000
TRIES = 5

T = TypeVar("T")


@dataclass(slots=True)
class Imported:
    """What came of it. `lost`: calls whose end is in no file. `unowned`: calls of no account."""

    written: Written = field(default_factory=Written)
    lost: int = 0
    unowned: int = 0


class RowImport:
    """Folds rows and writes the calls that are over; those that never end in them are lost."""

    def __init__(self, connection: Connection, node: str, known: DirectoryHistory) -> None:
        self._connection = connection
        self._node = node
        self._fold = Fold(node, known.at, to_e164)
        self._last_at: Instant = 0
        self.done = Imported()

    async def take(self, rows: Iterable[Row]) -> list[str]:
        """One transaction. What is given back tells of calls that could not be understood."""
        batch = list(rows)
        ids = {
            given
            for row in batch
            if isinstance(row, CelRow) and row.event == "CHAN_START" and (given := given_id(row.linked_id))
        }
        for origination in await placed.by_id(self._connection, self._node, ids):
            # What is recorded of it is compared when it is written, as of any other call.
            self._fold.know(replace(origination, over=False))
        for row in batch:
            self._fold.take(row)
            self._last_at = max(self._last_at, row.at)
        return await self._write()

    async def finish(self) -> list[str]:
        """The files are at their end. See `take`."""
        self._fold.take(ChannelsAlive(self._last_at, self._last_at + 1, frozenset()))
        return await self._write()

    async def _write(self) -> list[str]:
        changes = self._fold.drain()
        ended = [record for record in changes.records if record.settled]
        self.done.written += await write(self._connection, ended)
        self.done.lost += sum(record.outcome == "lost" for record in ended)
        self.done.unowned = self._fold.unowned
        return [f"call {call}: {fault}" for call, fault in changes.failures]


async def known_directories(connection: Connection, node: str) -> DirectoryHistory | None:
    """None where no directory was ever applied for this node."""
    versions = await directories.history(connection, node)
    return DirectoryHistory(versions) if versions else None


async def write(connection: Connection, records: Iterable[CallRecord]) -> Written:
    """In a transaction of its own; tried again where it and the running service waited for each other."""
    ended = list(records)
    for left in reversed(range(TRIES)):
        try:
            async with connection.transaction():
                return await history.write(connection, ended) if ended else Written()
        except asyncpg.DeadlockDetectedError:
            if not left:
                raise
    raise AssertionError


def batches(items: Iterable[T], size: int = BATCH_ROWS) -> Iterator[list[T]]:
    """Lists of `size`, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
