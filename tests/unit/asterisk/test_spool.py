import asyncio
import os
from pathlib import Path

import pytest

from gateway.asterisk.source import Batch, Position
from gateway.asterisk.spool import SpoolSource, SpoolWriter
from gateway.calls.rows import CelRow, ChannelsAlive, Gap, QueueRow, Row, Watermark


def row(number: int) -> CelRow:
    return CelRow("ANSWER", number, "PJSIP/101-1", f"1.{number}", "1.0", caller_name="Zoë", extra={"a": "1"})


def written(directory: Path) -> list[Path]:
    return sorted(directory.glob("spool-*.jsonl"))


async def read_all(source: SpoolSource, positions: dict[str, Position], limit: int = 1000) -> list[Row]:
    """Reads to the end, updating `positions` as ingest does when it commits."""
    rows: list[Row] = []
    while True:
        batch = await source.read(positions, limit)
        rows += batch.rows
        positions.update(batch.positions)
        if batch.at_end:
            return rows


async def test_an_empty_spool_has_no_rows(tmp_path: Path) -> None:
    batch = await SpoolSource(tmp_path / "later").read({}, 10)
    assert (batch.rows, dict(batch.positions), batch.at_end) == ([], {}, True)


async def test_rows_of_all_kinds_come_back_in_order(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    rows: list[Row] = [
        Gap(1),
        row(2),
        QueueRow("ABANDON", 3, "1.2", "q", "", 1, 2),
        ChannelsAlive(4, 1, frozenset("a")),
    ]
    assert all(writer.append(each) for each in rows)
    assert await read_all(SpoolSource(tmp_path), {}) == rows


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_each_row_is_read_once_over_rotations_whatever_the_batch(tmp_path: Path, limit: int) -> None:
    writer = SpoolWriter(tmp_path, file_bytes=300)
    source = SpoolSource(tmp_path)
    positions: dict[str, Position] = {}
    rows: list[Row] = [row(number) for number in range(40)]
    read: list[Row] = []
    for number, each in enumerate(rows):
        writer.append(each)
        if number % 9 == 0:
            read += await read_all(source, positions, limit)
    read += await read_all(source, positions, limit)
    assert len(written(tmp_path)) > 3
    assert read == rows


async def test_what_was_not_committed_is_read_again(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(row(1))
    source = SpoolSource(tmp_path)
    assert (await source.read({}, 10)).rows == (await source.read({}, 10)).rows == [row(1)]


async def test_a_half_written_last_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(row(1))
    writer.append(row(2))
    [path] = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    source = SpoolSource(tmp_path)
    positions: dict[str, Position] = {}
    assert await read_all(source, positions) == [row(1)]
    path.write_bytes(whole)
    assert await read_all(source, positions) == [row(2)]


async def test_a_line_torn_by_a_crash_is_skipped_once_there_is_a_next_file(tmp_path: Path) -> None:
    SpoolWriter(tmp_path).append(row(1))
    [path] = written(tmp_path)
    with path.open("ab") as file:
        file.write(b'["cel","ANSWER",2,"PJS')
    restarted = SpoolWriter(tmp_path)
    restarted.append(row(3))
    assert len(written(tmp_path)) == 2
    batch = await SpoolSource(tmp_path).read({}, 10)
    assert batch.rows == [row(1), row(3)]
    assert batch.skipped == 1


async def test_a_line_that_is_no_row_is_skipped_and_counted(tmp_path: Path) -> None:
    SpoolWriter(tmp_path).append(row(1))
    with written(tmp_path)[0].open("ab") as file:
        file.write(b"\0\0\0\n" + b'["gap",7]\n')
    batch = await SpoolSource(tmp_path).read({}, 10)
    assert (batch.rows, batch.skipped) == ([row(1), Gap(7)], 1)


async def test_files_are_deleted_once_they_are_released_and_numbers_still_grow(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, file_bytes=1)
    for number in range(3):
        writer.append(row(number))
    source = SpoolSource(tmp_path)
    positions: dict[str, Position] = {}
    await read_all(source, positions)
    before = written(tmp_path)
    assert source.unread({}) == sum(path.stat().st_size for path in before)
    assert source.unread(positions) == 0
    source.release(Batch([], positions))
    assert written(tmp_path) == before[-1:]
    writer.close()
    before[-1].unlink()
    SpoolWriter(tmp_path).append(row(9))
    assert written(tmp_path)[0].name > before[-1].name
    assert await read_all(source, positions) == [row(9)]


async def test_a_full_disk_is_told_as_a_gap_and_never_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(row(1))

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        assert writer.append(row(2)) is False
        assert writer.append(row(3)) is False
        assert writer.append(Watermark(3)) is False
    assert writer.append(row(4)) is True
    assert writer.rows_lost == 2
    rows = await read_all(SpoolSource(tmp_path), {})
    assert [type(each) for each in rows] == [CelRow, Gap, CelRow]
    assert rows[-1] == row(4)


async def test_a_watermark_that_could_not_be_written_is_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append(row(1))
    real_write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:5]))
        assert writer.append(Watermark(2)) is False
    writer.append(row(3))
    assert await read_all(SpoolSource(tmp_path), {}) == [row(1), row(3)]


async def test_a_line_cut_by_a_full_disk_does_not_swallow_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SpoolWriter(tmp_path)
    real_write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:10]))
        assert writer.append(row(1)) is False
    writer.append(row(2))
    rows = await read_all(SpoolSource(tmp_path), {})
    assert [type(each) for each in rows] == [Gap, CelRow]


async def test_waiting_ends_by_a_wake_or_by_another_processes_write(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    source = SpoolSource(tmp_path, poll_seconds=0.01)
    await read_all(source, {})
    source.wake()
    await asyncio.wait_for(source.wait(60), 10)
    writer.append(row(1))
    await asyncio.wait_for(source.wait(60), 10)
    await read_all(source, {})
    await source.wait(0.01)
