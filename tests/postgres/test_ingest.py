"""From rows to Postgres: records, listed rows and events in one transaction, each row once."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from gateway.asterisk.source import Batch, Position
from gateway.calls.directory import Directory
from gateway.calls.rows import ChannelsAlive, Row
from gateway.ingest import Ingest
from gateway.store.connection import Connection, Pool
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP


class Rows:
    """A source that gives its rows in batches of `size`, by number."""

    def __init__(self, feed: Sequence[Row], size: int) -> None:
        self.feed, self.size = feed, size

    async def read(self, positions: Mapping[str, Position], limit: int) -> Batch:
        start = positions["spool"].byte_offset if "spool" in positions else 0
        end = min(start + self.size, len(self.feed))
        return Batch(list(self.feed[start:end]), {"spool": Position("rows", end)}, at_end=end == len(self.feed))

    async def wait(self, timeout: float) -> None:
        await asyncio.sleep(0.01)

    def wake(self) -> None: ...

    def release(self, positions: Mapping[str, Position]) -> None: ...

    def note_alive(self, alive: ChannelsAlive) -> None: ...


async def read_all(pool: Pool, feed: Sequence[Row], size: int = 3) -> None:
    ingest = Ingest(pool, "pbx1", Rows(feed, size))
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while not ingest.progress.caught_up:
                assert not task.done(), task
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_call_is_recorded_listed_and_told(pool: Pool, acme: Directory) -> None:
    await read_all(pool, rows(GROUP + BOB_ANSWERS))
    call = await pool.fetchrow("select * from calls")
    assert call is not None
    document = json.loads(call["document"])
    assert (call["state"], call["outcome"], call["revision"]) == ("ended", "answered", 1)
    assert document["answered_by"]["user"]["name"] == "Bob"
    users = await pool.fetch("select document from user_calls order by user_id")
    assert [json.loads(r["document"])["type"] for r in users] == [
        "user_inbound_answered",
        "user_inbound_answered_elsewhere",
    ]
    assert [r["kind"] for r in await pool.fetch("select kind from visits")] == ["ring_group"]
    events = await pool.fetch("select sequence, type from events order by sequence")
    assert [r["sequence"] for r in events] == list(range(1, len(events) + 1))
    assert [r["type"] for r in events] == [
        "call.started",
        "ring_group.entered",
        "call.ringing",
        "user.ringing",
        "user.ringing",
        "call.answered",
        "user.answered",
        "ring_group.answered",
        "ring_group.left",
        "user.ended",
        "user.ended",
        "call.ended",
    ]
    attempts = await pool.fetch("select device, result from attempts order by ordinal")
    assert [tuple(r) for r in attempts] == [("PJSIP/102", "answered"), ("PJSIP/103", "answered_elsewhere")]
    assert await pool.fetchval("select count(*) from open_linked_ids") == 0


async def test_a_writer_that_dies_between_any_two_batches_changes_nothing(pool: Pool, acme: Directory) -> None:
    feed = rows(ANSWERED)
    for end in range(1, len(feed) + 1):
        await read_all(pool, feed[:end])
    assert await pool.fetchval("select count(*) from raw_rows") == len(feed)
    told = [r["type"] for r in await pool.fetch("select type from events where type like 'call.%' order by sequence")]
    assert told == ["call.started", "call.ringing", "call.answered", "call.ended"]
    record = json.loads(await pool.fetchval("select document from calls"))
    assert (record["outcome"], record["talk_duration"], record["complete"]) == ("answered", 3.998, True)


async def test_a_call_that_asterisk_took_with_it_is_lost_once(pool: Pool, acme: Directory) -> None:
    feed: list[Row] = list(rows(ANSWERED)[:7])
    await read_all(pool, feed)
    after = feed[-1].at + 60_000_000
    feed.append(ChannelsAlive(after, after, frozenset()))
    await read_all(pool, feed)
    await read_all(pool, feed)
    record = json.loads(await pool.fetchval("select document from calls"))
    assert (record["outcome"], record["complete"], record["ended_at"]) == ("lost", False, "2026-11-24T03:01:05.002Z")
    assert await pool.fetchval("select count(*) from events where type = 'call.ended'") == 1


class Stumbling(Rows):
    """A source that fails in a way nobody foresaw, a few times."""

    failures = 3

    async def read(self, positions: Mapping[str, Position], limit: int) -> Batch:
        if positions and self.failures:
            self.failures -= 1
            raise KeyError("not foreseen")
        return await super().read(positions, limit)


async def test_what_nobody_foresaw_is_shown_and_tried_again_and_ends_nothing(
    pool: Pool, acme: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingest.ingest.RETRY_SECONDS", (0.05,))
    ingest = Ingest(pool, "pbx1", Stumbling(rows(ANSWERED), 3))
    task = asyncio.create_task(ingest.run())
    shown = set()
    try:
        async with asyncio.timeout(20):
            while not ingest.progress.caught_up:
                assert not task.done(), task
                shown.add((ingest.progress.running, ingest.progress.last_error))
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (False, "KeyError") in shown
    assert await pool.fetchval("select count(*) from raw_rows") == len(rows(ANSWERED))
    assert await pool.fetchval("select count(*) from events where type = 'call.ended'") == 1


async def test_postgres_asks_whether_the_writer_that_holds_the_lock_still_lives(pool: Pool) -> None:
    """Else, by the kernel's default, a machine that was switched off keeps the lock for two hours."""
    seen: list[str] = []

    class Looking(Ingest):
        async def _follow(self, connection: Connection) -> None:
            # Over a local socket, as here, the values themselves read as 0.
            rows = await connection.fetch("select source from pg_settings where name like 'tcp_keepalives%'")
            seen.extend(row["source"] for row in rows)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Looking(pool, "pbx1", Rows([], 1)).run()
    assert seen == ["session"] * 3
