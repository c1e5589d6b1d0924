"""Raw rows by day and calls by month: made ahead, filled, and dropped while others read and write."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gateway.calls.directory import Directory
from gateway.calls.instant import to_datetime
from gateway.calls.rows import CelRow, ClockStep, Gap
from gateway.ingest.upkeep import drop_old, make_ahead
from gateway.store import partitions, restoring, retention
from gateway.store.connection import Pool
from tests.postgres.test_ingest import read_all
from tests.unit.calls.tables import START, rows
from tests.unit.calls.test_direct_calls import ANSWERED

NOW = to_datetime(START)
"""The day of the rows."""

DAY = timedelta(days=1)
KEPT = timedelta(days=30)
PARTITION_OF = "select tableoid::regclass::text as name, count(*) from {} group by 1 order by 1"


async def places(pool: Pool, table: str = "raw_rows") -> dict[str, int]:
    return {record["name"]: record["count"] for record in await pool.fetch(PARTITION_OF.format(table))}


async def partitions_of(pool: Pool, table: str) -> list[str]:
    query = "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::text::regclass order by 1"
    return [record["name"] for record in await pool.fetch(query, table)]


def another(feed: Sequence[CelRow], days: int) -> list[CelRow]:
    """The same call, of other channels, so many days later."""
    return [
        replace(
            row,
            at=row.at + days * 86_400_000_000,
            linked_id=f"{days}-{row.linked_id}",
            unique_id=f"{days}-{row.unique_id}",
            channel=f"{row.channel}-{days}",
            extra={name: f"{days}{value}" if name == "bridge_id" else value for name, value in row.extra.items()},
        )
        for row in feed
    ]


async def test_days_and_months_are_made_ahead_and_hold_what_comes(pool: Pool, acme: Directory) -> None:
    await make_ahead(pool, NOW, KEPT)
    await make_ahead(pool, NOW, KEPT)
    days = [name for name in await partitions_of(pool, "raw_rows") if name != "raw_rows_default"]
    assert days == [f"raw_rows_{NOW + n * DAY:%Y%m%d}" for n in range(-1, 8)]
    assert await partitions_of(pool, "calls") == ["calls_202611", "calls_202612", "calls_202701", "calls_default"]
    await read_all(pool, rows(ANSWERED))
    assert await places(pool) == {f"raw_rows_{NOW:%Y%m%d}": len(rows(ANSWERED))}
    assert await places(pool, "calls") == {"calls_202611": 1}


async def test_rows_that_came_before_their_partition_move_into_it(pool: Pool, acme: Directory) -> None:
    """A first start with a journal of days: its rows are in the default partition, today's among them."""
    feed = rows(ANSWERED)
    past = another(feed, -5)
    await read_all(pool, [*past, *feed])
    assert await places(pool) == {"raw_rows_default": 2 * len(feed)}
    await make_ahead(pool, NOW, KEPT)
    assert await places(pool) == {
        f"raw_rows_{NOW - 5 * DAY:%Y%m%d}": len(feed),
        f"raw_rows_{NOW:%Y%m%d}": len(feed),
    }
    assert (await places(pool, "calls"))["calls_202611"] > 0
    assert "calls_default" not in await places(pool, "calls")
    await make_ahead(pool, NOW + 20 * DAY, KEPT)
    days = [f"{day:%Y%m%d}" for day in await _days(pool)]
    assert days == [f"{NOW + n * DAY:%Y%m%d}" for n in (-5, *range(-1, 28))]


async def _days(pool: Pool) -> list[datetime]:
    async with pool.acquire() as connection:
        return await partitions.days(connection)


async def test_what_is_old_goes_by_the_day_and_what_an_open_call_needs_stays(pool: Pool, acme: Directory) -> None:
    open_call = rows(ANSWERED)[:7]
    ended = another(rows(ANSWERED), 1)
    await make_ahead(pool, NOW, KEPT)
    await read_all(pool, [*open_call, *ended])
    await drop_old(pool, NOW + 3 * DAY)
    assert await places(pool) == {f"raw_rows_{NOW:%Y%m%d}": len(open_call)}
    async with pool.acquire() as connection:
        assert [row async for some in restoring.rows_of_open_calls(connection, "pbx1") for row in some] == open_call
    await read_all(pool, [*open_call, *ended, *rows(ANSWERED)[7:]])
    await drop_old(pool, NOW + 3 * DAY)
    assert await places(pool) == {}


@pytest.mark.parametrize("note", [Gap, ClockStep])
async def test_what_an_open_call_is_incomplete_for_stays(
    pool: Pool, acme: Directory, note: type[Gap] | type[ClockStep]
) -> None:
    """Else it would be complete once it is folded again."""
    noted = note(START + 86_400_000_000)
    await make_ahead(pool, NOW, KEPT)
    await read_all(pool, [*rows(ANSWERED)[:7], noted])
    await drop_old(pool, NOW + 3 * DAY)
    async with pool.acquire() as connection:
        found = [row async for some in restoring.rows_of_open_calls(connection, "pbx1") for row in some]
    assert found[-1] == noted


async def test_old_rows_outside_of_any_day_go_as_well(pool: Pool, acme: Directory) -> None:
    await read_all(pool, rows(ANSWERED))
    await drop_old(pool, NOW + DAY)
    assert await places(pool) == {}


async def test_nobody_waits_for_a_day_to_be_dropped(pool: Pool, acme: Directory) -> None:
    """While a long reading goes on the day stays; another reader, and a writer, are through at once."""
    await make_ahead(pool, NOW, KEPT)
    await read_all(pool, rows(ANSWERED))
    async with pool.acquire() as reader:
        async with reader.transaction():
            await reader.fetchval("select count(*) from raw_rows")
            dropping = asyncio.create_task(drop_old(pool, NOW + 3 * DAY))
            waited = []
            while not dropping.done():
                began = time.monotonic()
                await pool.fetchval("select count(*) from raw_rows")
                waited.append(time.monotonic() - began)
                await asyncio.sleep(0.01)
            await dropping
        assert max(waited) < 0.5
        assert await places(pool) == {f"raw_rows_{NOW:%Y%m%d}": len(rows(ANSWERED))}
    await drop_old(pool, NOW + 3 * DAY)
    assert await places(pool) == {}


async def test_postgres_drops_no_partition_concurrently_beside_a_default_one(pool: Pool) -> None:
    """Why a lock is taken at all. Should this fail some day, it need not be."""
    await make_ahead(pool, NOW, KEPT)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="default partition"):
        await pool.execute(f"alter table raw_rows detach partition raw_rows_{NOW:%Y%m%d} concurrently")


async def test_events_are_kept_as_long_as_is_said_and_the_log_stays_dense(pool: Pool, acme: Directory) -> None:
    await read_all(pool, rows(ANSWERED))
    before = await pool.fetchval("select max(sequence) from events")
    assert await retention.prune(pool, timedelta(days=30)) == {}
    await pool.execute("update events set told_at = now() - interval '40 days' where sequence <= 3 or sequence = 5")
    assert await retention.prune(pool, timedelta(days=30)) == {"events": 3}
    left = [record["sequence"] for record in await pool.fetch("select sequence from events order by sequence")]
    assert left == list(range(4, before + 1))
    await pool.execute("update events set told_at = now() - interval '40 days'")
    await retention.prune(pool, timedelta(days=30))
    assert [record["sequence"] for record in await pool.fetch("select sequence from events")] == [before]


def test_months_end_where_the_next_begin() -> None:
    december = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    span, following = partitions.month_of(december), partitions.month_of(datetime(2027, 1, 1, tzinfo=UTC))
    assert (span.name, following.name) == ("calls_202612", "calls_202701")
    assert span.until == following.since
