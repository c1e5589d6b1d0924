"""The statements of the pages that `bench.query` measures, whole as the gateway sends them, read no table whole."""

import random
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from starlette.datastructures import QueryParams

from bench import list_pages
from bench.filled import Filled, fill, prepare
from bench.list_pages import Page, Statement
from gateway.api import cursors
from gateway.api.parameters import CallParameters, read
from gateway.api.read_directories import ReadDirectory
from gateway.store import calls, listings
from gateway.store.connection import Connection
from tests.postgres.fresh_database import new_database

CALLS = 10_000


@pytest.fixture
async def filled(postgres_url: str) -> AsyncIterator[tuple[Connection, Filled, ReadDirectory]]:
    connection = await asyncpg.connect(await new_database(postgres_url))
    try:
        await prepare(connection)
        filled = await fill([connection], CALLS)
        yield connection, filled, await list_pages.directory_of(connection)
    finally:
        await connection.close()


async def _cursor(connection: Connection, known: ReadDirectory) -> str:
    """In the middle of all calls."""
    _, wanted = read(CallParameters, QueryParams(), known, [])
    directory = known.directory
    at = await listings.as_of(connection)
    page = await listings.first_page(
        connection, at, directory.nodes, "calls", directory.account, wanted, "newest_first", CALLS // 2, 100
    )
    assert page.next is not None
    return cursors.write(page.next, "calls", "newest_first", wanted)


async def test_no_page_that_is_measured_reads_a_table_from_end_to_end(
    filled: tuple[Connection, Filled, ReadDirectory],
) -> None:
    connection, there, directory = filled
    chance = random.Random(1)
    pages = [
        list_pages.user_month(there, chance),
        list_pages.queue_day(there, chance),
        list_pages.number(there, chance),
        list_pages.by_cursor(await _cursor(connection, directory)),
        list_pages.deep_offset(there, chance),
        *(Page(kind, ()) for kind in list_pages.MODELS),
    ]
    for page in pages:
        statement = await list_pages.statement_of(page, directory)
        assert await connection.fetch(statement.text, *statement.values)
        assert not await list_pages.read_sequentially(connection, statement), page
    whole = Statement("select document from calls", ())
    assert await list_pages.read_sequentially(connection, whole) == {"calls_202610"}


async def test_what_a_writer_that_starts_asks_of_all_open_calls_reads_no_table_from_end_to_end(
    filled: tuple[Connection, Filled, ReadDirectory],
) -> None:
    connection, *_ = filled
    found = await connection.fetch("select account_id, id from calls")
    values = ([row["account_id"] for row in found], [row["id"] for row in found])
    assert not await list_pages.read_sequentially(connection, Statement(calls.RECORDED, values))
    plan = [row[0] for row in await connection.fetch(f"explain {calls.RECORDED}", *values)]
    assert not [line for line in plan if "hashed" in line]  # Of which an index is read whole.
    asked = {(row["account_id"], str(row["id"])) for row in found}
    assert await calls.recorded(connection, asked | {("acme", str(UUID(int=1)))}) == asked
