"""The calls of a time folded again from the rows that are kept: what `rebuild` writes and `audit` compares with.

All rows of the time are folded in the order of their file, after the rows of the calls that were
under way when it began, and after an hour of others, and on until all that began in it are over.
So each call meets what it met when it was first told. Memory holds the calls that are open at once.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta

from gateway.calls.directory import Directory, DirectoryHistory
from gateway.calls.fold import Fold
from gateway.calls.identity import given_id
from gateway.calls.instant import from_datetime, to_datetime
from gateway.calls.record import CallRecord
from gateway.calls.rows import CelRow, Instant, Row
from gateway.numbering import to_e164
from gateway.store import directories, placed, stored_rows
from gateway.store.connection import Connection

SLICE_ROWS = 2_000
BEFORE = timedelta(hours=1)
A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Refolded:
    """Some calls that began in the time and are over. `rows`: how many were read so far, of about `of`."""

    records: list[CallRecord]
    failures: list[str]
    rows: int
    of: int


async def refold(
    connection: Connection, node: str, since: Instant, until: Instant, *, pause: float = 0
) -> AsyncIterator[Refolded]:
    """`pause`: seconds between slices, for who has other things to do."""
    began, ended = to_datetime(since), to_datetime(until)
    whole = await stored_rows.extent(connection, node, began, ended)
    if whole is None:
        return
    earlier = await stored_rows.extent(connection, node, began - BEFORE, began)
    first = min(earlier.first, whole.first) if earlier else whole.first
    folding = _Folding(connection, node, since, until, whole.dropped_until, first)
    under_way = await stored_rows.open_at(connection, node, began - BEFORE if earlier else began, first)
    await folding.begin(await directories.history(connection, node), under_way)
    read = 0
    while first <= whole.newest:
        after = min(first + SLICE_ROWS, whole.newest + 1)
        in_time = first <= whole.last
        rows = await stored_rows.slice_of(connection, node, first, min(after, whole.last + 1) if in_time else after)
        first = min(after, whole.last + 1) if in_time else after
        read += len(rows)
        records, failures = await folding.take(rows, in_time=in_time)
        yield Refolded(records, failures, read, max(whole.last - whole.first + 1, read))
        if first > whole.last and not await folding.awaits_any():
            break
        await asyncio.sleep(pause)


class _Folding:
    def __init__(
        self, connection: Connection, node: str, since: Instant, until: Instant, dropped: Instant | None, first: int
    ) -> None:
        self._connection = connection
        self._node = node
        self._since = max(since, dropped or since)
        self._until = until
        self._doubtful_until = 0 if dropped is None else dropped + A_DAY
        self._first = first
        self._under_way: set[str] = set()
        self._awaited: set[str] = set()
        self._known: set[str] = set()

    async def begin(self, versions: list[tuple[Instant, Directory]], under_way: list[str]) -> None:
        self._fold = Fold(self._node, DirectoryHistory(versions).at, to_e164)
        self._under_way = set(under_way)
        rows = await stored_rows.of(
            self._connection, self._node, under_way, self._first, to_datetime(self._since) - BEFORE
        )
        await self._know_originations(rows)
        for row in rows:
            self._fold.take(row)
        self._fold.drain()

    async def take(self, rows: list[Row], *, in_time: bool) -> tuple[list[CallRecord], list[str]]:
        await self._know_originations(rows)
        for row in rows:
            self._fold.take(row)
        changes = self._fold.drain()
        if in_time:
            self._awaited.update(changes.opened)
        self._awaited.difference_update(changes.closed)
        self._known.difference_update(changes.closed)
        wanted = [
            record
            for record in changes.records
            if record.settled and record.account and self._since <= record.started_at < self._until
        ]
        records = await self._that_began_here(wanted)
        return records, [f"call {call}: {fault}" for call, fault in changes.failures]

    async def awaits_any(self) -> bool:
        """Whether a call that began in the time is not over, and is known to have ended."""
        open_now = await stored_rows.open_now(self._connection, self._node)
        return bool(self._awaited - self._under_way - open_now)

    async def _that_began_here(self, records: list[CallRecord]) -> list[CallRecord]:
        """Without those whose beginning lies before what is read, or was dropped: they would be told as cut off."""
        cut = [record for record in records if not record.complete]
        if not cut:
            return records
        linked_ids = {linked_id for record in cut for linked_id in record.linked_ids} - self._under_way
        earlier = await stored_rows.have_earlier(self._connection, self._node, linked_ids, self._first)
        recorded = await self._recorded_starts(cut)
        gone = {
            record.id
            for record in cut
            if not earlier.isdisjoint(record.linked_ids)
            or recorded.get(record.id, record.started_at) < record.started_at // 1000 * 1000
            or (record.id not in recorded and record.started_at < self._doubtful_until)
        }
        return [record for record in records if record.id not in gone]

    async def _recorded_starts(self, records: Iterable[CallRecord]) -> dict[str, Instant]:
        found = await self._connection.fetch(
            "select id::text as id, started_at from calls "
            "where (account_id, id) in (select * from unnest($1::text[], $2::text[]::uuid[]))",
            [record.account for record in records],
            [record.id for record in records],
        )
        return {record["id"]: from_datetime(record["started_at"]) for record in found}

    async def _know_originations(self, rows: Iterable[Row]) -> None:
        linked_ids = {row.linked_id for row in rows if isinstance(row, CelRow)}
        ids = {given for linked_id in linked_ids if (given := given_id(linked_id))} - self._known
        for origination in await placed.by_id(self._connection, self._node, ids):
            self._fold.know(origination)
            self._known.add(origination.id)
