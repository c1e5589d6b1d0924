"""The fold is made again of what is stored: after a restart, a take-over, and when a directory is applied."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gateway.calls.directory import Directory
from gateway.calls.instant import to_datetime
from gateway.calls.rows import CelRow, ClockStep, QueueRow, Row
from gateway.ingest import Ingest
from gateway.store import directories, partitions, positions, raw_rows, restoring
from gateway.store.connection import Connection, Pool
from tests.directories import ACME
from tests.postgres.test_ingest import CHAIN, Rows, read_all
from tests.unit.calls.tables import START, fold, rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import LEFT, QUEUE


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


ENTERED = QueueRow("ENTERQUEUE", START, "1795489263.0", "support", position=1)
GAVE_UP = QueueRow("ABANDON", START + 4_000_000, "1795489263.0", "support", position=1)
QUEUED: list[Row] = [ENTERED, *rows(QUEUE + LEFT), GAVE_UP]


async def visits(pool: Pool) -> list[dict[str, Any]]:
    return [json.loads(row["document"]) for row in await pool.fetch("select document from visits")]


@pytest.mark.parametrize("applied", [True, False])
async def test_what_a_queue_told_before_its_channels_first_row_is_not_lost(pool: Pool, applied: bool) -> None:
    """Committed with another batch; with a restart after each row, or another directory in the middle of the call."""
    await apply(pool)
    if applied:
        await read_all(pool, QUEUED[:4], size=1)
        await apply(pool, replace(ACME, name="Acme"))
    else:
        for end in range(1, len(QUEUED)):
            await read_all(pool, QUEUED[:end])
    await read_all(pool, QUEUED)
    assert [visit["position_at_entry"] for visit in await visits(pool)] == [1]
    assert await pool.fetchval("select count(*) from open_linked_ids") == 0


async def test_what_a_queue_told_long_ago_of_a_channel_that_never_came_is_not_awaited(pool: Pool) -> None:
    never_came = replace(ENTERED, unique_id="1795489263.9")
    await read_all(pool, [never_came, *(replace(row, at=row.at + 3_600_000_000) for row in rows(ANSWERED))])
    async with pool.acquire() as connection:
        assert [some async for some in restoring.rows_of_open_calls(connection, "pbx1")] == []


async def test_a_call_is_over_after_a_restart_though_the_clock_was_set_back_since(pool: Pool, acme: Directory) -> None:
    """Its late row opens no other."""
    feed = rows(ANSWERED)
    earlier = [
        replace(row, at=row.at - 3_600_000_000, unique_id=f"{row.unique_id}9", linked_id=f"{row.linked_id}9")
        for row in feed
    ]
    until: list[Row] = [*feed, ClockStep(earlier[0].at), *earlier]
    await read_all(pool, until)
    await read_all(pool, [*until, replace(feed[-1], event="APP_END")])
    assert [row["revision"] for row in await pool.fetch("select revision from calls")] == [1, 1]
    assert await pool.fetchval("select count(*) from open_linked_ids") == 0


async def test_what_is_restored_may_take_longer_than_other_statements(pool: Pool, database_url: str) -> None:
    await read_all(pool, rows(ANSWERED)[:7])
    impatient = await asyncpg.connect(database_url, command_timeout=0.5)
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table raw_rows in access exclusive mode")
            restoring_all = asyncio.create_task(_restored_rows(impatient))
            await asyncio.sleep(1)
        assert await restoring_all == 7
    finally:
        await impatient.close()


async def _restored_rows(connection: Connection) -> int:
    await restoring.lately_over(connection, "pbx1", 1000)
    return sum([len(some) async for some in restoring.rows_of_open_calls(connection, "pbx1")])


DAYS, ROWS_A_DAY, OPEN = 3, 40_000, 20


@pytest.fixture
async def long_open(pool: Pool) -> Pool:
    """Days of rows, a fifth of them a queue's; `OPEN` calls of the first day are open."""
    for day in range(DAYS):
        since = to_datetime(START) + timedelta(days=day)
        async with pool.acquire() as connection:
            await partitions.make(connection, partitions.day_of(since))
            begins = partitions.day_of(since).since
            await connection.execute(
                f"""
                insert into raw_rows (node, seq, at, linked_id, unique_id, row)
                select 'pbx1', n, timestamptz {begins} + (n - {day * ROWS_A_DAY}) * interval '1 day' / {ROWS_A_DAY + 1},
                       case n % 5 when 0 then '' else 'l' || n / 20 end, 'u' || n / 10,
                       case n % 5
                           when 0 then json_build_array('queue', 'ENTERQUEUE', 1, 'u' || n / 10, 'support', '', 1, 1)
                           else json_build_array('cel', 'ANSWER', 1, 'PJSIP/1-' || n / 10, 'u' || n / 10, 'l' || n / 20,
                                                 '', '', '', '', '', '', '', '', '', '', null)
                       end
                from generate_series({day * ROWS_A_DAY + 1}, {(day + 1) * ROWS_A_DAY}) as n
                """
            )
    await pool.execute("insert into nodes (node, last_seq, row_at) select 'pbx1', max(seq), max(at) from raw_rows")
    await pool.execute(
        "insert into open_linked_ids select 'pbx1', 'l' || n, n * 20 from generate_series(100, 99 + $1::integer) as n",
        OPEN,
    )
    await pool.execute("analyze")
    return pool


async def test_of_calls_that_are_open_for_days_their_own_rows_are_read_and_no_others(long_open: Pool) -> None:
    async with long_open.acquire() as connection:
        since = await connection.fetchrow(restoring.SINCE, "pbx1")
        assert since is not None
        values = (since["first_seq"], since["last_seq"] - restoring.PENDING_ROWS, since["row_at"])
        statements = [(restoring.ROWS, values), (restoring.LATELY_OVER, (since["row_at"], 1_000))]
        for statement, others in statements:
            plan = await connection.fetchval(f"explain (analyze, timing off, format json) {statement}", "pbx1", *others)
            scans = list(_scans_of_rows(json.loads(plan)[0]["Plan"]))
            assert not [scan for scan in scans if scan["Node Type"] == "Seq Scan"]
            read = [scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) for scan in scans]
            assert OPEN * 20 <= sum(read) < 2_000
        found = [row async for some in restoring.rows_of_open_calls(connection, "pbx1") for row in some]
    of_calls = [row for row in found if isinstance(row, CelRow)]
    of_queues = [row for row in found if isinstance(row, QueueRow)]
    assert len(of_calls) == OPEN * 16
    assert {row.linked_id for row in of_calls} == {f"l{n}" for n in range(100, 100 + OPEN)}
    assert len([row for row in of_queues if row.unique_id in {one.unique_id for one in of_calls}]) == OPEN * 4


async def test_the_row_that_was_stored_last_is_found_among_many_without_reading_them(pool: Pool) -> None:
    """A standby looks for it each second."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into raw_rows (node, seq, at, linked_id, unique_id, row)
            select 'pbx1', n, $1::timestamptz + n * interval '50 ms', 'l', 'u', json_build_array('cel', n)
            from generate_series(1, 200000) as n
            """,
            to_datetime(START),
        )
        await connection.execute("insert into nodes (node, row_at) select 'pbx1', max(at) from raw_rows")
        await connection.execute("analyze raw_rows")
        at = await raw_rows.last_at(connection, "pbx1")
        assert at is not None
        assert json.loads(await raw_rows.last_text(connection, "pbx1", at) or "") == ["cel", 200_000]
        explained = f"explain (analyze, timing off, format json) {raw_rows.LAST_TEXT}"
        for _ in range(8):
            plan = json.loads(await connection.fetchval(explained, "pbx1", to_datetime(at)))
            assert [scan["Node Type"] for scan in _scans_of_rows(plan[0]["Plan"])] != []
            assert not [scan for scan in _scans_of_rows(plan[0]["Plan"]) if scan["Node Type"] == "Seq Scan"]


def _scans_of_rows(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of partitions in which there was any to read."""
    read = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0)
    if plan.get("Relation Name", "").startswith("raw_rows_") and read:
        yield plan
    for below in plan.get("Plans", []):
        yield from _scans_of_rows(below)
