"""One batch is folded while the one before it is committed: only where that changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.asterisk.source import Batch, Position
from gateway.calls.directory import Directory
from gateway.calls.origination import Origination
from gateway.calls.rows import CelRow, Row
from gateway.ingest.progress import Progress
from gateway.ingest.writer import Writer
from gateway.store import directories, placed
from gateway.store.connection import Connection, Pool
from tests.directories import ACME
from tests.postgres.test_ingest import placed_ago, told_of
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED


class Held:
    """A writer whose commits wait, each in its transaction, while they are held."""

    def __init__(self, connection: Connection) -> None:
        self.writer = Writer(connection, "pbx1", self._check, Progress(), apart=False)
        self.go = asyncio.Event()
        self.go.set()
        self._written = 0

    async def _check(self, connection: Connection) -> None:
        while not self.go.is_set():
            await connection.execute("select pg_sleep(0.05)")

    async def write(self, feed: Sequence[Row]) -> None:
        self._written += len(feed)
        await self.writer.write(
            Batch(list(feed), {"spool": Position("rows", self._written)}, at_end=False), lambda: None
        )


@asynccontextmanager
async def held(pool: Pool) -> AsyncIterator[Held]:
    async with pool.acquire() as connection:
        one = Held(connection)
        await one.writer.start()
        try:
            yield one
        finally:
            one.go.set()
            await one.writer.close()


def at(feed: Sequence[CelRow], second: int) -> list[CelRow]:
    """The same call so much later, of other channels."""
    return [
        replace(
            row,
            at=row.at + second * 1_000_000,
            linked_id=f"{row.linked_id}{second}",
            unique_id=f"{row.unique_id}{second}",
        )
        for row in feed
    ]


def of_a_placed_call(call_id: str) -> list[CelRow]:
    local, device = f"Local/101@gw-ring-0;1 u={call_id} l={call_id}", f"PJSIP/101-desk-1 u=.91 l={call_id}"
    return rows(f"""
        0.000 CHAN_START {local} 101@gw-ring
        0.100 CHAN_START {device} 101@gw-ring
        2.000 ANSWER     {device}
        3.000 HANGUP     {device} 16 PJSIP/101-desk-1
        3.001 HANGUP     {local} 16
        3.002 LINKEDID_END {local}
    """)


async def origins(pool: Pool) -> list[tuple[str | None, str | None, str | None]]:
    """Of each placed call: its kind of origin, who began it, and the account's state of what was asked for."""
    found = await pool.fetch(
        """
        select c.document #>> '{origin,kind}' as kind, c.document #>> '{caller,user,name}' as name, o.state
        from originations o left join calls c using (account_id, id)
        """
    )
    return [(row["kind"], row["name"], row["state"]) for row in found]


async def test_a_batch_with_a_call_that_was_placed_is_not_folded_before_that_is_known(
    pool: Pool, acme: Directory
) -> None:
    call_id = await placed_ago(pool, acme, 1)
    async with held(pool) as one:
        one.go.clear()
        await one.write(rows(ANSWERED))
        writing = asyncio.create_task(one.write(of_a_placed_call(call_id)))
        await asyncio.sleep(0.1)
        one.go.set()
        await writing
        await one.writer.settle()
    assert await origins(pool) == [("click_to_call", "Alice", "recorded")]


async def test_a_batch_that_was_folded_while_a_directory_was_applied_is_folded_again_with_it(pool: Pool) -> None:
    """Its call begins and ends within the batch: nothing later would show whose it is."""
    async with held(pool) as one:
        one.go.clear()
        await one.write(rows(ANSWERED))
        writing = asyncio.create_task(one.write(at(rows(ANSWERED), 60)))
        await asyncio.sleep(0.1)
        assert one.writer.is_committing
        async with pool.acquire() as connection:
            await directories.apply(connection, ACME)
        one.go.set()
        await writing
        await one.writer.settle()
    assert await pool.fetchval("select count(*) from calls where state = 'ended'") == 1
    assert await pool.fetchval("select count(*) from events where type = 'call.ended'") == 1
    assert await pool.fetchval("select unowned_calls from nodes") == 1


async def test_a_placed_call_stays_the_gateways_when_a_directory_is_applied_meanwhile(
    pool: Pool, acme: Directory
) -> None:
    call_id = await placed_ago(pool, acme, 1)
    feed = of_a_placed_call(call_id)
    async with held(pool) as one:
        await one.write(feed[:3])
        await one.writer.settle()
        async with pool.acquire() as connection:
            await directories.apply(connection, replace(acme, name="Another name"))
        await one.write(feed[3:])
        await one.writer.settle()
    assert await origins(pool) == [("click_to_call", "Alice", "recorded")]
    assert [await told_of(pool, call_id, event) for event in ("call.started", "call.ended")] == [1, 1]


async def test_what_was_asked_for_is_looked_up_once_a_call(
    pool: Pool, acme: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one that is over, and of a linked id that only looks like ours. Each row is a batch of its own."""
    asked: list[str] = []
    by_id = placed.by_id

    async def counted(connection: Connection, node: str, ids: set[str]) -> list[Origination]:
        asked.extend(ids)
        return await by_id(connection, node, ids)

    monkeypatch.setattr("gateway.store.placed.by_id", counted)
    ours = await placed_ago(pool, acme, 1)
    others = "019ac36c-0000-7000-8000-000000000000"
    late = [replace(row, event="APP_END") for row in of_a_placed_call(ours)[:1]]
    like_ours = [row for row in of_a_placed_call(others) if row.unique_id == others]
    async with held(pool) as one:
        for row in [*of_a_placed_call(ours), *late, *like_ours]:
            await one.write([row])
        await one.writer.settle()
    assert asked == [ours, others]


async def test_a_writer_that_is_closed_leaves_its_connection_free(pool: Pool, acme: Directory) -> None:
    """In the middle of a statement of a commit, which is given up."""
    async with pool.acquire() as connection:
        one = Held(connection)
        await one.writer.start()
        one.go.clear()
        await one.write(rows(ANSWERED))
        await asyncio.sleep(0.02)
        await one.writer.close()
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select count(*) from raw_rows") == 0
