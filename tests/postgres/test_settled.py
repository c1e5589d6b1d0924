"""`settled_until`: every call that ended before it is recorded, by Asterisk's clock, whatever ours says."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.asterisk.spool import SpoolSource, SpoolWriter
from gateway.calls.directory import Directory
from gateway.calls.instant import from_datetime
from gateway.calls.rows import Gap, Row
from gateway.ingest import Ingest
from gateway.ingest.upkeep import Upkeep
from gateway.store import listings, positions, settled
from gateway.store.connection import Pool
from tests.postgres.test_ingest import Rows, read_all
from tests.postgres.test_rebuild import Run, command
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED

__all__ = ["command"]

LAST = rows(ANSWERED)[-1].at


async def told(pool: Pool, account: str = "acme") -> datetime | None:
    return (await listings.freshness(pool, account)).settled_until


def about(moment: datetime | None, instant: int, seconds: float = 0) -> bool:
    return moment is not None and abs(from_datetime(moment) - instant - seconds * 1_000_000) < 2_000_000


def upkeep_of(pool: Pool, feed: list[Row], hears: Callable[[], bool] = lambda: True, unheard: float = 0) -> Upkeep:
    """One that looks at a source of these rows."""
    source = Rows(feed, 1_000)
    return Upkeep(
        pool,
        "pbx1",
        source,
        Ingest(pool, "pbx1", source),
        hears=hears,
        unheard=timedelta(seconds=unheard),
        raw_kept=timedelta(days=30),
        events_kept=timedelta(days=90),
    )


async def test_it_is_null_before_any_row_and_then_the_last_rows_time(pool: Pool, acme: Directory) -> None:
    assert await told(pool) is None
    await read_all(pool, rows(ANSWERED))
    assert about(await told(pool), LAST, -5)


async def test_it_goes_on_while_the_source_holds_no_more_though_the_clocks_differ(
    pool: Pool, acme: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk's clock may be months from ours, and ours be set: only how much time went by counts."""
    seconds, heard = 0.0, True
    monkeypatch.setattr("gateway.ingest.upkeep.monotonic", lambda: seconds)
    feed: list[Row] = list(rows(ANSWERED))
    await read_all(pool, feed)
    upkeep = upkeep_of(pool, feed, lambda: heard, unheard=20)
    for now, until in ((0.0, 0), (10.0, 0), (600.0, 580), (3600.0, 3580)):
        seconds = now
        await upkeep.look()
        assert about(await told(pool), LAST, until - 5)
    # Another process goes on from there; the time between is not counted.
    upkeep = upkeep_of(pool, feed, lambda: heard)
    for now, until in ((9000.0, 3580), (9100.0, 3680)):
        seconds = now
        await upkeep.look()
        assert about(await told(pool), LAST, until - 5)
    # What could not be heard may have happened; what is not read yet may be a call's end.
    seconds, heard = 9500.0, False
    await upkeep.look()
    heard = True
    upkeep._source = Rows([*feed, feed[-1]], 1_000)
    await upkeep.look()
    assert about(await told(pool), LAST, 3680 - 5)
    await read_all(pool, [*feed, replace(rows(ANSWERED)[-1], at=LAST + 60_000_000)])
    assert about(await told(pool), LAST, 55)


async def test_with_asterisks_clock_set_back_it_goes_back(pool: Pool, acme: Directory) -> None:
    feed: list[Row] = list(rows(ANSWERED))
    await read_all(pool, feed)
    back = [
        replace(row, at=row.at - 3_600_000_000, linked_id="x" + row.linked_id, unique_id="x" + row.unique_id)
        for row in rows(ANSWERED)
    ]
    await read_all(pool, [*feed, *back])
    assert about(await told(pool), LAST, -3605)


async def test_after_a_gap_it_is_null_until_somebody_accepts_it(pool: Pool, acme: Directory) -> None:
    feed: list[Row] = [*rows(ANSWERED), Gap(LAST + 1)]
    await read_all(pool, feed)
    assert await told(pool) is None
    [gap] = await settled.gaps(pool)
    async with pool.acquire() as connection:
        later = replace(gap, at=gap.at - timedelta(seconds=1))
        assert await settled.accept(connection, later) is None
        assert await settled.accept(connection, gap) == ["acme"]
    assert about(await told(pool), LAST, -5)
    assert await settled.gaps(pool) == []
    await read_all(pool, [*feed, Gap(LAST + 2)])
    assert await told(pool) is None


async def test_the_operator_lists_and_accepts_gaps(pool: Pool, acme: Directory, command: Run) -> None:
    await read_all(pool, [*rows(ANSWERED), Gap(LAST + 1)])
    [listed] = json.loads((await command("gaps", "list")).output.splitlines()[-1])
    assert listed["node"] == "pbx1"
    assert (await command("gaps", "accept", "--node", "pbx2")).status == 2
    assert await told(pool) is None
    assert json.loads((await command("gaps", "accept")).output) == [listed]
    assert about(await told(pool), LAST, -5)
    assert await pool.fetchval("select count(*) from audit_log where action = 'gap.accepted'") == 1
    assert json.loads((await command("gaps", "list")).output) == []


async def test_an_account_hears_of_its_own_nodes_only(pool: Pool, acme: Directory) -> None:
    await read_all(pool, rows(ANSWERED))
    await pool.execute("insert into nodes (node, gap_at) values ('pbx2', now())")
    assert about(await told(pool), LAST, -5)
    await pool.execute('update directory_versions set document = document || \'{"nodes": ["pbx1", "pbx3"]}\'')
    assert await told(pool) is None


@pytest.mark.parametrize("kind", ["journal", "spool"])
async def test_a_source_on_disk_is_at_its_end_only_if_all_of_it_is_committed(
    kind: str, pool: Pool, acme: Directory, tmp_path: Path
) -> None:
    feed = rows(ANSWERED)
    await pool.execute("insert into nodes (node, row_at, row_committed_at) values ('pbx1', now(), now())")
    source: JournalSource | SpoolSource
    if kind == "spool":
        writer = SpoolWriter(tmp_path)
        writer.append(feed[0])
        source = SpoolSource(tmp_path)
    else:
        journal = tmp_path / "Master.csv"
        line = ['"x"'] * 20
        line[0], line[1], line[9], line[14], line[15], line[19] = (
            '"ANSWER"',
            '"1795489263.1"',
            '"C"',
            '"1"',
            '"1"',
            '""',
        )
        journal.write_text(",".join(line) + "\n")
        source = JournalSource(journal)
    upkeep = upkeep_of(pool, [])
    upkeep._source = source
    assert not await upkeep._is_read_to_its_end()
    batch = await source.read({}, 10)
    assert len(batch.rows) == 1
    async with pool.acquire() as connection:
        await positions.save(connection, "pbx1", batch.positions)
    assert await upkeep._is_read_to_its_end()
    if kind == "spool":
        writer.append(feed[1])
    else:
        journal.write_text(journal.read_text() * 2)
    assert not await upkeep._is_read_to_its_end()
