"""What goes on beside ingest on the node's leader: partitions, retention, how far the records are settled.

Nothing here is on the way of a call: what fails is logged and tried again.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from gateway.store import partitions, retention
from gateway.store.connection import DRIVER_ERRORS, Pool

DAYS_AHEAD = 7
MONTHS_AHEAD = 2
EVERY_SECONDS = 600.0
RETRY_SECONDS = 30.0

log = structlog.get_logger()


class Upkeep:
    """`leads`: whether this process writes the node's records now; only then is anything done."""

    def __init__(self, pool: Pool, leads: Callable[[], bool], raw_kept: timedelta, events_kept: timedelta) -> None:
        self._pool = pool
        self._leads = leads
        self._raw_kept = raw_kept
        self._events_kept = events_kept

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = RETRY_SECONDS
            try:
                if self._leads():
                    await self.once(datetime.now(UTC))
                    pause = EVERY_SECONDS
                else:
                    pause = 1.0
            except (asyncpg.PostgresError, *DRIVER_ERRORS, OSError, TimeoutError) as error:
                log.warning("upkeep.interrupted", error=str(error) or type(error).__name__)
            except Exception as error:
                log.error("upkeep.failed", exc_info=error)
            await asyncio.sleep(pause)

    async def once(self, now: datetime) -> None:
        """Partitions ahead, then what is older than it need be."""
        await make_ahead(self._pool, now, self._raw_kept)
        await drop_old(self._pool, now - self._raw_kept)
        if gone := await retention.prune(self._pool, self._events_kept):
            log.info("retention.pruned", **gone)


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
