"""What goes on beside ingest on the node's leader: partitions, retention, the nightly audit, what is settled.

Nothing here is on the way of a call: what fails is logged and tried again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import asyncpg
import structlog

from gateway.asterisk.kept_files import KeptFiles
from gateway.asterisk.source import Source
from gateway.asterisk.spool import STREAM, SpoolSource
from gateway.calls.instant import from_datetime
from gateway.ingest.auditing import Audit
from gateway.ingest.ingest import Ingest
from gateway.store import audited, directories, partitions, positions, retention, settled
from gateway.store.connection import DRIVER_ERRORS, Pool, told_to_end

DAYS_AHEAD = 7
MONTHS_AHEAD = 2
LOOK_SECONDS = 1.0
TIDY_SECONDS = 600.0
AUDIT_SECONDS = 60.0
AGAIN_SECONDS = 60.0
LEADS_SECONDS = 2.0
AUDIT_AFTER_MIDNIGHT = timedelta(minutes=15)
AUDIT_PAUSE_SECONDS = 0.05
"""Between slices: calls go before."""

log = structlog.get_logger()


class Upkeep:
    """Of one node. Run it once in each process that runs an ingest.

    `source`: reads what `ingest` reads, and releases nothing. `hears`: as for `Ingest`. `unheard`: how long what
    Asterisk did may not have reached the source although `hears` said that it does.
    """

    def __init__(
        self,
        pool: Pool,
        node: str,
        source: Source,
        ingest: Ingest,
        *,
        hears: Callable[[], bool],
        unheard: timedelta,
        raw_kept: timedelta,
        events_kept: timedelta,
        files: KeptFiles | None = None,
    ) -> None:
        self._pool = pool
        self._node = node
        self._source = source
        self._ingest = ingest
        self._hears = hears
        self._unheard = unheard
        self._raw_kept = raw_kept
        self._events_kept = events_kept
        self._files = files or KeptFiles()
        self._seen: settled.LastRow | None = None
        self._seen_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self.look, LOOK_SECONDS))
            group.create_task(self._again_and_again(self.tidy, TIDY_SECONDS))
            group.create_task(self._again_and_again(self.audit, AUDIT_SECONDS))

    async def look(self) -> None:
        """Note for how long all that the source holds is committed, if it is."""
        began = monotonic()
        row = await settled.last_row(self._pool, self._node)
        if row is None:
            return
        if self._seen is None or self._seen.committed_at != row.committed_at:
            self._seen, self._seen_at = row, began
        nothing_for = self._seen.nothing_for + timedelta(seconds=began - self._seen_at) - self._unheard
        if nothing_for <= row.nothing_for:
            return
        if self._hears() and await self._is_read_to_its_end() and self._hears():
            await settled.note_nothing(self._pool, self._node, settled.LastRow(row.committed_at, nothing_for))

    async def tidy(self) -> None:
        """Partitions ahead, then what is older than it need be."""
        now = datetime.now(UTC)
        await make_ahead(self._pool, now, self._raw_kept)
        await drop_old(self._pool, now - self._raw_kept)
        if gone := await retention.prune(self._pool, self._events_kept):
            log.info("retention.pruned", **gone)

    async def audit(self) -> None:
        """Of yesterday, once all of it was read."""
        if self._ingest.progress.caught_up:
            now = datetime.now(UTC) - AUDIT_AFTER_MIDNIGHT
            await audit_day(self._pool, self._node, now, self._files, pause=AUDIT_PAUSE_SECONDS)

    async def _is_read_to_its_end(self) -> bool:
        async with self._pool.acquire() as connection:
            committed = await positions.load(connection, self._node)
        if self._source.streams[0] not in committed:
            return False
        if isinstance(self._source, SpoolSource) and not self._source.holds(committed[STREAM]):
            return False
        batch = await self._source.read(committed, 1)
        moved = any(committed.get(stream) != position for stream, position in batch.positions.items())
        return batch.at_end and not batch.rows and not moved

    async def _again_and_again(self, act: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            leads, failed = self._ingest.progress.running, False
            try:
                if leads:
                    await act()
            except (asyncpg.PostgresError, *DRIVER_ERRORS, OSError, TimeoutError) as error:
                log.warning("upkeep.interrupted", what=act.__name__, error=str(error) or type(error).__name__)
                failed = True
            except Exception as error:
                log.error("upkeep.failed", what=act.__name__, exc_info=error)
                failed = True
            if told_to_end():
                return
            await asyncio.sleep(min(pause, AGAIN_SECONDS if failed else pause if leads else LEADS_SECONDS))


async def audit_day(pool: Pool, node: str, now: datetime, files: KeptFiles, *, pause: float = 0) -> bool:
    """Whether the UTC day before this one was not audited yet, and is now. What differs is for `gateway audit`."""
    until = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    audited_until = await audited.audited_until(pool, node)
    if (audited_until is not None and audited_until >= until) or not await directories.accounts(pool):
        return False
    since = until - timedelta(days=1)
    async with pool.acquire() as connection:
        audit = Audit(connection, node, from_datetime(since), from_datetime(until), files, pause=pause)
        done = await audit.run()
    accounts = [(name, of.calls, of.events, of.differences) for name, of in done.accounts.items()]
    await audited.save(pool, node, since, until, done.as_json(), accounts)
    tell = log.info if done.agrees else log.error
    tell("audit.done", node=node, day=f"{since:%Y-%m-%d}", differences=dict(done.differences), **done.counts)
    return True


async def make_ahead(pool: Pool, now: datetime, raw_kept: timedelta) -> None:
    """Days and months to come, days that were left out while nobody ran, and days of rows that came unforeseen."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    async with pool.acquire() as connection:
        known = await partitions.days(connection)
        first = today - timedelta(days=1)
        if known:
            first = min(first, max(known[-1] + timedelta(days=1), today - raw_kept))
        wanted = [first + timedelta(days=n) for n in range((today - first).days + DAYS_AHEAD + 1)]
        wanted += await partitions.stray_days(connection, today - raw_kept, first)
        made = [day for day in wanted if await partitions.make(connection, partitions.day_of(day))]
        month = today.replace(day=1)
        for _ in range(MONTHS_AHEAD + 1):
            await partitions.make(connection, partitions.month_of(month))
            month = partitions.next_month(month)
    if made:
        log.info("partitions.made", first=f"{min(made):%Y-%m-%d}", last=f"{max(made):%Y-%m-%d}", days=len(made))


async def drop_old(pool: Pool, before: datetime) -> None:
    """Whole days before this moment, but for those of which an open call still has rows."""
    async with pool.acquire() as connection:
        for day in await partitions.days(connection):
            if day + timedelta(days=1) > before:
                break
            if await partitions.drop_day(connection, day):
                log.info("retention.dropped", day=f"{day:%Y-%m-%d}")
        await partitions.delete_strays(connection, before)
