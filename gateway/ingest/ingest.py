"""The loop of one node's only writer."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import asyncpg
import structlog

from gateway.asterisk.source import Batch, Position, Source
from gateway.asterisk.spool import SpoolSource
from gateway.calls.instant import to_text
from gateway.calls.rows import CelRow, Gap, Row
from gateway.ingest.leadership import Leadership, Role
from gateway.ingest.own_spool import OwnSpool
from gateway.ingest.progress import Progress
from gateway.ingest.refusals import REFUSALS
from gateway.ingest.told_before import told_before
from gateway.ingest.writer import Writer
from gateway.store import calls, placed, positions
from gateway.store.connection import DRIVER_ERRORS, Connection, Pool, told_to_end
from gateway.store.errors import Fenced

BATCH_ROWS = 2_000
WAIT_SECONDS = 0.5
GATHER_SECONDS = 0.025
"""From one reading of what comes now to the next: rows come in bursts, and a commit costs more than a row."""

RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
OVERDUE_CHECK_SECONDS = 2.0
SHOW_SECONDS = 2.0

log = structlog.get_logger()


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
        self._leadership = Leadership(pool, node)
        self._spool = OwnSpool(source, node) if isinstance(source, SpoolSource) else None
        self._behind_since: float | None = None
        self._shown_at = 0.0
        self._apart = False
        self._until: Mapping[str, Position] = {}
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
        writer = self._new_writer(connection)
        try:
            await writer.start()
            await self._write_what_comes(connection, writer)
        finally:
            await writer.close()

    def _new_writer(self, connection: Connection) -> Writer:
        return Writer(connection, self._node, self._leadership.check, self.progress, apart=self._apart)

    async def _write_what_comes(self, connection: Connection, writer: Writer) -> None:
        where = self._until = await positions.load(connection, self._node)
        missed: list[Row] = []
        stored, told = await told_before(connection, self._node, looks=True), None
        if stored is not None:
            self._source.begin_after(stored.last_at)
            if await self._another_was_read(connection):
                # Where this source was read to once lies before, in a file that may be gone.
                where, told = {}, stored
                self._until = where
        if self._spool is not None:
            taken_up = await self._spool.take_up(connection, where)
            where = dict(taken_up.positions)
            if taken_up.missed_since is not None:
                missed, told = [Gap(taken_up.missed_since)], await told_before(connection, self._node)
        self.progress.running, self.progress.last_error = True, None
        checked_at = 0.0
        loop = asyncio.get_running_loop()
        while not told_to_end():
            read_at, ahead = loop.time(), writer.is_committing
            due = self._hears() and not ahead and loop.time() - checked_at > OVERDUE_CHECK_SECONDS
            asked_at = await placed.now(connection) if due else None
            try:
                read = batch = await self._source.read(where, BATCH_ROWS, ahead=ahead)
            except OSError:
                await writer.settle()  # What could be read before is no worse for it.
                raise
            if batch.lost and told is None:
                # It goes on in the oldest file that may hold more than was read, at its beginning.
                await writer.settle()
                told = await told_before(connection, self._node, all_was_read=True)
            if told is not None and not (
                _has_channels(batch) or any(map(self._source.tells, (where, batch.positions)))
            ):
                # Whether it was told before cannot be seen, and once it is committed nobody would ask.
                batch = Batch([], where)
            elif told is not None:
                await writer.settle()
                batch = await told.without(batch)
                if told.begins_again:
                    # What came between is nowhere. What was lost on the way is not lost again.
                    lost_on_the_way = [row for row in [*missed, *batch.rows] if isinstance(row, Gap)]
                    where, missed = {}, [Gap(told.last_at), *lost_on_the_way]
                    continue
                if not batch.at_end and not _has_channels(batch):
                    # Nothing is committed before a channel's first new row: a restart passes over the others too.
                    missed = [*missed, *batch.rows]
                    where = dict(batch.positions)
                    await asyncio.sleep(0)
                    continue
                told = None if told.is_over else told
            if missed:
                lost = batch.lost or any(isinstance(row, Gap) for row in missed)
                batch, missed = replace(batch, rows=[*missed, *batch.rows], lost=lost), []
            if batch.rows or dict(batch.positions) != dict(where):
                await writer.write(batch, partial(self._committed, read))
                where = dict(batch.positions)
            if batch.at_end:
                await writer.settle()
            if batch.lost:
                self._ask_channels()
                asked_at = None
            self._show_progress(batch)
            if batch.at_end:
                if asked_at is not None:
                    await self._fail_overdue(connection, asked_at, writer.alive)
                    checked_at = loop.time()
                await self._source.wait(WAIT_SECONDS)
                await asyncio.sleep(read_at + GATHER_SECONDS - loop.time())

    def _committed(self, batch: Batch) -> None:
        self._source.release(batch)
        self._until = batch.positions

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
            progress.unread_bytes = self._source.unread(self._until)
        elif at - self._shown_at > SHOW_SECONDS:
            self._shown_at = at
            progress.unread_bytes = self._source.unread(self._until)
            until = None if progress.read_until is None else to_text(progress.read_until)
            log.info(
                "ingest.behind", node=self._node, rows=progress.rows, read_until=until, bytes=progress.unread_bytes
            )

    async def _another_was_read(self, connection: Connection) -> bool:
        """Whether it was from another source that rows came until now."""
        newest = await positions.newest_stream(connection, self._node)
        return newest is not None and newest not in self._source.streams

    async def _fail_overdue(self, connection: Connection, read_at: datetime, alive: frozenset[str]) -> None:
        """Record as failed what Asterisk refused, and what it was never seen to begin after its deadline.

        `read_at`: before the source was read to its end. What became overdue since, while we were paused
        perhaps, may be in rows that came since.
        """
        async with connection.transaction():
            await self._leadership.check(connection)
            failed = await placed.overdue(connection, self._node, read_at, alive)
            if not failed:
                return
            await calls.write_records(connection, [one.record for one in failed])
            await calls.append_events(connection, [event for one in failed for event in one.events])
            await placed.mark_recorded(connection, [(one.record.account or "", one.record.id) for one in failed])


def _has_channels(batch: Batch) -> bool:
    return any(isinstance(row, CelRow) for row in batch.rows)
