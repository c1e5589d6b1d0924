"""One writer per node: who holds the lease writes, whoever lost it cannot, however late it wakes."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.calls.directory import Directory
from gateway.calls.fold import Changes
from gateway.calls.rows import Row
from gateway.ingest import Ingest
from gateway.ingest.leadership import Leadership
from gateway.ingest.writer import Writer
from gateway.store import leases
from gateway.store.connection import Connection, Pool
from gateway.store.errors import Fenced
from gateway.store.leases import Holder
from gateway.store.pool import open_pool
from tests.postgres.test_ingest import Rows, read_all
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP

QUICK = 0.3


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[list[Connection]]:
    opened: list[Connection] = [await asyncpg.connect(database_url) for _ in range(2)]
    yield opened
    for one in opened:
        await one.close()


async def holder(connection: Connection, pid: int = 1) -> Holder:
    return Holder("here", pid, await connection.fetchval("select pg_backend_pid()"))


async def expire(connection: Connection) -> None:
    await connection.execute("update leases set expires_at = clock_timestamp()")


async def test_a_lease_is_one_holders_until_it_expires(two: list[Connection]) -> None:
    first, second = two
    assert await leases.take(first, "pbx1", await holder(first)) == 1
    assert await leases.look(second, "pbx1") == (False, 1)
    assert await leases.take(second, "pbx1", await holder(second)) is None
    assert await leases.take(second, "pbx2", await holder(second)) == 1
    await expire(second)
    await leases.renew(first, "pbx1", 1)
    assert await leases.take(second, "pbx1", await holder(second)) is None
    await leases.give_up(first, "pbx1", 1)
    assert await leases.take(second, "pbx1", await holder(second)) == 2


async def test_taking_over_ends_the_old_writers_session_and_its_epoch(two: list[Connection], pool: Pool) -> None:
    first, second = two
    await leases.take(first, "pbx1", await holder(first))
    await first.execute("begin")
    await leases.check(first, "pbx1", 1)
    await first.execute("insert into nodes (node) values ('of the old writer')")
    await expire(second)
    assert await leases.take(second, "pbx1", await holder(second)) == 2
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await first.execute("commit")
    assert await second.fetchval("select count(*) from nodes") == 0
    for act in (leases.check, leases.renew):
        with pytest.raises(Fenced):
            await act(pool, "pbx1", 1)  # type: ignore[arg-type]


async def test_a_session_that_is_gone_is_not_waited_for(two: list[Connection]) -> None:
    first, second = two
    await leases.take(first, "pbx1", await holder(first))
    await first.close()
    async with asyncio.timeout(leases.LEASE_SECONDS / 2):
        while await leases.take(second, "pbx1", await holder(second)) is None:
            await asyncio.sleep(0.05)


async def test_a_long_transaction_holds_no_renewal_up(two: list[Connection]) -> None:
    writer, own = two
    await leases.take(own, "pbx1", await holder(writer))
    async with writer.transaction():
        await leases.check(writer, "pbx1", 1)
        async with asyncio.timeout(1):
            await leases.renew(own, "pbx1", 1)


async def test_who_may_not_end_the_old_session_waits_for_its_transaction(database_url: str, pool: Pool) -> None:
    """And what the old writer begins afterwards finds another epoch."""
    async with pool.acquire() as first:
        await first.execute("drop role if exists another_gateway")
        await first.execute("create role another_gateway login")
        await first.execute("grant all on all tables in schema public to another_gateway")
        url = urlsplit(database_url)
        second = await asyncpg.connect(
            urlunsplit(url._replace(netloc=f"another_gateway@{url.netloc.rpartition('@')[2]}"))
        )
        try:
            await leases.take(first, "pbx1", await holder(first))
            async with first.transaction():
                await leases.check(first, "pbx1", 1)
                await expire(first)
            async with first.transaction():
                await leases.check(first, "pbx1", 1)
                assert await leases.take(second, "pbx1", await holder(second)) is None
            assert await leases.take(second, "pbx1", await holder(second)) == 2
            with pytest.raises(Fenced):
                await leases.check(first, "pbx1", 1)
        finally:
            await second.close()
            await first.execute("drop owned by another_gateway")
            await first.execute("drop role another_gateway")


class Pausing(Ingest):
    """A writer that, at one place, stops with all it does, as by SIGSTOP, until it is resumed."""

    def __init__(self, pool: Pool, feed: list[Row], size: int, place: str = "", batches: int = 0) -> None:
        super().__init__(pool, "pbx1", Rows(feed, size))
        self._place, self._batches = place, batches
        self._go = asyncio.Event()
        self._go.set()
        self.paused = asyncio.Event()
        self.fenced = 0
        self._leadership = Stopping(pool, "pbx1", self._go)

    def resume(self) -> None:
        self._go.set()

    async def _at(self, place: str) -> None:
        if place == self._place and not self.paused.is_set():
            if self._batches == 0:
                self._go.clear()
                self.paused.set()
            self._batches -= 1
        await self._go.wait()

    def _new_writer(self, connection: Connection) -> Writer:
        writer = PausingWriter(connection, self._node, self._leadership.check, self.progress, apart=False)
        writer.at = self._at
        return writer

    def _interrupted(self, error: Exception) -> None:
        super()._interrupted(error)
        self.fenced += isinstance(error, Fenced)


class PausingWriter(Writer):
    at: Callable[[str], Awaitable[None]]

    async def _commit(self, folded: Any, committed: Callable[[], None]) -> int:
        await asyncio.sleep(0.02)
        await self.at("read")
        version = await super()._commit(folded, committed)
        await self.at("committed")
        return version

    async def _tell(self, changes: Changes) -> None:
        await self.at("checked")
        await super()._tell(changes)
        await self.at("written")


class Stopping(Leadership):
    def __init__(self, pool: Pool, node: str, go: asyncio.Event) -> None:
        super().__init__(pool, node)
        self._go = go

    async def _renew(self, own: Connection) -> None:
        while True:
            await asyncio.sleep(leases.RENEWAL_SECONDS)
            if not self._go.is_set():
                await self._go.wait()
                # Whoever wakes may write before it asks for its lease.
                await asyncio.sleep(QUICK)
            await leases.renew(own, self._node, self._own_epoch)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.leases.LEASE_SECONDS", QUICK)
    monkeypatch.setattr("gateway.store.leases.RENEWAL_SECONDS", QUICK / 3)
    monkeypatch.setattr("gateway.ingest.leadership.ASK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr("gateway.ingest.ingest.RETRY_SECONDS", (0.05,))


@pytest.fixture
def _sessions_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may end another's session: the epoch alone is left, and the end of what idles in a transaction."""

    async def not_allowed(connection: Connection, node: str) -> None: ...

    monkeypatch.setattr("gateway.store.leases._end_old_session", not_allowed)
    monkeypatch.setattr(
        "gateway.ingest.leadership.WRITER_SETTINGS", (("idle_in_transaction_session_timeout", "500ms"),)
    )


async def contents(pool: Pool) -> dict[str, list[tuple[Any, ...]]]:
    """All that a writer writes but the times at which it did."""
    tables = {
        "raw_rows": "select seq, row::text from raw_rows order by seq",
        "calls": "select id, state, revision, document::text from calls order by id",
        "user_calls": "select id, state, revision, document::text from user_calls order by id",
        "visits": "select id, state, revision, document::text from visits order by id",
        "events": "select sequence, type, data::text from events order by sequence",
        "open": "select linked_id from open_linked_ids order by linked_id",
    }
    return {name: [tuple(record) for record in await pool.fetch(sql)] for name, sql in tables.items()}


async def until_read(*writers: Ingest) -> None:
    async with asyncio.timeout(30):
        while not any(writer.role == "leader" and writer.progress.caught_up for writer in writers):
            await asyncio.sleep(0.01)


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def undisturbed(pool: Pool, acme: Directory, database_url: str) -> dict[str, list[tuple[Any, ...]]]:
    """What one writer that nobody disturbs makes of `FEED`."""
    await read_all(pool, FEED)
    made = await contents(pool)
    await pool.execute(
        "truncate raw_rows, calls, user_calls, visits, events, open_linked_ids, source_positions, nodes, leases"
    )
    await pool.execute("update accounts set last_sequence = 0")
    return made


def later(text: str, number: int) -> list[Row]:
    """The call of `text`, and other channels than before."""
    return [
        replace(
            row,
            at=row.at + number * 60_000_000,
            unique_id=f"{row.unique_id}{number}",
            linked_id=f"{row.linked_id}{number}",
        )
        for row in rows(text)
    ]


CALLS = [ANSWERED, GROUP + BOB_ANSWERS, ANSWERED, GROUP + BOB_ANSWERS, ANSWERED]
FEED = [row for number, text in enumerate(CALLS) for row in later(text, number)]


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("place", ["read", "checked", "written", "committed"])
async def test_a_writer_that_is_paused_writes_nothing_when_it_wakes(
    pool: Pool, database_url: str, undisturbed: dict[str, list[tuple[Any, ...]]], place: str
) -> None:
    await _paused_and_taken_over(pool, database_url, undisturbed, place)


@pytest.mark.usefixtures("_quick", "_sessions_last")
@pytest.mark.parametrize("place", ["read", "checked", "written", "committed"])
async def test_nor_does_it_where_its_session_could_not_be_ended(
    pool: Pool, database_url: str, undisturbed: dict[str, list[tuple[Any, ...]]], place: str
) -> None:
    old = await _paused_and_taken_over(pool, database_url, undisturbed, place)
    if place in ("read", "committed"):
        assert old.fenced == 1


async def _paused_and_taken_over(
    pool: Pool, database_url: str, undisturbed: dict[str, list[tuple[Any, ...]]], place: str
) -> Pausing:
    others = await open_pool(database_url)
    old, new = Pausing(pool, FEED, 3, place, batches=2), Pausing(others, FEED, 4)
    tasks = [asyncio.create_task(old.run())]
    try:
        async with asyncio.timeout(10):
            await old.paused.wait()
        tasks.append(asyncio.create_task(new.run()))
        await until_read(new)
        before = await contents(others)
        assert before == undisturbed
        old.resume()
        async with asyncio.timeout(10):
            while old.role != "standby":
                await asyncio.sleep(0.01)
        assert await contents(others) == before
        assert (old.epoch, new.epoch) == (2, 2)
    finally:
        await ended(*tasks)
        others.terminate()
    return old


@pytest.mark.usefixtures("_quick")
async def test_a_standby_waits_and_takes_over_at_once_when_the_leader_ends_orderly(pool: Pool, acme: Directory) -> None:
    first, second = Pausing(pool, FEED, 100), Pausing(pool, FEED, 100)
    tasks = [asyncio.create_task(first.run())]
    try:
        await until_read(first)
        tasks.append(asyncio.create_task(second.run()))
        await asyncio.sleep(QUICK * 3)
        assert (first.role, second.role, second.progress.running, second.epoch) == ("leader", "standby", False, 1)
        began = time.monotonic()
        await ended(tasks[0])
        await until_read(second)
        assert time.monotonic() - began < QUICK
    finally:
        await ended(*tasks)
    assert await pool.fetchval("select count(*) from events where type = 'call.ended'") == len(CALLS)


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("lost_in", ["an error of the driver", "an answer"])
async def test_a_writer_ends_though_a_dying_connection_took_its_cancellation(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, lost_in: str
) -> None:
    looking, look = asyncio.Event(), leases.look

    async def dies(connection: Connection, node: str) -> tuple[bool, int]:
        if looking.is_set():
            return await look(connection, node)
        looking.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if lost_in == "an answer":
                return False, 1
            raise asyncpg.InterfaceError("connection is closed") from None
        raise AssertionError("it was not cancelled")

    monkeypatch.setattr("gateway.store.leases.look", dies)
    writer = asyncio.create_task(Pausing(pool, FEED, 3).run())
    await looking.wait()
    writer.cancel()
    done, _ = await asyncio.wait({writer}, timeout=10)
    assert done, "it tries again for ever"


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("seed", range(6))
async def test_whoever_is_paused_or_killed_whenever_nothing_is_lost_or_doubled(
    pool: Pool, database_url: str, undisturbed: dict[str, list[tuple[Any, ...]]], seed: int
) -> None:
    chance = random.Random(seed)
    places = ["read", "checked", "written", "committed"]
    pools = [await open_pool(database_url) for _ in range(3)]
    running: list[tuple[Pausing, asyncio.Task[None]]] = []
    try:
        for number in range(8):
            writer = Pausing(pools[number % 3], FEED, chance.randint(1, 6), chance.choice(places), chance.randint(0, 2))
            running.append((writer, asyncio.create_task(writer.run())))
            await asyncio.sleep(chance.uniform(0, QUICK * 2))
            what = chance.choice(["resume", "kill", "nothing"])
            if what == "resume":
                chance.choice(running)[0].resume()
            elif what == "kill":
                await ended(*(task for writer, task in running if writer.role == "leader"))
        for writer, _ in running:
            writer.resume()
        last = Pausing(pool, FEED, 5)
        running.append((last, asyncio.create_task(last.run())))
        await until_read(*(writer for writer, task in running if not task.done()))
        assert await contents(pool) == undisturbed
    finally:
        await ended(*(task for _, task in running))
        for one in pools:
            one.terminate()
    assert last.epoch > 1
    assert [json.loads(row[3])["outcome"] for row in undisturbed["calls"]] == ["answered"] * len(CALLS)
