"""The Postgres of the gateway's own: kept, shared, and gone when the last user is."""

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg

from gateway.store.embedded import EmbeddedDatabase

ROOT = Path(__file__).parents[2]
KEEPS_IT_OPEN = """
import asyncio, sys
from pathlib import Path
from gateway.store.embedded import EmbeddedDatabase

async def keep() -> None:
    async with EmbeddedDatabase(Path(sys.argv[1])) as database:
        print(database.url, flush=True)
        await asyncio.sleep(60)

asyncio.run(keep())
"""


async def _ask(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_what_was_written_is_there_again_and_writes_are_durable(tmp_path: Path) -> None:
    async with EmbeddedDatabase(tmp_path / "data") as database:
        assert await _ask(database.url, "show fsync") == "on"
        await _ask(database.url, "create table kept as select 42 as it")
    assert not (tmp_path / "data/postgres/postmaster.pid").exists()
    async with EmbeddedDatabase(tmp_path / "data") as database:
        assert await _ask(database.url, "select it from kept") == 42


async def test_after_a_user_was_killed_it_goes_on_and_ends_with_the_next(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPS_IT_OPEN, str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    assert url.startswith("postgresql://")
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert (tmp_path / "postgres/postmaster.pid").exists()
    async with EmbeddedDatabase(tmp_path) as database:
        assert await _ask(database.url, "select 1") == 1
    assert not (tmp_path / "postgres/postmaster.pid").exists()
