"""Batches of rows become committed calls: raw rows, records, events and positions, in one transaction each.

While a batch is being committed, the next is folded already: the one takes Postgres' time, the other ours. The fold
is then ahead of the database by that one batch; where the commit fails, both are thrown away and read again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gateway.asterisk.source import Batch, Position
from gateway.calls.directory import DirectoryHistory
from gateway.calls.fold import Changes, Fold
from gateway.calls.identity import given_id
from gateway.calls.rows import CelRow, ChannelsAlive, Gap, Row
from gateway.ingest.progress import Progress
from gateway.ingest.refusals import by_call, together, write_apart
from gateway.numbering import to_e164
from gateway.store import calls, directories, placed, positions, raw_rows, restoring
from gateway.store.connection import Connection

ROWS_IN_ONE_GO = 10
"""Rows that are folded before others have their turn: the commit beside, the lease's renewal, the API.

A commit is some fifteen statements, of which each waits for its turn after Postgres has answered: with many rows in
one go, Postgres waits longer than it works.
"""

OVER_ROWS = 20_000
"""A writer that starts looks so far back for calls that are over: a late row of one opens no new call."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Folded:
    """`rows`: those to be kept. `open_calls`: once they were folded. `unowned_calls`: of no account, ended by them."""

    rows: Sequence[Row]
    changes: Changes
    positions: Mapping[str, Position]
    open_calls: int
    unowned_calls: int


class Writer:
    """One leader's. `connection` is its alone until `close`.

    Args:
        check: first in every transaction; raises Fenced.
        apart: what is refused is left out, not the batch: see `refusals`. For the first batch only.
    """

    def __init__(
        self,
        connection: Connection,
        node: str,
        check: Callable[[Connection], Awaitable[None]],
        progress: Progress,
        *,
        apart: bool,
    ) -> None:
        self._connection = connection
        self._node = node
        self._check = check
        self._progress = progress
        self._apart = apart
        self._committing: asyncio.Task[int] | None = None
        self.alive: frozenset[str] = frozenset()
        """The channels of Asterisk's last list of them."""

    async def start(self) -> None:
        """As it was after the last commit."""
        self._version = await directories.latest(self._connection)
        self._fold = await self._restored()
        self.alive = await raw_rows.last_alive(self._connection, self._node)
        self._progress.unowned_calls = await raw_rows.unowned_calls(self._connection, self._node)

    @property
    def is_committing(self) -> bool:
        """Whether a batch is not committed yet; the connection is not free then."""
        return self._committing is not None

    async def write(self, batch: Batch, committed: Callable[[], None]) -> None:
        """Folds the batch and begins to commit it; `settle` waits for that. `committed` is called once it is.

        Raises: what the commit of the batch before raised.
        """
        folded = await self._folded(batch)
        self._committing = asyncio.create_task(self._commit(folded, committed), name="commit")

    async def settle(self) -> None:
        """Returns when all is committed. Raises: what the commit raised."""
        if self._committing is not None:
            await self._committing
            self._committing = None

    async def close(self) -> None:
        """What is not committed is given up; the connection is free."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
            self._committing = None

    async def _folded(self, batch: Batch) -> _Folded:
        """By the directory that is in force, and with all that is known of its calls."""
        if self._committing is not None and not _unknown(self._fold, batch.rows):
            folded = await self._taken(batch)
            version = await self._committing
            self._committing = None
            if version == self._version:
                return folded
        await self.settle()
        if batch.rows and (version := await directories.latest(self._connection)) != self._version:
            self._version, self._fold = version, await self._restored()
        await self._know_originations(self._fold, batch.rows)
        return await self._taken(batch)

    async def _taken(self, batch: Batch) -> _Folded:
        fold, rows, unowned_before = self._fold, [], self._fold.unowned
        for number, row in enumerate(batch.rows, 1):
            if fold.take(row):
                rows.append(row)
            if not number % ROWS_IN_ONE_GO:
                await asyncio.sleep(0)
        return _Folded(rows, fold.drain(), batch.positions, fold.open_calls, fold.unowned - unowned_before)

    async def _restored(self) -> Fold:
        """The rows of open calls, folded again. Of a call that has an account only now, nobody was told yet.

        So it is with the first directory of an account, applied during its calls. What is to be told of them is
        committed with the next batch.
        """
        connection, node = self._connection, self._node
        history = DirectoryHistory(await directories.history(connection, node))
        fold = Fold(node, history.at, to_e164)
        fold.know_over(await restoring.lately_over(connection, node, OVER_ROWS))
        async with aclosing(restoring.rows_of_open_calls(connection, node)) as slices:
            async for rows in slices:
                await self._know_originations(fold, rows)
                for number, row in enumerate(rows, 1):
                    fold.take(row)
                    if not number % ROWS_IN_ONE_GO:
                        await asyncio.sleep(0)
        changes = fold.drain()
        fold.put_back(changes.of(changes.calls() - await calls.recorded(connection, changes.calls())))
        return fold

    async def _know_originations(self, fold: Fold, rows: Sequence[Row]) -> None:
        """Each is told to the fold once. Its first row may have been missed."""
        for origination in await placed.by_id(self._connection, self._node, _unknown(fold, rows)):
            fold.know(origination)

    async def _commit(self, folded: _Folded, committed: Callable[[], None]) -> int:
        """Gives the version of the directories then."""
        connection, node, rows, changes = self._connection, self._node, folded.rows, folded.changes
        for call_id, error in changes.failures:
            log.error("ingest.call_not_understood", node=node, call=call_id, error=error)
        async with connection.transaction():
            await self._check(connection)
            seq = await raw_rows.last_seq(connection, node)
            await self._keep(seq + 1, rows)
            gap = any(isinstance(row, Gap) for row in rows)
            unowned = await raw_rows.set_last_seq(
                connection, node, seq + len(rows), gap=gap, unowned=folded.unowned_calls
            )
            await raw_rows.mark_open(connection, node, seq + 1, changes.opened)
            await raw_rows.mark_closed(connection, node, changes.closed)
            await self._tell(changes)
            await positions.save(connection, node, folded.positions)
            version = await directories.latest(connection)
        self._apart = False
        self._note(folded, unowned)
        committed()
        return version

    def _note(self, folded: _Folded, unowned_calls: int) -> None:
        progress, rows = self._progress, folded.rows
        self.alive = next((row.unique_ids for row in reversed(rows) if isinstance(row, ChannelsAlive)), self.alive)
        progress.rows += len(rows)
        progress.read_until = next((row.at for row in reversed(rows) if isinstance(row, CelRow)), progress.read_until)
        progress.open_calls, progress.unowned_calls = folded.open_calls, unowned_calls
        progress.last_commit_at = datetime.now(UTC)

    async def _keep(self, first_seq: int, rows: Sequence[Row]) -> None:
        connection, node = self._connection, self._node
        if not self._apart:
            await raw_rows.append(connection, node, first_seq, rows)
            return

        async def append(some: Sequence[tuple[int, Row]]) -> None:
            await raw_rows.append(connection, node, some[0][0], [row for _, row in some])

        for (seq, _), error in await write_apart(connection, list(enumerate(rows, first_seq)), append):
            self._refused("ingest.row_refused", error, seq=seq)

    async def _tell(self, changes: Changes) -> None:
        if not self._apart:
            await self._write(changes)
            return

        async def write(some: Sequence[Changes]) -> None:
            await self._write(together(some))

        for one, error in await write_apart(self._connection, by_call(changes), write):
            of_call = [record.id for record in one.records] or [event.call_id for event in one.events]
            self._refused("ingest.call_refused", error, calls=of_call)

    async def _write(self, changes: Changes) -> None:
        connection = self._connection
        await calls.write_records(connection, changes.records)
        await calls.write_merged(connection, changes.merged)
        await calls.append_events(connection, changes.events)
        recorded = [(r.account, r.id) for r in changes.records if r.account and r.origin is not None]
        joined = [(account, old) for account, old, _ in changes.merged]
        await placed.mark_recorded(connection, recorded + joined)

    def _refused(self, what: str, error: Exception, **of_what: object) -> None:
        """The error's text is not logged: it may hold names and numbers."""
        self._progress.refused += 1
        log.error(what, node=self._node, error=type(error).__name__, **of_what)


def _unknown(fold: Fold, rows: Sequence[Row]) -> set[str]:
    """The ids of calls that the gateway placed, of which the fold was not told yet."""
    linked_ids = {row.linked_id for row in rows if isinstance(row, CelRow)}
    return {given for linked_id in linked_ids if (given := given_id(linked_id)) and not fold.knows(given)}
