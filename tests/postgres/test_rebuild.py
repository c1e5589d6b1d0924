"""`gateway rebuild`: today's rules over yesterday's rows; what differs is put right once, and told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pytest

from gateway.calls.directory import Directory
from gateway.calls.rows import CelRow, QueueRow, Row
from gateway.cli.app import app
from gateway.directory_file import read
from gateway.store import directories
from gateway.store.connection import Pool
from tests.lab.recordings import DIRECTORIES, RECORDINGS
from tests.postgres.test_ingest import read_all
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP

DAY = ("--from", "2026-11-24", "--to", "2026-11-24")
CALLS = "select id, state, merged_into, revision, updated_at, document::text from calls order by id"
LISTED = (
    "select id, revision, updated_at, document::text from user_calls union all "
    "select id, revision, updated_at, document::text from visits order by 1"
)


@dataclass(frozen=True)
class Ran:
    status: int
    output: str
    errors: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found


Run: TypeAlias = Callable[..., Awaitable[Ran]]


@pytest.fixture
def command(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`gateway …` with --json."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)

    async def run(*words: str) -> Ran:
        capsys.readouterr()
        status = await asyncio.to_thread(app, [*words, "--json"], standalone_mode=False)
        told = capsys.readouterr()
        return Ran(status or 0, told.out, told.err)

    return run


def later(feed: Sequence[Row], seconds: int, name: str) -> list[Row]:
    """The same rows of other channels at another time."""

    def moved(row: Row) -> Row:
        at = row.at + seconds * 1_000_000
        if isinstance(row, CelRow):
            extra = {key: f"{value}{name}" if key.endswith("id") else value for key, value in row.extra.items()}
            ids = {"unique_id": row.unique_id + name, "linked_id": row.linked_id + name}
            return replace(row, at=at, channel=row.channel + name, extra=extra, **ids)
        return replace(row, at=at, unique_id=row.unique_id + name) if isinstance(row, QueueRow) else row

    return [moved(row) for row in feed]


async def state(pool: Pool) -> list[list[Any]]:
    return [await pool.fetch(CALLS), await pool.fetch(LISTED), await pool.fetch("select sequence, type from events")]


async def test_of_every_recording_the_record_is_what_its_rows_give(pool: Pool, command: Run) -> None:
    """One after the other into one database, as one day of one node; in slices that cut them anywhere."""
    async with pool.acquire() as connection:
        for file in DIRECTORIES:
            await directories.apply(connection, read(file))
    feed: list[Row] = []
    for number, recording in enumerate(one for one in RECORDINGS if one.name.startswith("demo/")):
        taken = await recording.rows("journal")
        if not taken:
            continue
        feed += later(taken, number * 100 - taken[0].at // 1_000_000 + 1_795_478_400, f"-{number}")
    await read_all(pool, feed, 1_000)
    before = await state(pool)
    ended = await pool.fetchval("select count(*) from calls where state = 'ended' and merged_into is null")
    done = await command("rebuild", *DAY)
    assert done.told == {"compared": ended, "amended": 0, "kinds": {}}
    assert ended > 30
    assert await state(pool) == before


async def test_what_differs_is_put_right_told_and_then_left(pool: Pool, acme: Directory, command: Run) -> None:
    feed = [*rows(GROUP + BOB_ANSWERS), *later(rows(ANSWERED), 60, "x"), *later(rows(ANSWERED), 120, "y")]
    await read_all(pool, feed)
    good = await state(pool)
    first, second, third = (row["id"] for row in good[0])
    other = (await pool.fetchval("select document::text from calls where id = $1", first)).replace("Bob", "Rob")
    await pool.execute("update calls set document = $2 where id = $1", first, other)
    await pool.execute(
        "insert into user_calls select account_id, id || 'stale', call_id, 'u9', type, result, direction, state, "
        "caller_number, destination_number, reference, started_at, duration_ms, 1, now(), document "
        "from user_calls where call_id = $1 limit 1",
        second,
    )
    await pool.execute("delete from calls where id = $1", third)
    last = await pool.fetchval("select max(sequence) from events")

    done = await command("rebuild", *DAY)

    assert done.told["kinds"] == {"record_differs": 1, "listed_rows_differ": 1, "no_record": 1}
    now = await state(pool)
    assert [row["document"] for row in now[0]] == [row["document"] for row in good[0]]
    assert [row["id"] for row in now[1]] == [row["id"] for row in good[1]]
    assert [row["revision"] for row in now[0]] == [2, 2, 1]
    told = await pool.fetch("select type, call_id, data from events where sequence > $1 order by sequence", last)
    assert [row["type"] for row in told] == ["call.amended"] * 3
    assert {row["call_id"] for row in told} == {first, second, third}
    event = next(json.loads(row["data"]) for row in told if row["call_id"] == first)
    assert (event["answered_by"]["user"]["name"], event["revision"], event["state"]) == ("Bob", 2, "ended")

    again = await command("rebuild", *DAY)
    assert again.told == {"compared": 3, "amended": 0, "kinds": {}}
    assert await state(pool) == now


async def test_ids_that_joined_or_did_not_are_put_right(pool: Pool, acme: Directory, command: Run) -> None:
    await read_all(pool, [*rows(ANSWERED), *later(rows(ANSWERED), 60, "x")])
    [one, two] = [row["id"] for row in await pool.fetch(CALLS)]
    await pool.execute("update calls set merged_into = $2 where id = $1", two, one)
    await pool.execute("insert into call_aliases values ('acme', $1, $2)", two, one)
    await pool.execute("delete from user_calls where call_id = $1", two)
    done = await command("rebuild", *DAY)
    assert done.told["kinds"] == {"recorded_as_merged": 1}
    assert [row["merged_into"] for row in await pool.fetch(CALLS)] == [None, None]
    assert await pool.fetchval("select count(*) from call_aliases") == 0
    assert await pool.fetchval("select count(*) from user_calls where call_id = $1", two) == 2
    assert (await command("rebuild", *DAY)).told["amended"] == 0


async def test_open_calls_and_those_of_other_times_are_left_alone(pool: Pool, acme: Directory, command: Run) -> None:
    """One began before the time and ended in it, one ends after it, one is open."""
    early, inside, late = rows(ANSWERED), later(rows(ANSWERED), 3, "x"), later(rows(ANSWERED)[:7], 60, "y")
    feed = sorted([*early, *inside, *late], key=lambda row: row.at)
    await read_all(pool, feed)
    await pool.execute("update calls set document = replace(document::text, 'Bob', 'Rob')::json")
    period = ("--from", "2026-11-24T03:01:05Z", "--to", "2026-11-24T03:01:06.5Z")
    done = await command("rebuild", *period)
    assert done.told == {"compared": 1, "amended": 1, "kinds": {"record_differs": 1}}
    assert ["Rob" in row["document"] for row in await pool.fetch(CALLS)] == [True, False, True]
    done = await command("rebuild", *DAY)
    assert done.told["amended"] == 1
    assert ["Rob" in row["document"] for row in await pool.fetch(CALLS)] == [False, False, True]


async def test_a_call_whose_beginning_was_dropped_stays_as_it_was(pool: Pool, acme: Directory, command: Run) -> None:
    await read_all(pool, rows(ANSWERED))
    await pool.execute("delete from raw_rows where seq <= 3")
    before = await state(pool)
    assert (await command("rebuild", *DAY)).told["amended"] == 0
    assert await state(pool) == before


async def test_it_may_go_on_while_the_service_writes(pool: Pool, acme: Directory, command: Run) -> None:
    past = [row for n in range(40) for row in later(rows(ANSWERED), 10 * n, f"p{n}")]
    await read_all(pool, past, 1_000)
    await pool.execute("update calls set document = replace(document::text, 'Bob', 'Rob')::json")
    more = [row for n in range(40) for row in later(rows(ANSWERED), 1_000 + 10 * n, f"q{n}")]
    _, done = await asyncio.gather(
        read_all(pool, [*past, *more], 7), command("rebuild", "--from", "2026-11-24", "--to", "2026-11-24T03:15:00Z")
    )
    assert done.told["kinds"] == {"record_differs": 40}
    assert not [row for row in await pool.fetch(CALLS) if "Rob" in row["document"]]
    sequences = [row["sequence"] for row in await pool.fetch("select sequence from events order by sequence")]
    assert sequences == list(range(1, len(sequences) + 1))
    ends = await pool.fetch("select count(*) as n from events where type = 'call.ended' group by call_id")
    assert [row["n"] for row in ends] == [1] * 80


async def test_two_at_once_are_one_too_many(
    pool: Pool, acme: Directory, command: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool.acquire() as connection:
        await connection.execute("select pg_advisory_lock(hashtextextended('rebuild:pbx1', 0))")
        assert "another rebuild" in (await _fails(command, *DAY))
        await connection.execute("select pg_advisory_unlock_all()")
    assert "--to" in await _fails(command, "--from", "2026-11-24", "--to", "2026-11-23")


async def _fails(command: Run, *words: str) -> str:
    done = await command("rebuild", *words)
    assert done.status != 0
    return done.errors


async def test_a_row_that_is_shown_no_more_goes_from_the_lists(pool: Pool, acme: Directory) -> None:
    """While a call is open already: what was thought of it at first need not be true."""
    feed = rows(GROUP + BOB_ANSWERS)
    await read_all(pool, feed[:3])
    await pool.execute(
        "insert into user_calls select account_id, call_id || '-u9', call_id, 'u9', type, result, direction, state, "
        "caller_number, destination_number, reference, started_at, duration_ms, 1, now(), document "
        "from user_calls limit 1"
    )
    await read_all(pool, feed)
    assert [row["user_id"] for row in await pool.fetch("select user_id from user_calls order by 1")] == ["u2", "u3"]
