"""Brings the database up to date: `sql/NNNN_name.sql` in number order, each in a transaction, under a lock."""

import hashlib
from pathlib import Path

from gateway.store.connection import Connection
from gateway.store.errors import MigrationChanged

LOCK = 7_413_001
PATIENCE = 24 * 3_600.0
"""Seconds that one file may take: an index of all rows, say. So long others wait for it, too."""


def directory() -> Path:
    """Where the migrations are: in the installed package, or at the root of the checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


async def migrate(connection: Connection) -> list[str]:
    """Apply what is missing; the names of what was applied.

    Raises:
        MigrationChanged: an applied file has another text now.
    """
    await connection.execute("select pg_advisory_lock($1)", LOCK, timeout=PATIENCE)
    try:
        await connection.execute(
            "create table if not exists schema_migrations "
            "(name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        known = {r["name"]: r["sha256"] for r in await connection.fetch("select name, sha256 from schema_migrations")}
        applied: list[str] = []
        for path in sorted(directory().glob("[0-9]*.sql")):
            text = path.read_text("utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            if path.name in known:
                if known[path.name] != digest:
                    raise MigrationChanged(path.name)
                continue
            async with connection.transaction():
                await connection.execute(text, timeout=PATIENCE)
                await connection.execute(
                    "insert into schema_migrations (name, sha256) values ($1, $2)", path.name, digest
                )
            applied.append(path.name)
        return applied
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)
