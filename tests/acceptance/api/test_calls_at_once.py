"""Which calls count as going on where an account may have so many at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.calls.directory import Directory, Outbound
from gateway.calls.instant import from_datetime
from gateway.calls.record import CallRecord
from gateway.store import calls, directories, placed
from gateway.store.connection import Pool
from tests.acceptance.api.records import inbound

CALL = {"user": "101", "to": "+61255501234"}


@pytest.fixture
async def first(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> CallRecord:
    """The one call that the account may have, placed this moment, as it would be recorded while it goes on."""
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, outbound=Outbound(simultaneous_calls=1)))
    answer = await client.post("/v1/calls", json=CALL)
    assert answer.status_code == 202
    return replace(going_on(acme, 0), id=answer.json()["id"])


def going_on(acme: Directory, minutes_ago: int) -> CallRecord:
    at = from_datetime(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    return replace(inbound(acme, at), state="in_progress", outcome=None, ended_at=None, duration_ms=None, settled=False)


async def record(pool: Pool, *records: CallRecord) -> None:
    async with pool.acquire() as connection:
        await calls.write_records(connection, records)
        await placed.mark_recorded(connection, [("acme", one.id) for one in records])


async def another(client: httpx.AsyncClient) -> int:
    return (await client.post("/v1/calls", json=CALL)).status_code


async def test_a_call_that_joined_another_goes_on_with_it(
    client: httpx.AsyncClient, pool: Pool, acme: Directory, first: CallRecord
) -> None:
    older = going_on(acme, 5)
    await record(pool, first, older)
    assert await another(client) == 429
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_merged(connection, [("acme", first.id, older.id)])
    assert await another(client) == 429
    await record(pool, inbound(acme, older.started_at))
    assert await another(client) == 202


async def test_a_call_of_which_the_records_do_not_tell_yet_counts_for_an_hour(
    client: httpx.AsyncClient, pool: Pool, first: CallRecord
) -> None:
    for late, status in (("1 minute", 429), ("59 minutes", 429), ("61 minutes", 202)):
        await pool.execute("update originations set deadline = clock_timestamp() - $1::text::interval", late)
        assert await another(client) == status
