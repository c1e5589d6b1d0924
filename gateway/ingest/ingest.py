"""The loop of one node's only writer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import asyncpg
import structlog

from gateway.asterisk.source import Batch, Source
from gateway.asterisk.spool import SpoolSource
from gateway.calls.directory import DirectoryHistory
from gateway.calls.fold import Changes, Fold
from gateway.calls.identity import given_id
from gateway.calls.instant import to_text
from gateway.calls.rows import CelRow, ChannelsAlive, Gap, Instant, Row
from gateway.ingest.leadership import Leadership, Role
from gateway.ingest.own_spool import OwnSpool
from gateway.ingest.refusals import REFUSALS, by_call, together, write_apart
from gateway.numbering import to_e164
from gateway.store import calls, directories, placed, positions, raw_rows
from gateway.store.connection import DRIVER_ERRORS, Connection, Pool, told_to_end
from gateway.store.errors import Fenced

BATCH_ROWS = 2_000
WAIT_SECONDS = 0.5
GATHER_SECONDS = 0.025
"""From one reading of what comes now to the next: rows come in bursts, and a commit costs more than a row."""

RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
OVERDUE_CHECK_SECONDS = 2.0
ROWS_IN_ONE_GO = 500
OVER_ROWS = 20_000
"""A writer that starts looks so far back for calls that are over: a late row of one opens no new call."""

SHOW_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """What `/v1/status` tells of this writer. `read_until`: by the youngest row that was committed.

    `unread_bytes`: about how much of the source is still to be read; 0 once it has caught up. `refused`: rows and
    calls that Postgres did not take since this writer started; the log says which, and `gateway audit` shows them.
    """

    running: bool = False
    caught_up: bool = False
    read_until: Instant | None = None
    unread_bytes: int = 0
    rows: int = 0
    open_calls: int = 0
    unowned_calls: int = 0
    refused: int = 0
    last_commit_at: datetime | None = None
    last_error: str | None = None


class Ingest:
    """Reads `source`, writes calls of `node` while it is the node's leader; else it stands by.

    `hears`: whether what Asterisk does now reaches the source. While it does not, a call that was
    asked for and not seen may be under way all the same. `ask_channels`: has Asterisk asked which channels
    live, because rows were lost; until it has told, `hears` is false.
    """

    def __init__(
        self,
        pool: Pool,
        node: str,
        source: Source,
        hears: Callable[[], bool] = lambda: True,
        ask_channels: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._node = node
        self._source = source
        self._hears = hears
        self._ask_channels = ask_channels
        self._alive: frozenset[str] = frozenset()
        self._known: set[str] = set()
        self._leadership = Leadership(pool, node)
        self._spool = OwnSpool(source, node) if isinstance(source, SpoolSource) else None
        self._behind_since: float | None = None
        self._shown_at = 0.0
        self._apart = False
        self.progress = Progress()

    @property
    def role(self) -> Role | None:
        """Whether this writer leads; None until that is known."""
        return self._leadership.role

    @property
    def epoch(self) -> int:
        """How often the node's records have changed hands, as far as this writer has seen."""
        return self._leadership.epoch

    async def run(self) -> None:
        """Until cancelled. Any failure is retried for ever, from what was committed last.

        One that is no failure of the database or of a file is ours, and may come again with the same
        row: it must not take the API and the webhooks with it.
        """
        failures = 0
        while True:
            rows_before = self.progress.rows
            try:
                await self._leadership.lead(self._follow, self._spool.follow if self._spool else None)
            except Fenced as error:
                self._interrupted(error)
                log.warning("ingest.fenced", node=self._node, epoch=self.epoch)
            except (asyncpg.PostgresError, *DRIVER_ERRORS, OSError, TimeoutError) as error:
                self._interrupted(error)
                told = type(error).__name__ if self._apart else str(error)
                log.warning("ingest.interrupted", node=self._node, error=told)
            except Exception as error:
                self._interrupted(error)
                log.error("ingest.failed", node=self._node, exc_info=error)
            if told_to_end():
                break
            failures = 0 if self.progress.rows > rows_before else failures
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    def _interrupted(self, error: Exception) -> None:
        self.progress.running = self.progress.caught_up = False
        self.progress.last_error = type(error).__name__
        self._apart = isinstance(error, REFUSALS)

    async def _follow(self, connection: Connection) -> None:
        version = await directories.latest(connection)
        fold = await self._restore(connection)
        where = await positions.load(connection, self._node)
        others: Instant | None = None
        missed: list[Row] = []
        if self._spool is not None:
            taken_up = await self._spool.take_up(connection, where)
            where, others = dict(taken_up.positions), taken_up.missed_since
            missed = [] if others is None else [Gap(others)]
        self._alive = await raw_rows.last_alive(connection, self._node)
        self.progress.running, self.progress.last_error = True, None
        checked_at = 0.0
        loop = asyncio.get_running_loop()
        while not told_to_end():
            read_at, heard_so_far = loop.time(), self._hears()
            due = heard_so_far and loop.time() - checked_at > OVERDUE_CHECK_SECONDS
            asked_at = await placed.now(connection) if due else None
            batch = await self._source.read(where, BATCH_ROWS)
            if others is None and batch.positions:
                others = await self._rows_of_another_source(connection, batch)
            if others:
                batch = replace(batch, rows=[row for row in batch.rows if row.at > others])
                if not batch.rows and not batch.at_end:
                    where = dict(batch.positions)
                    continue
                others = 0
            if missed:
                batch, missed = replace(batch, rows=[*missed, *batch.rows], lost=True), []
            if batch.rows and (newest := await directories.latest(connection)) != version:
                version, fold = newest, await self._restore(connection)
            if batch.rows or dict(batch.positions) != dict(where):
                await self._commit(connection, fold, batch)
                where = dict(batch.positions)
            if batch.lost:
                self._ask_channels()
                asked_at = None
            self._show_progress(batch)
            if batch.at_end:
                if asked_at is not None:
                    await self._fail_overdue(connection, asked_at)
                    checked_at = loop.time()
                await self._source.wait(WAIT_SECONDS)
                await asyncio.sleep(read_at + GATHER_SECONDS - loop.time())

    def _show_progress(self, batch: Batch) -> None:
        """What piled up while nobody read is shown getting less."""
        progress, at = self.progress, asyncio.get_running_loop().time()
        if batch.at_end:
            if self._behind_since is not None and at - self._behind_since > SHOW_SECONDS:
                log.info(
                    "ingest.caught_up", node=self._node, rows=progress.rows, seconds=round(at - self._behind_since)
                )
            progress.caught_up, progress.unread_bytes, self._behind_since = True, 0, None
            return
        progress.caught_up = False
        if self._behind_since is None:
            self._behind_since = self._shown_at = at
            progress.unread_bytes = self._source.unread(batch.positions)
        elif at - self._shown_at > SHOW_SECONDS:
            self._shown_at = at
            progress.unread_bytes = self._source.unread(batch.positions)
            until = None if progress.read_until is None else to_text(progress.read_until)
            log.info(
                "ingest.behind", node=self._node, rows=progress.rows, read_until=until, bytes=progress.unread_bytes
            )

    async def _rows_of_another_source(self, connection: Connection, batch: Batch) -> Instant:
        """Until when the rows were read from another source, if it was one until now; else 0.

        A journal that is set later holds the rows that AMI told before: they are not counted again.
        Nothing is committed before the first row that is new, so that a restart passes over them too.
        """
        newest = await positions.newest_stream(connection, self._node)
        if newest is None or newest in batch.positions:
            return 0
        return await raw_rows.youngest(connection, self._node) or 0

    async def _restore(self, connection: Connection) -> Fold:
        """The fold as it was after the last commit: the rows of open calls, folded again, told to nobody."""
        history = DirectoryHistory(await directories.history(connection, self._node))
        fold = Fold(self._node, history.at, to_e164)
        self._known.clear()
        fold.know_over(await raw_rows.lately_over(connection, self._node, OVER_ROWS))
        rows = await raw_rows.rows_of_open_calls(connection, self._node)
        await self._know_originations(connection, fold, rows)
        for number, row in enumerate(rows, 1):
            fold.take(row)
            if not number % ROWS_IN_ONE_GO:
                await asyncio.sleep(0)  # The lease is renewed meanwhile.
        fold.drain()
        return fold

    async def _know_originations(self, connection: Connection, fold: Fold, rows: Sequence[Row]) -> None:
        """Each is told to the fold once, for as long as its call is open. Its first row may have been missed."""
        linked_ids = {row.linked_id for row in rows if isinstance(row, CelRow)}
        ids = {given for linked_id in linked_ids if (given := given_id(linked_id))} - self._known
        for origination in await placed.by_id(connection, self._node, ids):
            fold.know(origination)
            if not origination.over:
                self._known.add(origination.id)

    async def _commit(self, connection: Connection, fold: Fold, batch: Batch) -> None:
        async with connection.transaction():
            await self._leadership.check(connection)
            await self._know_originations(connection, fold, batch.rows)
            rows = [row for row in batch.rows if fold.take(row)]
            changes = fold.drain()
            for call_id, error in changes.failures:
                log.error("ingest.call_not_understood", node=self._node, call=call_id, error=error)
            seq = await raw_rows.last_seq(connection, self._node)
            await self._keep(connection, seq + 1, rows)
            await raw_rows.set_last_seq(
                connection, self._node, seq + len(rows), gap=any(isinstance(row, Gap) for row in rows)
            )
            await raw_rows.mark_open(connection, self._node, seq + 1, changes.opened)
            await raw_rows.mark_closed(connection, self._node, changes.closed)
            await self._tell(connection, changes)
            await positions.save(connection, self._node, batch.positions)
        self._source.release(batch.positions)
        self._known.difference_update(changes.closed)
        for row in batch.rows:
            if isinstance(row, ChannelsAlive):
                self._alive = row.unique_ids
        self._apart = False
        self.progress.rows += len(rows)
        last = next((row.at for row in reversed(batch.rows) if isinstance(row, CelRow)), None)
        self.progress.read_until = last if last is not None else self.progress.read_until
        self.progress.open_calls = fold.open_calls
        self.progress.unowned_calls = fold.unowned
        self.progress.last_commit_at = datetime.now(UTC)

    async def _keep(self, connection: Connection, first_seq: int, rows: Sequence[Row]) -> None:
        if not self._apart:
            await raw_rows.append(connection, self._node, first_seq, rows)
            return

        async def append(some: Sequence[tuple[int, Row]]) -> None:
            await raw_rows.append(connection, self._node, some[0][0], [row for _, row in some])

        for (seq, _), error in await write_apart(connection, list(enumerate(rows, first_seq)), append):
            self._refused("ingest.row_refused", error, seq=seq)

    async def _tell(self, connection: Connection, changes: Changes) -> None:
        if not self._apart:
            await self._write(connection, changes)
            return

        async def write(some: Sequence[Changes]) -> None:
            await self._write(connection, together(some))

        for one, error in await write_apart(connection, by_call(changes), write):
            of_call = [record.id for record in one.records] or [event.call_id for event in one.events]
            self._refused("ingest.call_refused", error, calls=of_call)

    def _refused(self, what: str, error: Exception, **of_what: object) -> None:
        """The error's text is not logged: it may hold names and numbers."""
        self.progress.refused += 1
        log.error(what, node=self._node, error=type(error).__name__, **of_what)

    async def _write(self, connection: Connection, changes: Changes) -> None:
        await calls.write_records(connection, changes.records)
        await calls.write_merged(connection, changes.merged)
        await calls.append_events(connection, changes.events)
        recorded = [(r.account, r.id) for r in changes.records if r.account and r.origin is not None]
        joined = [(account, old) for account, old, _ in changes.merged]
        await placed.mark_recorded(connection, recorded + joined)

    async def _fail_overdue(self, connection: Connection, read_at: datetime) -> None:
        """Record as failed what Asterisk refused, and what it was never seen to begin after its deadline.

        `read_at`: before the source was read to its end. What became overdue since, while we were paused
        perhaps, may be in rows that came since.
        """
        async with connection.transaction():
            await self._leadership.check(connection)
            failed = await placed.overdue(connection, self._node, read_at, self._alive)
            if not failed:
                return
            await calls.write_records(connection, [one.record for one in failed])
            await calls.append_events(connection, [event for one in failed for event in one.events])
            await placed.mark_recorded(connection, [(one.record.account or "", one.record.id) for one in failed])
