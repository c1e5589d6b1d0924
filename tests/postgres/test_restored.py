"""The fold is made again of what is stored: after a restart, a take-over, and when a directory is applied."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from gateway.calls.directory import Directory
from gateway.calls.rows import Row
from gateway.ingest import Ingest
from gateway.store import directories, positions
from gateway.store.connection import Pool
from tests.directories import ACME
from tests.postgres.test_ingest import CHAIN, Rows, read_all
from tests.unit.calls.tables import fold, rows
from tests.unit.calls.test_direct_calls import ANSWERED


async def apply(pool: Pool, directory: Directory = ACME) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, directory)


async def told(pool: Pool) -> list[str]:
    return [row["type"] for row in await pool.fetch("select type from events order by sequence")]


async def read_on(ingest: Ingest, source: Rows, feed: Sequence[Row]) -> None:
    """The source has so much now, and it is read."""
    source.feed = feed
    async with asyncio.timeout(20):
        while ingest.progress.rows < len(feed):
            await asyncio.sleep(0.01)


LIFE = [event.type for event in fold(rows(ANSWERED))[1]]


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("before", [1, 4, 8, len(rows(ANSWERED)) - 1])
async def test_a_call_that_is_an_accounts_only_now_is_told_from_its_beginning(
    pool: Pool, before: int, restarts: bool
) -> None:
    """Its first directory is applied while the call is under way; with a restart or without."""
    feed = rows(ANSWERED)
    if restarts:
        await read_all(pool, feed[:before])
        await apply(pool)
        for end in range(before + 1, len(feed) + 1):
            await read_all(pool, feed[:end])
    else:
        source = Rows(feed[:before], 3)
        ingest = Ingest(pool, "pbx1", source)
        task = asyncio.create_task(ingest.run())
        try:
            await read_on(ingest, source, feed[:before])
            await apply(pool)
            await read_on(ingest, source, feed)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert await told(pool) == LIFE
    assert [row["state"] for row in await pool.fetch("select state from calls")] == ["ended"]


async def test_what_was_never_told_is_told_once_though_its_commit_failed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = rows(ANSWERED)
    await read_all(pool, feed[:8])
    await apply(pool)
    save, failures = positions.save, 2

    async def fails(*arguments: object) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise asyncpg.PostgresConnectionError("for a while")
        await save(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.store.positions.save", fails)
    monkeypatch.setattr("gateway.ingest.ingest.RETRY_SECONDS", (0.01,))
    await read_all(pool, feed)
    assert failures < 0
    assert await told(pool) == LIFE


@pytest.mark.parametrize("before", [1, 4, 6, 7])
async def test_calls_that_join_are_told_as_if_the_directory_had_always_been_there(pool: Pool, before: int) -> None:
    feed = rows(CHAIN)
    await read_all(pool, feed[:before])
    await apply(pool)
    for end in range(before + 1, len(feed) + 1):
        await read_all(pool, feed[:end])
    assert sorted(await told(pool)) == sorted(event.type for event in fold(feed)[1])
    assert await pool.fetchval("select count(*) from call_aliases") == 2
    assert await pool.fetchval("select count(*) from calls where state <> 'ended' and merged_into is null") == 1
