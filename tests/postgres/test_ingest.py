"""From rows to Postgres: records, listed rows and events in one transaction, each row once."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.api.calls import as_asked_for
from gateway.asterisk.source import Batch, Position
from gateway.calls.directory import Directory, Outbound
from gateway.calls.identity import uuid7
from gateway.calls.instant import from_datetime, to_text
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, Instant, Row, Watermark
from gateway.ingest import Ingest
from gateway.ingest.progress import Progress
from gateway.store import originations
from gateway.store.connection import Connection, Pool
from gateway.store.originations import NewOrigination
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP


class Rows:
    """A source that gives its rows in batches of `size`, by number."""

    def __init__(self, feed: Sequence[Row], size: int, stream: str = "spool") -> None:
        self.feed, self.size, self.stream, self.streams = feed, size, stream, (stream,)

    def begin_after(self, at: Instant) -> None: ...

    async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
        start = positions[self.stream].byte_offset if self.stream in positions else 0
        end = min(start + self.size, len(self.feed))
        return Batch(list(self.feed[start:end]), {self.stream: Position("rows", end)}, at_end=end == len(self.feed))

    def tells(self, positions: Mapping[str, Position]) -> bool:
        return self.stream in positions

    def unread(self, positions: Mapping[str, Position]) -> int:
        return len(self.feed) - (positions[self.stream].byte_offset if self.stream in positions else 0)

    async def wait(self, timeout: float) -> None:
        await asyncio.sleep(0.01)

    def wake(self) -> None: ...

    def release(self, batch: Batch) -> None: ...

    def note_alive(self, alive: ChannelsAlive) -> None: ...

    def note_step(self, step: ClockStep) -> None: ...

    def note_watermark(self, watermark: Watermark) -> None: ...


async def read_all(pool: Pool, feed: Sequence[Row], size: int = 3, stream: str = "spool") -> Progress:
    ingest = Ingest(pool, "pbx1", Rows(feed, size, stream))
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while not ingest.progress.caught_up:
                assert not task.done(), task
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return ingest.progress


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


async def test_calls_of_no_account_are_counted_for_good(pool: Pool) -> None:
    """There is no directory. However often writers come and go, each call counts once."""
    feed = rows(ANSWERED)
    for end in range(1, len(feed) + 1):
        shown = await read_all(pool, feed[:end])
    assert shown.unowned_calls == 1
    another = [
        replace(row, at=row.at + 60_000_000, unique_id=row.unique_id + "9", linked_id=row.linked_id + "9")
        for row in feed
    ]
    assert (await read_all(pool, [*feed, *another])).unowned_calls == 2
    assert (await read_all(pool, [*feed, *another])).unowned_calls == 2
    assert await pool.fetchval("select unowned_calls from nodes where node = 'pbx1'") == 2
    assert await pool.fetchval("select count(*) from calls") == 0


async def test_calls_of_an_account_are_not_counted_as_nobodys(pool: Pool, acme: Directory) -> None:
    assert (await read_all(pool, rows(ANSWERED))).unowned_calls == 0


CHAIN = """
0.000 CHAN_START   PJSIP/102-0 u=.0 l=.0 103@from-internal cid=102
1.000 CHAN_START   PJSIP/103-1 u=.1 l=.1 102@from-internal cid=103
2.000 CHAN_START   PJSIP/102-2 u=.2 l=.2 103@from-internal cid=102
3.000 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.1 bridge=b1
3.001 BRIDGE_ENTER PJSIP/102-2 u=.2 l=.2 bridge=b1
4.000 BRIDGE_EXIT  PJSIP/103-1 u=.1 l=.1 bridge=b1
5.000 BRIDGE_ENTER PJSIP/102-0 u=.0 l=.0 bridge=b2
5.001 BRIDGE_ENTER PJSIP/103-1 u=.1 l=.1 bridge=b2
"""


async def test_a_call_that_joined_one_that_joined_another_is_found_under_the_last(pool: Pool, acme: Directory) -> None:
    await read_all(pool, rows(CHAIN), size=1)
    first, *others = await pool.fetch("select id, merged_into, state from calls order by started_at")
    assert [(row["merged_into"], row["state"]) for row in others] == [(first["id"], "ended")] * 2
    assert first["merged_into"] is None
    aliases = await pool.fetch("select alias, call_id from call_aliases order by alias")
    assert [tuple(row) for row in aliases] == sorted((row["id"], first["id"]) for row in others)
    assert await pool.fetchval("select count(*) from user_calls where call_id <> $1", first["id"]) == 0
    assert await pool.fetchval("select count(*) from events where type = 'call.merged'") == 2


async def test_a_late_row_of_a_call_that_is_over_opens_no_other_after_a_restart(pool: Pool, acme: Directory) -> None:
    feed = rows(ANSWERED)
    await read_all(pool, feed)
    late = replace(feed[-1], event="APP_END", at=feed[-1].at + 1_000_000)
    await read_all(pool, [*feed, late])
    assert await pool.fetchval("select count(*) from raw_rows") == len(feed) + 1
    assert [r["revision"] for r in await pool.fetch("select revision from calls")] == [1]


async def test_a_watermark_is_kept_only_where_it_closed_a_call(pool: Pool, acme: Directory) -> None:
    """The call's last row is missing: it is over when nothing more can come of it, though nothing else does."""
    feed: list[Row] = [*rows(ANSWERED)[:-1]]
    at = feed[-1].at
    # All channels hung up, and the linked id was not said to be over.
    feed += [Watermark(at + 10_000_000), Watermark(at + 31_000_000), Watermark(at + 41_000_000)]
    await read_all(pool, feed, size=4)
    kept = await pool.fetch("select row ->> 0 as kind, at from raw_rows where linked_id = ''")
    assert [(row["kind"], from_datetime(row["at"]) - at) for row in kept] == [("watermark", 31_000_000)]
    call = json.loads(await pool.fetchval("select document from calls"))
    assert (call["state"], call["outcome"], call["complete"]) == ("ended", "answered", False)


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_journal_that_is_set_later_doubles_nothing(pool: Pool, acme: Directory, size: int) -> None:
    """It holds what AMI told before; in the middle of a call it goes on where AMI ended. And back again."""
    first = rows(ANSWERED)
    second = [
        replace(row, at=row.at + 60_000_000, unique_id=row.unique_id + "9", linked_id=row.linked_id + "9")
        for row in first
    ]
    heard = len(first) + 3
    feed = [*first, *second]
    await read_all(pool, feed[:heard])
    for _ in range(2):
        await read_all(pool, feed[: heard + 2], size, "journal")
    for _ in range(2):
        await read_all(pool, feed, size, "spool")
        await read_all(pool, feed, size, "journal")
    assert await pool.fetchval("select count(*) from raw_rows") == len(feed)
    told = [r["type"] for r in await pool.fetch("select type from events where type like 'call.%' order by sequence")]
    assert told == ["call.started", "call.ringing", "call.answered", "call.ended"] * 2
    assert [r["revision"] for r in await pool.fetch("select revision from calls")] == [1, 1]


async def test_others_have_their_turn_while_rows_that_were_told_before_are_passed_over(
    pool: Pool, acme: Directory
) -> None:
    turns = 0
    seen: list[int] = []

    def turn() -> None:
        nonlocal turns
        turns += 1

    class Long(Rows):
        async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
            seen.append(turns)
            asyncio.get_running_loop().call_soon(turn)
            return await super().read(positions, limit)

    feed = rows(ANSWERED)
    await read_all(pool, feed)
    ingest = Ingest(pool, "pbx1", Long(feed, 1, "journal"), lambda: False)
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while not ingest.progress.caught_up:
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert seen[: len(feed)] == list(range(len(feed)))


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

    async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
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


async def test_postgres_asks_whether_the_writer_still_lives(pool: Pool) -> None:
    """Else, by the kernel's default, a machine that was switched off keeps what it locked for two hours."""
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


async def test_a_writer_that_is_behind_shows_how_far_it_is(
    pool: Pool, acme: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingest.ingest.SHOW_SECONDS", 0.0)
    seen: list[tuple[bool, int, str]] = []

    class Watched(Rows):
        async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
            if (progress := ingest.progress).read_until is not None:
                seen.append((progress.caught_up, progress.unread_bytes, to_text(progress.read_until)))
            return await super().read(positions, limit)

    feed = rows(ANSWERED)
    ingest = Ingest(pool, "pbx1", Watched(feed, 5))
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while len(seen) < len(feed) // 5 + 2:
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    ends = range(5, len(feed), 5)[:-1]  # What comes after the last of these is at the end, and waited for.
    expected = [(False, len(feed) - end, to_text(feed[end - 1].at)) for end in ends]
    assert seen[: len(ends) + 1] == [*expected, (True, 0, to_text(feed[-1].at))]


async def test_what_cannot_be_read_keeps_nothing_of_what_was_read_before_from_being_committed(
    pool: Pool, acme: Directory
) -> None:
    class Torn(Rows):
        async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
            if self.stream in positions:
                raise PermissionError("the next file")
            return await super().read(positions, limit)

    feed = rows(ANSWERED)
    ingest = Ingest(pool, "pbx1", Torn(feed, len(feed) - 1))
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while ingest.progress.last_error is None:
                await asyncio.sleep(0.01)
        assert await pool.fetchval("select count(*) from raw_rows") == len(feed) - 1
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def placed_ago(pool: Pool, acme: Directory, seconds: float, state: str = "accepted") -> str:
    """The id of a call that was asked for so long ago, with ten seconds to begin."""
    asked_at = datetime.now(UTC) - timedelta(seconds=seconds)
    user = acme.users[0]
    new = NewOrigination(
        id=uuid7(int(asked_at.timestamp() * 1000), secrets.token_bytes(10)),
        node="pbx1",
        user_id=user.id,
        user_number=user.number,
        user_name=user.name,
        destination="+61255501234",
        caller_id="+61290000001",
        reference=None,
        ring_timeout=30,
        answer_timeout=60,
        devices=user.devices,
        deadline=asked_at + timedelta(seconds=10),
        idempotency_key=None,
        request_sha256=b"",
        actor="key:x",
        created_at=asked_at,
    )
    async with pool.acquire() as connection:
        await originations.reserve(connection, "acme", new, Outbound())
        await connection.execute(
            "update originations set state = $1, deadline = $3 where id = $2::text::uuid", state, new.id, new.deadline
        )
    return new.id


async def told_of(pool: Pool, call_id: str, event: str) -> int:
    sql = "select count(*) from events where call_id = $1::text::uuid and type = $2"
    return int(await pool.fetchval(sql, call_id, event))


async def checked(pool: Pool, feed: Sequence[Row] = (), *, hears: bool = True, times: int = 3) -> None:
    """What was asked for and not seen is looked for some times."""
    checks = 0

    class Counting(Ingest):
        async def _fail_overdue(self, connection: Connection, read_at: datetime, alive: frozenset[str]) -> None:
            nonlocal checks
            await super()._fail_overdue(connection, read_at, alive)
            checks += 1

    ingest = Counting(pool, "pbx1", Rows(feed, 10), lambda: hears)
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            while checks < times and (hears or not ingest.progress.caught_up):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0 if hears else 0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def _checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.ingest.OVERDUE_CHECK_SECONDS", 0.0)


@pytest.mark.usefixtures("_checked_often")
async def test_what_may_have_come_and_gone_unheard_is_lost_not_failed(pool: Pool, acme: Directory) -> None:
    unheard = await placed_ago(pool, acme, 30)
    refused = await placed_ago(pool, acme, 30, "refused")
    await checked(pool, [Gap(from_datetime(datetime.now(UTC)))])
    lost, failed = [
        json.loads(await pool.fetchval("select document from calls where id = $1::text::uuid", one))
        for one in (unheard, refused)
    ]
    assert (lost["outcome"], lost["complete"], lost["hung_up_by"]) == ("lost", False, None)
    assert (failed["outcome"], failed["complete"]) == ("failed", True)


@pytest.mark.usefixtures("_checked_often")
async def test_what_was_asked_for_and_never_began_failed_once(pool: Pool, acme: Directory) -> None:
    early = await placed_ago(pool, acme, 15)
    late = await placed_ago(pool, acme, 30)
    refused = await placed_ago(pool, acme, 0, "refused")
    await checked(pool)
    await checked(pool)
    assert [await told_of(pool, one, "call.ended") for one in (early, late, refused)] == [0, 1, 1]
    record = json.loads(await pool.fetchval("select document from calls where id = $1::text::uuid", late))
    assert (record["state"], record["outcome"], record["end_reason"]) == ("ended", "failed", "not_placed")


@pytest.mark.usefixtures("_checked_often")
async def test_the_record_of_a_call_that_asterisk_refused_is_what_was_shown_before(pool: Pool, acme: Directory) -> None:
    call_id = await placed_ago(pool, acme, 5, "refused")
    await pool.execute("update originations set failure = 'originate_refused'")
    placed = await originations.by_id(pool, "acme", UUID(call_id))
    assert placed is not None
    shown = json.loads(as_asked_for(placed))
    await checked(pool)
    record = json.loads(await pool.fetchval("select document from calls"))
    assert record == {name: shown[name] for name in record}


@pytest.mark.usefixtures("_checked_often")
async def test_while_asterisk_is_not_heard_nothing_is_said_to_have_failed(pool: Pool, acme: Directory) -> None:
    call_id = await placed_ago(pool, acme, 30)
    await checked(pool, hears=False)
    assert await told_of(pool, call_id, "call.ended") == 0


@pytest.mark.usefixtures("_checked_often")
async def test_what_asterisk_has_though_its_beginning_was_missed_did_not_fail(pool: Pool, acme: Directory) -> None:
    call_id = await placed_ago(pool, acme, 30)
    at = time.time_ns() // 1000
    missed: list[Row] = [Gap(at), ChannelsAlive(at, at, frozenset({call_id, f"{call_id}-2"}))]
    await checked(pool, missed)
    assert await told_of(pool, call_id, "call.ended") == 0
    local = f"Local/101@gw-ring-0;1 u={call_id} l={call_id}"
    end = rows(f"""
        0.000 HANGUP       {local} 16
        0.001 CHAN_END     {local}
        0.001 LINKEDID_END {local}
    """)
    seen = [replace(row, at=at + 1) for row in end if isinstance(row, CelRow)]
    await checked(pool, [*missed, *seen])
    assert await told_of(pool, call_id, "call.ended") == 1
    record = json.loads(await pool.fetchval("select document from calls where id = $1::text::uuid", call_id))
    assert (record["complete"], record["origin"]["user"]["name"]) == (False, "Alice")


@pytest.mark.usefixtures("_checked_often")
async def test_what_was_lost_has_asterisk_asked_before_anything_is_said_to_have_failed(
    pool: Pool, acme: Directory
) -> None:
    """Among it is the beginning of a call that lives, as Asterisk then tells."""
    call_id = await placed_ago(pool, acme, 30)
    at = time.time_ns() // 1000
    feed: list[Row] = [Gap(at)]
    answered = False

    class Losing(Rows):
        async def read(self, positions: Mapping[str, Position], limit: int, *, ahead: bool = False) -> Batch:
            batch = await super().read(positions, limit)
            return replace(batch, lost=Gap(at) in batch.rows)

    asked = asyncio.Event()
    ingest = Ingest(pool, "pbx1", Losing(feed, 10), lambda: answered or not asked.is_set(), asked.set)
    task = asyncio.create_task(ingest.run())
    try:
        async with asyncio.timeout(20):
            await asked.wait()
            feed.append(ChannelsAlive(at, at, frozenset({call_id})))
            answered = True
            while ingest.progress.rows < len(feed):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await told_of(pool, call_id, "call.ended") == 0


@pytest.mark.usefixtures("_checked_often")
@pytest.mark.parametrize("marked", [True, False])
async def test_a_call_of_which_only_the_end_was_heard_is_told_once_as_the_gateways(
    pool: Pool, acme: Directory, marked: bool
) -> None:
    """Its first channels were missed: that it was placed is known by its id. So too where it was not marked."""
    call_id = await placed_ago(pool, acme, 30)
    at = time.time_ns() // 1000
    device = f"PJSIP/101-desk-1 u={at}.1 l={call_id}"
    end = rows(f"""
        0.000 HANGUP       {device} 16 PJSIP/101-desk-1
        0.001 CHAN_END     {device}
        0.001 LINKEDID_END {device}
    """)
    feed: list[Row] = [Gap(at), *(replace(row, at=at + 1) for row in end if isinstance(row, CelRow))]
    await read_all(pool, feed)
    states = "select state from originations"
    assert await pool.fetchval(states) == "recorded"
    if not marked:
        await pool.execute("update originations set state = 'accepted'")
    await checked(pool, feed)
    assert [await told_of(pool, call_id, event) for event in ("call.started", "call.ended")] == [1, 1]
    record = json.loads(await pool.fetchval("select document from calls"))
    assert (record["outcome"] != "lost", record["complete"]) == (True, False)
    assert (record["origin"]["kind"], record["caller"]["user"]["name"]) == ("click_to_call", "Alice")
    assert (record["callee"]["number"], record["direction"]) == ("+61255501234", "outbound")


@pytest.mark.usefixtures("_checked_often")
async def test_a_placed_call_that_joined_another_at_once_did_not_fail(pool: Pool, acme: Directory) -> None:
    """In one batch, so that it never stood alone."""
    call_id = await placed_ago(pool, acme, 30)
    at = time.time_ns() // 1000
    both = rows(f"""
        0.000 CHAN_START   PJSIP/trunk-1 u=.8 l=.8 +61290000001@from-trunk
        0.001 CHAN_START   Local/101@gw-ring-0;1 u={call_id} l={call_id} s@gw-ring
        0.002 BRIDGE_ENTER PJSIP/trunk-1 u=.8 l=.8 bridge=b
        0.003 BRIDGE_ENTER Local/101@gw-ring-0;1 u={call_id} l={call_id} bridge=b
    """)
    await checked(pool, [replace(row, at=at + number) for number, row in enumerate(both)])
    assert await told_of(pool, call_id, "call.ended") == 0
    assert await told_of(pool, call_id, "call.merged") == 1


@pytest.mark.usefixtures("_checked_often")
async def test_what_was_told_to_have_failed_stays_so_though_asterisk_hears_of_it_late(
    pool: Pool, acme: Directory
) -> None:
    """The dialplan then rings nobody; its channels are no second call."""
    call_id = await placed_ago(pool, acme, 30)
    await checked(pool)
    local = f"Local/101@gw-ring-0;2 u={call_id} l={call_id}"
    late = rows(f"""
        0.000 CHAN_START   {local} 101@gw-ring
        0.001 HANGUP       {local} 102
        0.002 CHAN_END     {local}
        0.003 LINKEDID_END {local}
    """)
    for end in range(1, len(late) + 1):
        await read_all(pool, late[:end])
    assert [await told_of(pool, call_id, event) for event in ("call.started", "call.ended")] == [1, 1]
    assert [r["revision"] for r in await pool.fetch("select revision from calls")] == [1]
    assert await pool.fetchval("select count(*) from open_linked_ids") == 0
