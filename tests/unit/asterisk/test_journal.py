"""The journal source: Asterisk's files through growth, rotation, truncation and crashes."""

import asyncio
import builtins
import bz2
import errno
import gzip
import lzma
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.asterisk.source import Position
from gateway.asterisk.tail import Chunk, Tail
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, QueueRow, Row, Watermark
from tests.unit.asterisk.test_rows import line

BASE = 1795489263


def cel(number: int, **columns: str) -> bytes:
    """A record at second `number`."""
    return line(eventtime=f"{BASE + number}.178669", uniqueid=f"{BASE}.{number}", **columns) + b"\n"


def queue(number: int, event: str = "ENTERQUEUE||+61|1") -> bytes:
    return f"{BASE + number}|{BASE}.{number}|support|NONE|{event}\n".encode()


class Journal:
    """Both files, as Asterisk and logrotate treat them, and a reader that commits."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cel = directory / "Master.csv"
        self.queue = directory / "queue_log"
        self.source = self.new_source()
        self.positions: dict[str, Position] = {}
        self.skipped = 0

    def new_source(self) -> JournalSource:
        return JournalSource(self.cel, self.queue, poll_seconds=0.01)

    def write(self, *records: bytes, path: Path | None = None) -> None:
        with (path or self.cel).open("ab") as file:
            file.write(b"".join(records))

    def rotate(self, suffix: str = ".1") -> Path:
        rotated = self.cel.with_name(self.cel.name + suffix)
        self.cel.rename(rotated)
        return rotated

    async def read(self, limit: int = 1000) -> list[Row]:
        return [row async for row in self.rows(limit)]

    async def rows(self, limit: int = 1000) -> AsyncIterator[Row]:
        while True:
            batch = await self.source.read(self.positions, limit)
            self.skipped += batch.skipped
            self.positions.update(batch.positions)
            for row in batch.rows:
                yield row
            if batch.at_end:
                return

    async def numbers(self, limit: int = 1000, found: list[int] | None = None) -> list[int]:
        """Of the CEL rows read: the last number of the unique id; also in `found`, should reading fail."""
        found = [] if found is None else found
        async for row in self.rows(limit):
            if isinstance(row, CelRow):
                found.append(int(row.unique_id.rpartition(".")[2]))
        return found


def pack(path: Path, how: Callable[[bytes], bytes], suffix: str) -> None:
    """As log rotation does it, but for the time of the file, which is now."""
    path.with_name(path.name + suffix).write_bytes(how(path.read_bytes()))
    path.unlink()


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Opening it fails as for want of rights, which root never is."""
    opened = builtins.open

    def refused(file: Any, *how: Any) -> Any:
        if Path(file) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *how)

    monkeypatch.setattr("builtins.open", refused)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


async def test_files_that_are_not_there_yet(journal: Journal) -> None:
    assert await journal.read() == []
    journal.write(cel(1))
    assert await journal.numbers() == [1]


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_every_record_once_whatever_the_batch(journal: Journal, limit: int) -> None:
    for start in range(0, 30, 10):
        journal.write(*(cel(number) for number in range(start, start + 10)))
        assert await journal.numbers(limit) == list(range(start, start + 10))


async def test_a_restart_goes_on_where_the_last_commit_was(journal: Journal) -> None:
    journal.write(cel(1), cel(2))
    await journal.read()
    journal.write(cel(3))
    journal.source = journal.new_source()
    assert await journal.numbers() == [3]


async def test_a_half_written_record_waits(journal: Journal) -> None:
    whole = cel(2)
    journal.write(cel(1), whole[:50])
    assert await journal.numbers() == [1]
    journal.write(whole[50:])
    assert await journal.numbers() == [2]
    assert journal.skipped == 0


async def test_a_record_with_a_line_feed_in_quotes_is_one_record(journal: Journal) -> None:
    journal.write(cel(1, name='two\nlines, "quoted"'), cel(2))
    rows = await journal.read()
    assert [row.caller_name for row in rows if isinstance(row, CelRow)] == ['two\nlines, "quoted"', "Bob Brown"]


async def test_a_torn_record_costs_only_itself(journal: Journal) -> None:
    torn = cel(1)[:45] + b"\n"
    assert torn.count(b'"') % 2
    journal.write(torn, cel(2), b"rubbish\n", cel(3))
    assert await journal.numbers() == [2, 3]
    assert journal.skipped == 2


async def test_zeros_left_by_a_power_cut_are_passed(journal: Journal) -> None:
    journal.write(cel(1), b"\0" * 100, cel(2))
    assert await journal.numbers() == [1, 2]


async def test_digits_are_not_given(journal: Journal) -> None:
    journal.write(cel(1, eventtype="DTMF", userdeftype="Received"), cel(2))
    assert await journal.numbers() == [2]


async def test_a_renamed_file_is_read_to_its_end_before_the_new_one(journal: Journal) -> None:
    journal.write(cel(1))
    assert await journal.numbers() == [1]
    journal.write(cel(2))
    rotated = journal.rotate()
    journal.write(cel(3), path=rotated)
    journal.write(cel(4))
    assert await journal.numbers(limit=1) == [2, 3, 4]
    journal.write(cel(5))
    assert journal.source.unread(journal.positions) == len(cel(5))
    assert await journal.numbers() == [5]
    assert journal.source.unread(journal.positions) == 0


@pytest.mark.parametrize("look", ["_find", "_following", "_siblings"])
@pytest.mark.parametrize("written", [1, 5])
@pytest.mark.parametrize("behind", [True, False])
async def test_files_that_are_renamed_between_two_looks_at_them_are_not_taken_for_others(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, look: str, behind: bool, written: int
) -> None:
    """Whatever was seen last before it; also where the new file is longer already than the old one was."""
    journal.write(cel(0))
    await journal.read()
    journal.write(cel(1))
    if behind:
        journal.rotate(".1")
    journal.write(cel(2))
    original = getattr(Tail, look)
    renames = iter([(".1", ".2")] * behind + [("", ".1")])

    def renamed(tail: Tail, *of: Any) -> Any:
        found = original(tail, *of)
        if names := next(renames, None):
            source, target = (journal.cel.with_name(f"Master.csv{name}") for name in names)
            source.rename(target)
            if source == journal.cel:
                journal.write(*(cel(number) for number in range(3, 3 + written)))
        return found

    monkeypatch.setattr(Tail, look, renamed)
    assert await journal.numbers() == list(range(1, 3 + written))
    assert journal.skipped == 0


async def test_an_old_file_may_still_grow_while_the_new_one_is_empty(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.read()
    rotated = journal.rotate()
    journal.cel.touch()
    assert await journal.numbers() == []
    journal.write(cel(2), path=rotated)
    assert await journal.numbers() == [2]
    journal.write(cel(3))
    assert await journal.numbers() == [3]


async def test_several_rotations_while_nobody_read(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.read()
    journal.write(cel(2))
    os.utime(journal.rotate(".2"), ns=(1, 10**18))
    journal.write(cel(3))
    os.utime(journal.rotate(".1"), ns=(1, 2 * 10**18 - 10**18 + 5))
    journal.write(cel(4))
    (journal.directory / "Master.csv.3.gz").write_bytes(gzip.compress(cel(9)))
    assert await journal.numbers() == [2, 3, 4]


async def test_a_file_that_was_packed_before_it_was_read_to_its_end_is_read_on(journal: Journal) -> None:
    """And those after it, packed or not; not those before, whenever they were packed."""
    journal.write(cel(1), cel(2))
    await journal.numbers()
    older = journal.directory / "Master.csv.5.gz"
    older.write_bytes(gzip.compress(cel(0)))
    journal.write(cel(3), cel(4)[:30])
    pack(journal.rotate(".4"), gzip.compress, ".gz")
    journal.write(cel(5), cel(6))
    pack(journal.rotate(".3"), bz2.compress, ".bz2")
    journal.write(cel(7))
    pack(journal.rotate(".2"), lzma.compress, ".xz")
    journal.write(cel(8))
    journal.rotate(".1")
    journal.write(cel(9))
    os.utime(older)
    on_disk = sum(path.stat().st_size for path in journal.directory.iterdir() if path != older)
    assert journal.source.unread(journal.positions) == on_disk
    assert await journal.numbers(limit=1) == [3, 5, 6, 7, 8, 9]
    assert journal.skipped == 1


@pytest.mark.parametrize("bytes_at_once", [400, 1 << 20])
async def test_a_long_packed_file_is_read_on_piece_by_piece(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    monkeypatch.setattr("gateway.asterisk.tail.READ_BYTES", bytes_at_once)
    journal.write(cel(1))
    await journal.numbers()
    journal.write(*(cel(number) for number in range(2, 40)))
    pack(journal.rotate(), gzip.compress, ".gz")
    journal.write(cel(40))
    assert await journal.numbers(limit=3) == list(range(2, 41))


async def test_while_a_file_is_being_packed_it_is_read_as_it_was(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.numbers()
    journal.write(cel(2))
    rotated = journal.rotate()
    journal.write(cel(3))
    half = gzip.compress(rotated.read_bytes())[:-20]
    rotated.with_name(f"{rotated.name}.gz").write_bytes(half)
    assert await journal.numbers() == [2, 3]


async def test_a_packed_file_that_is_cut_off_is_told_as_a_gap(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.numbers()
    journal.write(*(cel(number) for number in range(2, 300)))
    pack(journal.rotate(), lambda data: gzip.compress(data)[:-200], ".gz")
    journal.write(cel(300))
    batch = await journal.source.read(journal.positions, 1000)
    found = [int(row.unique_id.rpartition(".")[2]) for row in batch.rows if isinstance(row, CelRow)]
    assert found[:-1] == list(range(2, len(found) + 1))
    assert found[-1] == 300
    assert [type(row) for row in batch.rows[-2:]] == [Gap, CelRow]
    assert batch.lost


@pytest.mark.parametrize("limit", [1, 1000])
@pytest.mark.parametrize("name", ["Master.csv", "Master.csv.1", "Master.csv.2"])
async def test_a_file_whose_rights_are_wrong_is_told_and_waited_for(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    """What stands before it is given; of what stands after it nothing, until the rights are mended."""
    journal.write(cel(1), cel(2))
    journal.positions.update((await journal.source.read({}, 1)).positions)
    journal.rotate(".2")
    journal.write(cel(3))
    journal.rotate(".1")
    journal.write(cel(4))
    before = ["Master.csv.2", "Master.csv.1", "Master.csv"].index(name)
    with monkeypatch.context() as patch:
        refuse(patch, journal.directory / name)
        given: list[int] = []
        with pytest.raises(PermissionError):
            await journal.numbers(limit, given)
        assert given == [2, 3][:before]
    assert await journal.numbers(limit) == [2, 3, 4][before:]


async def test_a_queue_log_whose_rights_are_wrong_is_told_and_waited_for(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(queue(1), path=journal.queue)
    await journal.read()
    journal.queue.rename(journal.directory / "queue_log.1")
    journal.write(queue(2), path=journal.queue)
    with monkeypatch.context() as patch:
        refuse(patch, journal.queue)
        with pytest.raises(PermissionError):
            await journal.source.read(journal.positions, 1)
    assert len(await journal.read()) == 1


async def test_what_is_no_file_is_not_read_though_it_is_named_like_one(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.read()
    journal.write(cel(2))
    journal.rotate()
    (journal.directory / "Master.csv.old").mkdir()
    os.mkfifo(journal.directory / "Master.csv.pipe")
    assert await journal.numbers() == [2]
    journal.write(cel(3))
    assert await journal.numbers() == [3]


async def test_an_archive_that_may_not_be_opened_while_it_is_made_holds_up_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As gzip makes it: for its owner alone until it is whole."""
    journal.write(cel(1))
    await journal.read()
    journal.write(cel(2))
    archive = journal.directory / "Master.csv.1.gz"
    archive.write_bytes(gzip.compress(journal.rotate().read_bytes())[:30])
    journal.write(cel(3))
    refuse(monkeypatch, archive)
    assert await journal.numbers() == [2, 3]


@pytest.mark.parametrize("is_made_of_what_is_there", [True, False])
async def test_an_archive_of_which_nothing_can_be_unpacked_is_passed_and_told_as_a_gap(
    journal: Journal, is_made_of_what_is_there: bool
) -> None:
    """Unless it is still being made, and what it is made of was read."""
    journal.write(cel(1))
    await journal.read()
    rotated = journal.rotate()
    damaged = journal.directory / ("Master.csv.1.gz" if is_made_of_what_is_there else "Master.csv.0.gz")
    damaged.write_bytes(gzip.compress(cel(2))[:10])
    os.utime(damaged, (BASE + 2, BASE + 2))
    assert await journal.numbers() == []
    journal.write(cel(3), path=rotated)
    assert await journal.numbers() == [3]
    journal.write(cel(4))
    rows = await journal.read()
    assert [type(row) for row in rows] == ([CelRow] if is_made_of_what_is_there else [Gap, CelRow])


async def test_a_file_of_which_there_is_more_that_cannot_be_had_is_not_asked_for_ever(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.asterisk.tail.Tail.read", lambda *_: Chunk([], "", 0, at_end=False))
    with pytest.raises(OSError, match="cannot be read on"):
        await journal.source.read({}, 1)


async def test_a_rotated_file_that_ends_in_a_torn_record_is_left_behind(journal: Journal) -> None:
    journal.write(cel(1), cel(2)[:40])
    await journal.read()
    journal.rotate()
    journal.write(cel(3))
    assert await journal.numbers() == [3]
    assert journal.skipped == 1


async def test_a_file_deleted_unread_is_told_as_a_gap(journal: Journal) -> None:
    journal.write(cel(1), cel(2))
    await journal.read()
    journal.cel.unlink()
    assert await journal.read() == []
    journal.write(cel(3))
    batch = await journal.source.read(journal.positions, 10)
    assert batch.lost
    rows = await journal.read()
    assert [type(row) for row in rows] == [Gap, CelRow]
    assert await journal.read() == []


async def test_a_queue_log_deleted_unread_is_told_as_a_gap(journal: Journal) -> None:
    journal.write(cel(1))
    journal.write(queue(1), path=journal.queue)
    await journal.read()
    journal.queue.unlink()
    journal.write(queue(2), path=journal.queue)
    batch = await journal.source.read(journal.positions, 10)
    assert ([type(row) for row in batch.rows], batch.lost) == ([Gap, QueueRow], True)


async def test_a_truncated_file_is_told_as_a_gap(journal: Journal) -> None:
    journal.write(cel(1), cel(2))
    await journal.read()
    os.truncate(journal.cel, 0)
    journal.write(cel(3))
    rows = await journal.read()
    assert [type(row) for row in rows] == [Gap, CelRow]


async def test_another_file_with_the_same_inode_is_not_taken_for_the_old_one(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.read()
    inode = journal.cel.stat().st_ino
    # The same inode with a new beginning and more bytes than were read: what a reused inode looks like.
    journal.cel.write_bytes(cel(5) + cel(6) + cel(7))
    assert journal.cel.stat().st_ino == inode
    assert await journal.numbers() == [5, 6, 7]


async def test_copytruncate_goes_on_in_the_copy(journal: Journal) -> None:
    journal.write(cel(1))
    await journal.read()
    journal.write(cel(2))
    shutil.copy(journal.cel, journal.directory / "Master.csv.1")
    os.truncate(journal.cel, 0)
    journal.write(cel(3))
    assert await journal.numbers() == [2, 3]


async def test_queue_facts_come_before_the_cel_rows_read_with_them(journal: Journal) -> None:
    journal.write(cel(1), cel(2))
    journal.write(queue(1), queue(2, "ABANDON|1|1|4"), path=journal.queue)
    rows = await journal.read()
    assert [type(row) for row in rows] == [QueueRow, QueueRow, CelRow, CelRow]


async def test_queue_facts_keep_pace_with_a_backlog(journal: Journal) -> None:
    journal.write(*(cel(number) for number in range(10)))
    journal.write(*(queue(number) for number in range(10)), path=journal.queue)
    batch = await journal.source.read({}, 3)
    assert sorted(int(row.unique_id.rpartition(".")[2]) for row in batch.rows) == [0, 0, 1, 1, 2, 2]  # type: ignore[union-attr]
    rows = await journal.read(limit=3)
    assert len(rows) == 20
    assert await journal.read() == []


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_queue_facts_keep_pace_though_asterisks_clock_was_set_back(journal: Journal, limit: int) -> None:
    """Also those of the time before it of whose second no row is there."""
    journal.write(*(cel(number) for number in (999, 500, 501, 502)))
    journal.write(*(queue(number) for number in (1000, 500, 501, 502)), path=journal.queue)
    order = [
        (type(row).__name__, int(row.unique_id.rpartition(".")[2]))
        for row in await journal.read(limit)
        if isinstance(row, CelRow | QueueRow)
    ]
    for number in (500, 501, 502):
        assert order.index(("QueueRow", number)) < order.index(("CelRow", number))


async def test_history_of_queue_log_before_the_journal_began_is_passed_over(journal: Journal) -> None:
    journal.write(queue(-200_000), queue(1), path=journal.queue)
    journal.write(cel(1))
    assert [row.at for row in await journal.read() if isinstance(row, QueueRow)] == [(BASE + 1) * 1_000_000]


async def test_queue_log_alone_is_read(journal: Journal) -> None:
    journal.write(queue(1), queue(2), path=journal.queue)
    assert len(await journal.read(limit=1)) == 2


async def test_a_journal_in_which_nothing_stands_tells_nothing(journal: Journal) -> None:
    journal.write(queue(1), path=journal.queue)
    assert not journal.source.tells((await journal.source.read({}, 10)).positions)
    journal.write()
    assert not journal.source.tells((await journal.source.read({}, 10)).positions)
    journal.write(cel(1))
    assert journal.source.tells((await journal.source.read({}, 10)).positions)


async def test_the_living_channels_come_after_all_rows_and_until_they_are_committed(journal: Journal) -> None:
    alive = ChannelsAlive(5, 1, frozenset({"a"}))
    journal.write(cel(1))
    journal.source.note_alive(alive)
    for _ in range(2):  # The first time it was not committed.
        batch = await journal.source.read({}, 10)
        assert batch.rows[-1] == alive
    journal.source.release(batch)
    assert (await journal.source.read(batch.positions, 10)).rows == []


async def test_the_living_channels_alone_are_given_until_they_are_committed_too(journal: Journal) -> None:
    """Nothing moves on then in the files that would show whether they were."""
    journal.write(cel(1))
    where = (await journal.source.read({}, 10)).positions
    alive = ChannelsAlive(5, 1, frozenset())
    journal.source.note_alive(alive)
    batches = [await journal.source.read(where, 10) for _ in range(2)]
    assert [batch.rows for batch in batches] == [[alive], [alive]]
    journal.source.release(batches[-1])
    assert (await journal.source.read(where, 10)).rows == []


async def test_a_list_of_channels_that_came_meanwhile_is_given_after_the_one_committed(journal: Journal) -> None:
    first, second = ChannelsAlive(5, 1, frozenset()), ChannelsAlive(7, 6, frozenset())
    journal.source.note_alive(first)
    batch = await journal.source.read({}, 10)
    assert batch.rows == [first]
    journal.source.note_alive(second)
    journal.source.release(batch)
    assert (await journal.source.read({}, 10)).rows == [second]


async def test_a_watermark_is_given_at_the_end_alone_until_it_is_committed(journal: Journal) -> None:
    """The youngest says all; one that came meanwhile goes on to the next batch."""
    journal.write(cel(1), cel(2))
    journal.source.note_watermark(Watermark(4))
    journal.source.note_watermark(Watermark(5))
    assert [type(row) for row in (await journal.source.read({}, 1)).rows] == [CelRow]
    batch = await journal.source.read({}, 10)
    assert [type(row) for row in batch.rows] == [CelRow, CelRow, Watermark]
    assert batch.rows[-1] == Watermark(5)
    journal.source.note_watermark(Watermark(6))
    journal.source.release(batch)
    batch = await journal.source.read(batch.positions, 10)
    assert batch.rows == [Watermark(6)]
    journal.source.release(batch)
    assert (await journal.source.read(batch.positions, 10)).rows == []


async def test_a_clock_that_was_set_is_told_where_it_was_set_until_it_is_committed(journal: Journal) -> None:
    """However late it is read."""
    journal.write(cel(1), cel(2))
    journal.source.note_step(ClockStep(5))
    journal.write(cel(3))
    for _ in range(2):  # The first time it was not committed.
        batch = await journal.source.read({}, 10)
        assert [type(row) for row in batch.rows] == [CelRow, CelRow, ClockStep, CelRow]
    journal.source.note_step(ClockStep(6))
    journal.source.release(batch)
    batch = await journal.source.read(batch.positions, 10)
    assert batch.rows == [ClockStep(6)]
    journal.source.release(batch)
    assert (await journal.source.read(batch.positions, 10)).rows == []


async def test_a_clock_that_was_set_in_a_batch_that_is_being_committed_is_told_again_only_if_it_was_not(
    journal: Journal,
) -> None:
    journal.write(cel(1), cel(2))
    journal.source.note_step(ClockStep(5))
    journal.write(cel(3), cel(4))
    for _ in range(2):  # The first time neither was committed.
        first = await journal.source.read({}, 3)
        assert [type(row) for row in first.rows] == [CelRow, CelRow, ClockStep, CelRow]
        second = await journal.source.read(first.positions, 10, ahead=True)
        assert [type(row) for row in second.rows] == [CelRow]
    journal.source.release(first)
    assert [type(row) for row in (await journal.source.read(first.positions, 10)).rows] == [CelRow]


async def test_a_clock_that_was_set_before_any_journal_is_told_first(journal: Journal) -> None:
    journal.source.note_step(ClockStep(5))
    journal.write(cel(1))
    assert [type(row) for row in (await journal.source.read({}, 10)).rows] == [ClockStep, CelRow]


async def test_a_clock_that_was_set_at_the_end_of_a_rotated_file_is_told_between_the_two(journal: Journal) -> None:
    journal.write(cel(1), cel(2))
    where = (await journal.source.read({}, 1)).positions
    journal.source.note_step(ClockStep(5))
    journal.rotate()
    journal.write(cel(3))
    rows: list[Row] = []
    for _ in range(5):
        batch = await journal.source.read(where, 1)
        journal.source.release(batch)
        rows, where = rows + batch.rows, batch.positions
    assert [type(row) for row in rows] == [CelRow, ClockStep, CelRow]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("limit", [1, 1000])
async def test_a_clock_that_was_set_just_after_a_rotation_is_told_after_what_was_rotated(
    journal: Journal, limit: int, packed: bool
) -> None:
    journal.write(cel(0))
    journal.rotate(".2")
    journal.write(cel(1))
    await journal.read()
    journal.write(cel(2), cel(3))
    journal.rotate()
    if packed:
        pack(journal.directory / "Master.csv.1", gzip.compress, ".gz")
    journal.source.note_step(ClockStep(5))
    journal.write(cel(4))
    given: list[Row] = []
    while True:
        batch = await journal.source.read(journal.positions, limit)
        journal.source.release(batch)
        journal.positions.update(batch.positions)
        given += batch.rows
        if batch.at_end:
            break
    assert [type(row) for row in given] == [CelRow, CelRow, ClockStep, CelRow]


async def test_a_clock_that_was_set_while_only_rotated_files_are_there_is_told_all_the_same(journal: Journal) -> None:
    """To who begins with the next one, and to who has read them."""
    journal.write(cel(1))
    beginner = journal.new_source()
    await journal.read()
    journal.rotate()
    for source in (beginner, journal.source):
        source.note_step(ClockStep(5))
    assert [type(row) for row in await journal.read()] == [ClockStep]
    assert [type(row) for row in (await beginner.read({}, 10)).rows] == [ClockStep]


async def test_a_clock_that_was_set_is_told_once_though_nobody_was_told_that_it_is_committed(journal: Journal) -> None:
    """As where the database's answer is lost: what was committed shows by where reading goes on."""
    journal.write(cel(1), cel(2))
    journal.source.note_step(ClockStep(5))
    batch = await journal.source.read({}, 10)
    assert [type(row) for row in batch.rows] == [CelRow, CelRow, ClockStep]
    assert (await journal.source.read(batch.positions, 10)).rows == []


async def test_of_two_batches_with_a_clock_that_was_set_what_was_not_committed_is_told_again(journal: Journal) -> None:
    journal.write(cel(1))
    journal.source.note_step(ClockStep(5))
    journal.write(cel(2))
    journal.source.note_step(ClockStep(6))
    journal.write(cel(3))
    for _ in range(2):
        first = await journal.source.read({}, 2)
        assert [type(row) for row in first.rows] == [CelRow, ClockStep, CelRow]
        second = await journal.source.read(first.positions, 10, ahead=True)
        assert [type(row) for row in second.rows] == [ClockStep, CelRow]
    again = await journal.source.read(first.positions, 10)
    assert again.rows == second.rows
    assert (await journal.source.read(again.positions, 10)).rows == []


async def test_who_takes_over_behind_a_clock_that_was_set_does_not_tell_of_it_again(journal: Journal) -> None:
    standby = journal.new_source()
    journal.write(cel(1))
    standby.note_step(ClockStep(5))
    journal.write(cel(2))
    where = (await journal.source.read({}, 10)).positions
    journal.write(cel(3))
    assert [type(row) for row in (await standby.read(where, 10)).rows] == [CelRow]


async def test_waiting_ends_by_a_wake_or_by_growth(journal: Journal) -> None:
    await journal.read()
    journal.source.wake()
    await asyncio.wait_for(journal.source.wait(60), 10)
    journal.write(cel(1))
    await asyncio.wait_for(journal.source.wait(60), 10)
    await journal.read()
    journal.write(queue(1), path=journal.queue)
    await asyncio.wait_for(journal.source.wait(60), 10)
    await journal.read()
    await journal.source.wait(0.01)


class Clock:
    """This machine's."""

    def __init__(self) -> None:
        self.now: Position | None = Position("first boot", 10**15)

    def __call__(self) -> Position | None:
        return self.now

    def is_set(self, seconds: float) -> None:
        assert self.now is not None
        self.now = replace(self.now, byte_offset=self.now.byte_offset + round(seconds * 1_000_000))


@pytest.fixture
def clock(journal: Journal) -> Clock:
    """The journal's is read by it."""
    clock = Clock()
    journal.new_source = lambda: JournalSource(journal.cel, journal.queue, poll_seconds=0.01, clock=clock)  # type: ignore[method-assign]
    journal.source = journal.new_source()
    return clock


def steps(rows: Sequence[Row]) -> list[int | None]:
    """The number of each row's call, None for a step."""
    return [int(row.linked_id.rpartition(".")[2]) if isinstance(row, CelRow) else None for row in rows]


def of_call(number: int, second: int) -> bytes:
    return cel(second, linkedid=f"{BASE}.{number}")


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("seconds", [-3_600, 3])
async def test_a_clock_that_was_set_while_nobody_looked_is_told_in_each_call_since(
    journal: Journal, clock: Clock, seconds: int, limit: int
) -> None:
    """Once all were read, no more. What was not committed is told again."""
    journal.write(of_call(1, 1))
    await journal.read()
    clock.is_set(seconds)
    journal.write(of_call(1, 2), of_call(2, 3), of_call(2, 4), of_call(1, 5))
    journal.source = journal.new_source()
    given: list[list[int | None]] = []
    for _ in range(2):
        where, rows = dict(journal.positions), list[Row]()
        while True:
            batch = await journal.source.read(where, limit)
            where, rows = dict(batch.positions), rows + batch.rows
            if batch.at_end:
                break
        given.append(steps(rows))
    assert given[0] == given[1]
    assert [number for number in given[0] if number is not None] == [1, 2, 2, 1]
    assert given[0][:2] == [None, 1]
    after_first_of_2 = given[0].index(2) + 1
    assert given[0][after_first_of_2] is None
    journal.positions.update(where)
    journal.write(of_call(3, 6))
    assert steps(await journal.read()) == [3]


async def test_a_clock_that_is_set_while_all_is_read_is_told_once(journal: Journal, clock: Clock) -> None:
    journal.write(of_call(1, 1))
    await journal.read()
    clock.is_set(5)
    assert steps(await journal.read()) == [None]
    journal.write(of_call(1, 2))
    assert steps(await journal.read()) == [1]


async def test_a_clock_that_is_kept_in_time_was_not_set(journal: Journal, clock: Clock) -> None:
    """And the place where it was read is no new one: nothing would be committed but that."""
    journal.write(of_call(1, 1))
    await journal.read()
    before = dict(journal.positions)
    clock.is_set(0.9)
    assert await journal.read() == []
    assert journal.positions == before


@pytest.mark.parametrize("then", ["another boot", None])
async def test_what_a_clock_was_before_the_machine_was_started_is_not_compared(
    journal: Journal, clock: Clock, then: str | None
) -> None:
    journal.write(of_call(1, 1))
    await journal.read()
    clock.now = None if then is None else Position(then, 5)
    journal.write(of_call(1, 2))
    assert steps(await journal.read()) == [1]
    clock.now = Position(then or "first boot", 5 if then else 10**15)
    journal.write(of_call(1, 3))
    assert steps(await journal.read()) == [1]


async def test_where_ami_told_where_the_clock_was_set_no_other_call_says_so(journal: Journal, clock: Clock) -> None:
    """But a restart forgets what was noted, not that it was."""
    journal.write(of_call(1, 1))
    await journal.read()
    journal.write(of_call(1, 2))
    clock.is_set(60)
    journal.source.note_step(ClockStep(5))
    journal.write(of_call(2, 3), of_call(3, 4))
    first = await journal.source.read(journal.positions, 1)
    assert steps(first.rows) == [1]
    second = await journal.source.read(first.positions, 10)
    assert steps(second.rows) == [None, 2, 3]
    again = await journal.new_source().read(first.positions, 10)
    assert steps(again.rows) == [None, 2, None, 3, None]
    assert (await journal.source.read(second.positions, 10)).rows == []


async def test_a_clock_that_is_set_again_unseen_is_told_although_the_first_time_was_seen(
    journal: Journal, clock: Clock
) -> None:
    journal.write(of_call(1, 1))
    await journal.read()
    for _ in range(2):
        clock.is_set(60)
        journal.source.note_step(ClockStep(5))
        batch = await journal.source.read(journal.positions, 10)
        assert steps(batch.rows) == [None]
        journal.source.release(batch)
        journal.positions.update(batch.positions)
        assert await journal.read() == []
        clock.is_set(60)
        assert steps(await journal.read()) == [None]
        assert await journal.read() == []


async def test_a_step_that_is_undone_unseen_is_told_once(journal: Journal, clock: Clock) -> None:
    journal.write(of_call(1, 1))
    await journal.read()
    clock.is_set(60)
    journal.source.note_step(ClockStep(5))
    clock.is_set(-60)
    given = []
    for _ in range(3):
        batch = await journal.source.read(journal.positions, 10)
        journal.source.release(batch)
        journal.positions.update(batch.positions)
        given.append(bool(batch.rows))
    assert given == [True, False, False]


async def test_a_step_that_is_noted_explains_nothing_of_the_backlog_before(journal: Journal, clock: Clock) -> None:
    journal.write(of_call(1, 1))
    await journal.read()
    clock.is_set(-3_600)
    journal.write(*(of_call(number, number) for number in (2, 3, 4)))
    journal.source = journal.new_source()
    first = await journal.source.read(journal.positions, 1)
    assert steps(first.rows) == [None, 2, None]
    clock.is_set(60)
    journal.source.note_step(ClockStep(5))
    second = await journal.source.read(first.positions, 1)
    assert steps(second.rows) == [None, 3, None]


async def test_facts_that_are_read_again_are_those_of_their_rows(journal: Journal) -> None:
    """As after a commit that failed."""
    journal.write(*(cel(number) for number in range(100, 110)))
    journal.write(*(queue(number) for number in (100, 105, 109, 5000)), path=journal.queue)
    await journal.source.read({}, 100)
    again = await journal.source.read({}, 3)
    assert [row.unique_id for row in again.rows if isinstance(row, QueueRow)] == [f"{BASE}.100"]
