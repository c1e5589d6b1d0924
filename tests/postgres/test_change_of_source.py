"""A node whose rows come from AMI, then from the journal, and back: each call once, and none left out between."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.asterisk.cel_csv import cel_row
from gateway.asterisk.journal import JournalSource
from gateway.asterisk.source import Batch, Position, Source
from gateway.asterisk.spool import SpoolSource, SpoolWriter
from gateway.calls.directory import Directory
from gateway.calls.rows import CelRow, Gap, QueueRow, Row
from gateway.ingest import Ingest
from gateway.store.connection import Pool
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.unit.asterisk.test_journal import BASE
from tests.unit.asterisk.test_rows import line

TOLD_LATE = 1_300
"""Microseconds."""

EVENTS = ("CHAN_START", "HANGUP", "CHAN_END", "LINKEDID_END")


class Pbx:
    """What Asterisk writes into its journal, and what of it AMI tells."""

    def __init__(self, directory: Path) -> None:
        self.journal = directory / "log" / "Master.csv"
        self.queue_log = directory / "log" / "queue_log"
        self.spool = directory / "spool"
        self.journal.parent.mkdir(parents=True)

    def carries(self, number: int, *, heard: bool = False) -> None:
        """A call from second `number` on."""
        self.writes([record(number + place, number, event) for place, event in enumerate(EVENTS)], heard=heard)

    def writes(self, records: Sequence[bytes], *, heard: bool = False) -> None:
        with self.journal.open("ab") as file:
            file.writelines(one + b"\n" for one in records)
        row = cel_row(records[-1])
        assert row is not None
        os.utime(self.journal, ns=(0, row.at * 1000))
        if heard:
            self.tells(records)

    def tells(self, records: Sequence[bytes]) -> None:
        """AMI's time is that of telling, a little after the journal's."""
        rows = [cel_row(one) for one in records]
        self.tells_rows([replace(row, at=row.at + TOLD_LATE) for row in rows if row is not None])
        assert None not in rows

    def tells_rows(self, rows: Sequence[Row]) -> None:
        writer = SpoolWriter(self.spool)
        for row in rows:
            assert writer.append(row)
        writer.close()

    def enters_queue(self, second: float, number: int, *, heard: bool = False) -> None:
        with self.queue_log.open("a") as file:
            file.write(f"{int(BASE + second)}|{BASE}.{number}|sales|NONE|ENTERQUEUE||+61|1\n")
        if heard:
            at = round((BASE + second) * 1_000_000)
            self.tells_rows([QueueRow("ENTERQUEUE", at, f"{BASE}.{number}", "sales", "", 1)])

    def rotates(self, number: int) -> None:
        self.journal.rename(self.journal.with_name(f"Master.csv.{number}"))


def record(second: float, number: int, event: str) -> bytes:
    return line(
        eventtype=event, eventtime=f"{BASE + second:.6f}", uniqueid=f"{BASE}.{number}", linkedid=f"{BASE}.{number}"
    )


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path)


@asynccontextmanager
async def reading(pool: Pool, source: Source, node: str = "pbx1") -> AsyncIterator[Ingest]:
    ingest = Ingest(pool, node, source)
    task = asyncio.create_task(ingest.run())
    try:
        yield ingest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_to_end(pool: Pool, source: Source, node: str = "pbx1") -> None:
    async with reading(pool, source, node) as ingest, asyncio.timeout(20):
        await until_caught_up(ingest)


async def until_caught_up(ingest: Ingest) -> None:
    while not ingest.progress.caught_up:
        await asyncio.sleep(0.01)


async def stored(pool: Pool) -> list[int]:
    """The numbers of the calls, one for each row, in order."""
    found = await pool.fetch("select unique_id from raw_rows where linked_id <> '' order by seq")
    return [int(one["unique_id"].rpartition(".")[2]) for one in found]


async def until_stored(pool: Pool, number: int) -> None:
    while (await stored(pool)).count(number) < len(EVENTS):
        await asyncio.sleep(0.01)


async def gaps(pool: Pool) -> int:
    return int(await pool.fetchval("select count(*) from nodes where gap_at is not null"))


async def test_what_was_rotated_before_the_journal_was_set_is_read(pool: Pool, acme: Directory, pbx: Pbx) -> None:
    """But not what AMI told, however often it was rotated."""
    pbx.carries(1)
    pbx.rotates(3)
    damaged = pbx.journal.with_name("Master.csv.4.gz")
    damaged.write_bytes(b"none")
    os.utime(damaged, (BASE, BASE))
    pbx.carries(100, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.carries(200)
    pbx.rotates(2)
    pbx.carries(300)
    pbx.rotates(1)
    pbx.carries(400)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (100, 200, 300, 400) for _ in EVENTS]
    assert not await gaps(pool)


async def test_there_and_back_over_rotations(pool: Pool, acme: Directory, pbx: Pbx) -> None:
    """Also where the file is gone to which the journal was read before."""
    pbx.carries(100, heard=True)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.carries(200, heard=True)
    pbx.rotates(9)
    pbx.carries(300, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.carries(400)
    pbx.rotates(8)
    pbx.journal.with_name("Master.csv.9").unlink()
    pbx.carries(500, heard=True)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.rotates(7)
    pbx.carries(600, heard=True)
    for _ in range(2):
        await read_to_end(pool, SpoolSource(pbx.spool))
    assert await stored(pool) == [number for number in range(100, 601, 100) for _ in EVENTS]
    assert not await gaps(pool)


async def test_a_node_of_which_nothing_was_ever_stored_begins_with_the_file_that_is_written(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    pbx.carries(100)
    pbx.rotates(1)
    pbx.carries(200)
    await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [200] * len(EVENTS)


@pytest.mark.parametrize("rotated", [True, False])
async def test_a_row_that_is_a_little_older_than_the_last_that_was_told_is_new_all_the_same(
    pool: Pool, acme: Directory, pbx: Pbx, rotated: bool
) -> None:
    first = [record(100, 1, "CHAN_START"), record(100.004, 2, "CHAN_START")]
    second = [record(100.003, 1, "HANGUP"), record(100.006, 2, "HANGUP")]
    pbx.writes(first, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.writes(second[:1])
    if rotated:
        pbx.rotates(1)
    pbx.writes(second[1:])
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [1, 2, 1, 2]
    third = [record(100.005, 1, "CHAN_END"), record(100.007, 2, "CHAN_END")]
    pbx.writes(third)
    pbx.tells([*first, *second, *third])
    for _ in range(2):
        await read_to_end(pool, SpoolSource(pbx.spool))
    assert await stored(pool) == [1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize("batch_rows", [1, 3, 2_000])
async def test_what_lies_beside_a_journal_that_is_gone_is_read_and_nothing_again(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """As after days in which nobody read. What was in it unread is a gap."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    pbx.carries(100)
    pbx.rotates(9)
    pbx.carries(103)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.carries(108)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.carries(200)
    pbx.journal.unlink()
    pbx.carries(300)
    pbx.rotates(2)
    pbx.carries(400)
    pbx.rotates(1)
    pbx.carries(500)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (103, 108, 300, 400, 500) for _ in EVENTS]
    assert await gaps(pool) == 1


async def test_a_gap_is_told_though_the_gateways_clock_is_behind_asterisks(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = SimpleNamespace(time_ns=lambda: (int(BASE) - 3_600) * 1_000_000_000)
    monkeypatch.setattr("gateway.asterisk.journal.time", behind)
    pbx.carries(100)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.journal.unlink()
    pbx.carries(200)
    await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (100, 200) for _ in EVENTS]
    assert await gaps(pool) == 1


@pytest.mark.parametrize("batch_rows", [1, 3, 2_000])
async def test_a_journal_that_is_cut_while_it_is_read_gives_nothing_again(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Though the one before it was written just now."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    pbx.carries(100)
    await read_to_end(pool, JournalSource(pbx.journal))
    async with reading(pool, JournalSource(pbx.journal)) as ingest, asyncio.timeout(20):
        pbx.carries(105)
        await until_stored(pool, 105)
        pbx.rotates(1)
        pbx.carries(110)
        await until_stored(pool, 110)
        os.truncate(pbx.journal, 0)
        pbx.carries(115)
        await until_stored(pool, 115)
        assert ingest.progress.last_error is None
    assert await stored(pool) == [number for number in (100, 105, 110, 115) for _ in EVENTS]
    assert await gaps(pool) == 1


@pytest.mark.parametrize("batch_rows", [1, 3, 2_000])
async def test_what_comes_after_asterisks_clock_was_set_back_is_new_from_another_source(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Though its times were told of before, by other rows; there and back."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    pbx.carries(1000, heard=True)
    pbx.carries(500, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.carries(600)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    pbx.carries(700, heard=True)
    for _ in range(2):
        await read_to_end(pool, SpoolSource(pbx.spool))
    assert await stored(pool) == [number for number in (1000, 500, 600, 700) for _ in EVENTS]


@pytest.mark.parametrize("rotated", [True, False])
async def test_a_clock_that_is_set_back_while_the_source_is_changed_hides_nothing(
    pool: Pool, acme: Directory, pbx: Pbx, rotated: bool
) -> None:
    pbx.carries(1000, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    if rotated:
        pbx.rotates(1)
    pbx.carries(500)
    async with reading(pool, JournalSource(pbx.journal)), asyncio.timeout(20):
        await until_stored(pool, 500)
    await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (1000, 500) for _ in EVENTS]
    assert not await gaps(pool)


async def test_a_journal_that_is_cut_after_asterisks_clock_was_set_back_hides_nothing(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    pbx.carries(1000)
    pbx.carries(500)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.journal.unlink()
    pbx.carries(600)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (1000, 500, 600) for _ in EVENTS]
    assert await gaps(pool) == 1


@pytest.mark.parametrize("cut", ["journal", "queue_log"])
async def test_a_file_that_is_cut_while_asterisks_clock_is_set_back_hides_nothing_of_the_time_since(
    pool: Pool, acme: Directory, pbx: Pbx, cut: str
) -> None:
    pbx.carries(100)
    pbx.enters_queue(1000, 1000)
    pbx.carries(1000)
    await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    (pbx.journal if cut == "journal" else pbx.queue_log).unlink()
    pbx.enters_queue(500, 500)
    pbx.carries(500)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    assert await stored(pool) == [number for number in (100, 1000, 500) for _ in EVENTS]
    assert await facts(pool) == [1000, 500]
    assert await gaps(pool) == 1


async def test_facts_of_queues_are_told_once_though_the_source_was_changed_within_their_second(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    """queue_log's times are whole seconds; AMI's are not."""
    pbx.writes([record(100, 1, "CHAN_START"), record(100.1, 2, "CHAN_START")], heard=True)
    pbx.enters_queue(100.2, 1, heard=True)
    pbx.writes([record(100.3, 1, "APP_START")], heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.writes([record(100.4, 2, "APP_START")])
    pbx.enters_queue(100.5, 2)
    pbx.writes([record(100.6, 2, "ANSWER")])
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    assert await facts(pool) == [1, 2]


async def test_a_gap_is_told_after_the_change_to_ami_though_the_gateways_clock_is_behind_asterisks(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    pbx.carries(100)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.tells_rows([Gap((BASE - 3_600) * 1_000_000)])
    pbx.carries(200, heard=True)
    for _ in range(2):
        await read_to_end(pool, SpoolSource(pbx.spool))
    assert await stored(pool) == [number for number in (100, 200) for _ in EVENTS]
    assert await gaps(pool) == 1


@pytest.mark.parametrize("recording", RECORDINGS[::24], ids=lambda one: one.name)
async def test_a_real_asterisks_call_is_stored_once_over_a_change_within_it(
    pool: Pool, acme: Directory, tmp_path: Path, recording: Recording
) -> None:
    """Both ways, whichever row was the last that was read."""
    told = {source: [row for row in await recording.rows(source) if isinstance(row, CelRow)] for source in SOURCES}
    whole = [(row.event, row.unique_id) for row in told["journal"]]
    assert whole == [(row.event, row.unique_id) for row in told["ami"]]
    records = [one + b"\n" for one in (recording.place / "journal.csv").read_bytes().splitlines()]
    for number, last in enumerate(sorted({len(whole) // 3, len(whole) * 2 // 3, len(whole) - 1})):
        for first, second in (SOURCES, SOURCES[::-1]):
            place = tmp_path / f"{number}-{first}"
            pbx = Pbx(place)
            node = place.name

            def source(kind: str, rows: int, pbx: Pbx = pbx) -> Source:
                if kind == "ami":
                    shutil.rmtree(pbx.spool, ignore_errors=True)
                    pbx.tells_rows(told["ami"][:rows])
                    return SpoolSource(pbx.spool)
                pbx.journal.write_bytes(b"".join(records[:rows]))
                return JournalSource(pbx.journal)

            await read_to_end(pool, source(first, last), node)
            before = await pool.fetchval("select count(*) from raw_rows where node = $1", node)
            assert before > 0
            await read_to_end(pool, source(second, len(records)), node)
            found = await pool.fetch(
                "select row ->> 1 as event, unique_id from raw_rows where node = $1 order by seq", node
            )
            assert [(one["event"], one["unique_id"]) for one in found] == whole


async def test_what_a_channel_does_again_within_the_second_is_new(pool: Pool, acme: Directory, pbx: Pbx) -> None:
    """Though the row that was stored last is not in the journal."""
    held = [record(100 + place / 10, 1, event) for place, event in enumerate(["HOLD", "UNHOLD"] * 3)]
    pbx.tells(held[:3])
    pbx.tells([record(100.25, 2, "CHAN_START")])
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.writes([*held, record(103, 3, "CHAN_START")])
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [1, 1, 1, 2, 1, 1, 1, 3]


async def facts(pool: Pool) -> list[int]:
    """The numbers of the callers of whose queues something is stored, in order."""
    found = await pool.fetch("select unique_id from raw_rows where linked_id = '' and unique_id <> '' order by seq")
    return [int(one["unique_id"].rpartition(".")[2]) for one in found]


@pytest.mark.parametrize("batch_rows", [1, 3, 6, 2_000])
async def test_facts_of_queues_are_not_passed_over_with_the_rows_that_were_told(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """queue_log is read ahead of the journal where the clock was set back."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    pbx.carries(1000, heard=True)
    pbx.carries(500, heard=True)
    pbx.carries(510, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.enters_queue(600, 600)
    pbx.carries(600)
    for _ in range(2):
        await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    assert await stored(pool) == [number for number in (1000, 500, 510, 600) for _ in EVENTS]
    assert await facts(pool) == [600]


@pytest.mark.parametrize("batch_rows", [1, 3, 2_000])
async def test_a_fact_of_a_queue_is_new_where_it_follows_a_new_row_of_a_channel(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Whatever its time, and though no row of a channel is read with it."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    pbx.carries(1000)
    await read_to_end(pool, JournalSource(pbx.journal))
    pbx.tells([record(1000 + place, 1000, event) for place, event in enumerate(EVENTS)])
    began, *rest = [record(500 + place, 500, event) for place, event in enumerate(EVENTS)]
    pbx.tells([began])
    pbx.enters_queue(500.5, 500, heard=True)
    pbx.tells(rest)
    for _ in range(2):
        await read_to_end(pool, SpoolSource(pbx.spool))
    assert await stored(pool) == [number for number in (1000, 500) for _ in EVENTS]
    assert await facts(pool) == [500]


async def until_one_commit(pool: Pool, source: Source) -> None:
    before = await pool.fetchval("select count(*) from raw_rows")
    async with reading(pool, source), asyncio.timeout(20):
        while await pool.fetchval("select count(*) from raw_rows") == before:
            await asyncio.sleep(0)


@pytest.mark.parametrize("batch_rows", [3, 100])
@pytest.mark.parametrize("set_back", [False, True])
async def test_a_restart_half_way_through_what_was_told_stores_nothing_twice(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch, batch_rows: int, set_back: bool
) -> None:
    """Though a queue's fact is new, and the row that was stored last is not in the journal."""
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", batch_rows)
    if set_back:
        pbx.carries(5000, heard=True)
    for number in range(500, 900, 4):
        pbx.carries(number, heard=True)
    pbx.tells([record(905, 904, "CHAN_START")])
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.enters_queue(1000, 1000)
    pbx.carries(1000)
    await until_one_commit(pool, JournalSource(pbx.journal, pbx.queue_log))
    await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    found = await stored(pool)
    assert max(found.count(number) for number in found) == len(EVENTS)
    assert (found.count(1000), await facts(pool)) == (len(EVENTS), [1000])


async def test_a_journal_that_is_cut_while_what_was_told_is_passed_over_is_a_gap(
    pool: Pool, acme: Directory, pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingest.ingest.BATCH_ROWS", 3)
    for number in range(500, 900, 4):
        pbx.carries(number, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.carries(1000)
    source = JournalSource(pbx.journal)
    read, reads = source.read, 0

    async def read_of_a_cut_one(where: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
        nonlocal reads
        reads += 1
        if reads == 3:
            pbx.journal.unlink()
            pbx.carries(1100)
        return await read(where, limit, ahead=ahead)

    monkeypatch.setattr(source, "read", read_of_a_cut_one)
    await read_to_end(pool, source)
    found = await stored(pool)
    assert (found.count(1000), found.count(1100), await gaps(pool)) == (0, len(EVENTS), 1)


async def test_where_it_was_not_kept_which_row_was_last_the_youngest_of_a_channel_is(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    """In a database of before, whose youngest row is a queue's."""
    pbx.carries(100, heard=True)
    pbx.enters_queue(110, 100, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    await pool.execute("update nodes set row_at = null")
    await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    assert await stored(pool) == [100] * len(EVENTS)


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("restarts", [True, False])
async def test_a_journal_that_comes_after_its_queue_log_is_taken_up_as_any_other(
    pool: Pool, acme: Directory, pbx: Pbx, restarts: bool, empty: bool
) -> None:
    """Its name was set wrongly, say, and is another's that is there or not."""
    pbx.carries(100, heard=True)
    pbx.enters_queue(101, 100, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    source = JournalSource(pbx.journal, pbx.queue_log)
    pbx.carries(200)
    hidden = pbx.journal.rename(pbx.journal.with_name("hidden"))
    if empty:
        pbx.journal.touch()
    if restarts:
        await read_to_end(pool, source)
        hidden.rename(pbx.journal)
        await read_to_end(pool, JournalSource(pbx.journal, pbx.queue_log))
    else:
        async with reading(pool, source) as ingest, asyncio.timeout(20):
            await until_caught_up(ingest)
            hidden.rename(pbx.journal)
            await until_stored(pool, 200)
    assert await stored(pool) == [number for number in (100, 200) for _ in EVENTS]
    assert (await facts(pool), await gaps(pool)) == ([100], 0)


@pytest.mark.parametrize("to_journal", [True, False])
async def test_where_the_other_source_begins_only_later_what_came_between_is_a_gap(
    pool: Pool, acme: Directory, pbx: Pbx, to_journal: bool
) -> None:
    began, *rest = [record(100 + place, 100, event) for place, event in enumerate(EVENTS)]
    spool, journal = SpoolSource(pbx.spool), JournalSource(pbx.journal)
    if to_journal:
        pbx.tells([began])
        pbx.writes(rest[-1:])
    else:
        pbx.writes([began])
        pbx.tells(rest[-1:])
    one, other = (spool, journal) if to_journal else (journal, spool)
    for source in (one, other, other):
        await read_to_end(pool, source)
    assert (await stored(pool), await gaps(pool)) == ([100, 100], 1)
    assert await pool.fetchval("select count(*) from raw_rows where row ->> 0 = 'gap'") == 1


@pytest.mark.parametrize("to_journal", [True, False])
async def test_what_was_told_is_not_told_again_though_none_of_it_is_kept(
    pool: Pool, acme: Directory, pbx: Pbx, to_journal: bool
) -> None:
    """Nobody called for longer than rows are kept; the standby in AMI mode has heard all."""
    pbx.carries(100, heard=True)
    await read_to_end(pool, SpoolSource(pbx.spool))
    await pool.execute("delete from raw_rows")
    if not to_journal:
        pbx.spool = shutil.copytree(pbx.spool, pbx.spool.with_name("standby"))
        for path in pbx.spool.iterdir():
            path.rename(path.with_name(f"spool-{int(path.stem.removeprefix('spool-')) + 1:020d}.jsonl"))
    pbx.carries(200, heard=True)
    source: Source = JournalSource(pbx.journal) if to_journal else SpoolSource(pbx.spool)
    for _ in range(2):
        await read_to_end(pool, source)
    assert (await stored(pool), await gaps(pool)) == ([200] * len(EVENTS), 1)


async def test_a_row_that_ami_told_late_is_found_where_a_channel_has_one_such(
    pool: Pool, acme: Directory, pbx: Pbx
) -> None:
    """Or by a clock of whole seconds."""
    pbx.carries(100)
    pbx.carries(200)
    pbx.tells(
        [record(number + place + 0.9, number, event) for number in (100, 200) for place, event in enumerate(EVENTS)]
    )
    await read_to_end(pool, SpoolSource(pbx.spool))
    pbx.carries(300)
    await read_to_end(pool, JournalSource(pbx.journal))
    assert await stored(pool) == [number for number in (100, 200, 300) for _ in EVENTS]
    assert not await gaps(pool)
