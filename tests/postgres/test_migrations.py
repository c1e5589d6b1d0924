"""Migrations: once, whoever comes; and never changed afterwards."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from gateway.store import migrations
from gateway.store.errors import MigrationChanged


@pytest.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without any schema."""
    name = f"empty_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"create database {name}")
        yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Migrations of the test's own, in place of `sql/`."""
    (tmp_path / "0001_first.sql").write_text("create table first (id integer);")
    (tmp_path / "0002_second.sql").write_text("create table second (id integer);")
    monkeypatch.setattr(migrations, "directory", lambda: tmp_path)
    return tmp_path


async def _migrate(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return await migrations.migrate(connection)
    finally:
        await connection.close()


async def test_the_schema_is_made_once(empty_url: str) -> None:
    applied = await _migrate(empty_url)
    assert applied == sorted(path.name for path in migrations.directory().glob("*.sql"))
    assert applied[0] == "0001_gateway.sql"
    assert await _migrate(empty_url) == []


async def test_versions_of_rows_that_were_replaced_before_get_their_groups_numbers(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk goes on over the upgrade."""
    everything = migrations.directory()
    for path in everything.glob("000[1-8]_*.sql"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(migrations, "directory", lambda: tmp_path)
    await _migrate(empty_url)
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(
            "insert into accounts (id, name, time_zone, country, directory_version) "
            "values ('acme', 'A', 'UTC', 'AU', 1)"
        )
        await connection.execute(
            """
            insert into user_calls (account_id, id, call_id, user_id, type, direction, state, started_at, document)
            values ('acme', 'one', gen_random_uuid(), 'u1', 'user_inbound_missed', 'inbound', 'ended', now(),
                    '{"via": {"queue": {"number": "700", "name": "support"}, "ring_group": null}}')
            """
        )
        await connection.execute("update user_calls set revision = 2")
        shutil.copy(everything / "0009_groups.sql", tmp_path)
        assert await migrations.migrate(connection) == ["0009_groups.sql"]
        await connection.execute("update user_calls set revision = 3")
        kept = await connection.fetch(
            "select revision, via_queue_number, via_ring_group_number from superseded_user_calls order by revision"
        )
        assert [tuple(record) for record in kept] == [(1, "700", None), (2, "700", None)]
        assert await connection.fetchval("select via_queue_number from user_calls") == "700"
    finally:
        await connection.close()


async def test_of_several_at_once_one_does_it(empty_url: str) -> None:
    applied = await asyncio.gather(*(_migrate(empty_url) for _ in range(4)))
    assert sorted(len(names) for names in applied)[:3] == [0, 0, 0]
    assert [name for names in applied for name in names] == [p.name for p in sorted(migrations.directory().iterdir())]


async def test_they_go_in_the_order_of_their_numbers_and_only_the_new_ones(empty_url: str, files: Path) -> None:
    assert await _migrate(empty_url) == ["0001_first.sql", "0002_second.sql"]
    (files / "0010_third.sql").write_text("alter table second add column more text;")
    assert await _migrate(empty_url) == ["0010_third.sql"]


async def test_a_changed_one_is_refused_by_name(empty_url: str, files: Path) -> None:
    await _migrate(empty_url)
    (files / "0001_first.sql").write_text("create table first (id bigint);")
    (files / "0003_third.sql").write_text("create table third (id integer);")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        await _migrate(empty_url)
    (files / "0001_first.sql").write_text("create table first (id integer);")
    assert await _migrate(empty_url) == ["0003_third.sql"]


async def test_one_that_fails_leaves_nothing_of_itself_and_no_lock(empty_url: str, files: Path) -> None:
    (files / "0002_second.sql").write_text("create table second (id integer); create table first (id integer);")
    with pytest.raises(asyncpg.DuplicateTableError):
        await _migrate(empty_url)
    (files / "0002_second.sql").write_text("create table second (id integer);")
    assert await _migrate(empty_url) == ["0002_second.sql"]
