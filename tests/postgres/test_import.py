"""`gateway import`: history into the database, as often as one likes, beside what a service records."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.calls.compact_json import compact
from gateway.calls.directory import DirectoryHistory
from gateway.calls.document import call_document
from gateway.calls.fold import Fold
from gateway.calls.rows import Row
from gateway.cli.app import app
from gateway.directory_file import read
from gateway.numbering import to_e164
from gateway.store import directories
from gateway.store.connection import Pool
from tests.lab.recordings import DIRECTORIES, PROJECT, RECORDINGS
from tests.postgres.test_ingest import read_all

BY_NAME = {recording.name: recording for recording in RECORDINGS}
ANSWERED = BY_NAME["demo/inbound_callee_ends"].place / "journal.csv"
MERGED = BY_NAME["demo/attended_transfer_by_phone"].place
CDR = PROJECT / "tests/cdr"
TOLD = "select account_id, id, state, merged_into, revision, updated_at, document::text from calls order by id"
ROWS = (
    "select account_id, id, state, revision, updated_at, document::text from user_calls union all "
    "select account_id, id, state, revision, updated_at, document::text from visits order by 1, 2"
)
ALIASES = "select account_id, alias, call_id from call_aliases order by alias"


@dataclass(frozen=True)
class Imported:
    status: int
    output: str
    errors: str

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.output.splitlines()[-1])
        return counts


Import: TypeAlias = Callable[..., Awaitable[Imported]]


@pytest.fixture
async def accounts(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for file in DIRECTORIES:
            await directories.apply(connection, read(file))


@pytest.fixture
def run_import(
    accounts: None, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Import:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)

    async def run(*arguments: str | Path, json_wanted: bool = True) -> Imported:
        words = ["import", *map(str, arguments), *(["--json"] if json_wanted else [])]
        status = await asyncio.to_thread(app, words, standalone_mode=False)
        told = capsys.readouterr()
        return Imported(status or 0, told.out, told.err)

    return run


async def everything(pool: Pool) -> list[list[Any]]:
    return [await pool.fetch(query) for query in (TOLD, ROWS, ALIASES)]


async def nobody_was_told(pool: Pool) -> bool:
    return not await pool.fetchval("select count(*) + (select sum(last_sequence) from accounts) from events")


def later(journal: str, minutes: int) -> str:
    """The same call at another time, under other ids."""
    return re.sub(r'"(\d{10})\.', lambda second: f'"{int(second[1]) + 60 * minutes}.', journal)


async def journal_rows(cel: Path, queue_log: Path | None = None) -> list[Row]:
    return (await JournalSource(cel, queue_log).read({}, 100_000)).rows


@pytest.mark.parametrize(
    "name", ["group_answered", "queue_answered", "attended_transfer_by_phone", "voicemail_inbound"]
)
@pytest.mark.parametrize("source", ["journal", "ami"])
async def test_a_recording_is_recorded_as_the_fold_tells_it_and_told_to_nobody(
    name: str, source: str, run_import: Import, pool: Pool
) -> None:
    recording = BY_NAME[f"demo/{name}"]
    async with pool.acquire() as connection:
        history = DirectoryHistory(await directories.history(connection, "pbx1"))
    fold = Fold("pbx1", history.at, to_e164)
    for row in await recording.rows(source):
        fold.take(row)
    expected = {record.id: compact(call_document(record)) for record in fold.drain().records}
    files: list[str | Path] = ["--cel", recording.place / ("ami.jsonl" if source == "ami" else "journal.csv")]
    if source == "journal":
        files += ["--queue-log", recording.place / "queue_log"]

    done = await run_import(*files)

    assert done.counts["imported"] == len(expected)
    assert {str(r["id"]): r["document"] for r in await pool.fetch(TOLD)} == expected
    assert await pool.fetchval("select count(*) from user_calls") > 0
    assert await nobody_was_told(pool)
    assert done.errors == ""


async def test_twice_changes_nothing(run_import: Import, pool: Pool) -> None:
    files = ["--cel", CDR / "journal.csv", "--queue-log", CDR / "queue_log"]
    first = await run_import(*files)
    assert first.counts["imported"] > 15
    before = await everything(pool)
    again = await run_import(*files)
    assert (again.counts["imported"], again.counts["improved"]) == (0, 0)
    assert again.counts["kept"] == first.counts["imported"]
    assert await everything(pool) == before


async def test_an_id_that_merged_is_found_under_the_call_that_it_joined(run_import: Import, pool: Pool) -> None:
    await run_import("--cel", MERGED / "journal.csv")
    [call] = await pool.fetch(TOLD)
    [merged] = json.loads(call["document"])["merged_ids"]
    assert [(str(r["alias"]), str(r["call_id"])) for r in await pool.fetch(ALIASES)] == [(merged, str(call["id"]))]


async def test_what_was_recorded_live_stays_as_it_is(run_import: Import, pool: Pool) -> None:
    await read_all(pool, await journal_rows(CDR / "journal.csv", CDR / "queue_log"), size=50)
    before = [*await everything(pool), await pool.fetch("select * from events order by account_id, sequence")]
    # Without queue_log it would know less.
    done = await run_import("--cel", CDR / "journal.csv")
    assert (done.counts["imported"], done.counts["improved"]) == (0, 0)
    assert [*await everything(pool), await pool.fetch("select * from events order by account_id, sequence")] == before


async def test_a_call_that_the_service_follows_is_left_to_it(run_import: Import, pool: Pool, tmp_path: Path) -> None:
    feed = await journal_rows(ANSWERED)
    await read_all(pool, feed[:8])
    half = tmp_path / "half.csv"
    half.write_text("".join(ANSWERED.read_text().splitlines(keepends=True)[:10]))
    before = await everything(pool)
    assert [call["state"] for call in before[0]] == ["in_progress"]
    done = await run_import("--cel", half)
    assert (done.counts["imported"], done.counts["kept"], done.counts["lost"]) == (0, 1, 1)
    assert await everything(pool) == before
    await run_import("--cel", ANSWERED)
    assert await everything(pool) == before
    await read_all(pool, feed)
    [call] = await pool.fetch(TOLD)
    assert (call["state"], json.loads(call["document"])["complete"]) == ("ended", True)


async def test_a_call_without_an_end_is_lost_until_the_rest_is_seen(
    run_import: Import, pool: Pool, tmp_path: Path
) -> None:
    lines = ANSWERED.read_text().splitlines(keepends=True)
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("".join(lines[:9]))
    two.write_text("".join(lines[9:]))
    done = await run_import("--cel", one)
    assert (done.counts["imported"], done.counts["lost"]) == (1, 1)
    assert "1 of the calls have no end in the files" in done.errors
    [call] = await pool.fetch(TOLD)
    lost = json.loads(call["document"])
    assert (lost["outcome"], lost["complete"], lost["settled"]) == ("lost", False, True)

    done = await run_import("--cel", two)
    assert (done.counts["improved"], done.counts["kept"]) == (0, 1)

    done = await run_import("--cel", one, "--cel", two)
    assert (done.counts["imported"], done.counts["improved"]) == (0, 1)
    [call] = await pool.fetch(TOLD)
    whole = json.loads(call["document"])
    assert (whole["id"], whole["outcome"], whole["complete"]) == (lost["id"], "answered", True)
    assert call["revision"] == 2
    assert await nobody_was_told(pool)


async def test_an_import_that_was_killed_goes_on(run_import: Import, pool: Pool, tmp_path: Path) -> None:
    text, count = ANSWERED.read_text(), 600
    long = tmp_path / "long.csv"
    long.write_text("".join(later(text, minutes) for minutes in range(count)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "import", "--cel", str(long), cwd=PROJECT
    )
    async with asyncio.timeout(60):
        while not await pool.fetchval("select count(*) from calls"):
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    killed_at = await pool.fetchval("select count(*) from calls")
    assert 0 < killed_at < count
    done = await run_import("--cel", long)
    assert done.counts == {
        "imported": count - killed_at,
        "improved": 0,
        "kept": killed_at,
        "lost": 0,
        "unowned": 0,
        "unreadable": 0,
    }
    complete = "(document ->> 'complete')::boolean and (document ->> 'settled')::boolean"
    assert await pool.fetchval(f"select count(*) from calls where {complete} and revision = 1") == count


async def test_the_service_and_an_import_of_the_same_calls_at_once(
    run_import: Import, pool: Pool, tmp_path: Path
) -> None:
    text, count = ANSWERED.read_text(), 300
    long = tmp_path / "long.csv"
    long.write_text("".join(later(text, minutes) for minutes in range(count)))
    feed = await journal_rows(long)
    await asyncio.gather(read_all(pool, feed, size=200), run_import("--cel", long))
    assert await pool.fetchval("select count(*) from calls where state = 'ended'") == count
    told = await pool.fetch("select call_id, count(*) from events where type = 'call.ended' group by call_id")
    assert [row["count"] for row in told] == [1] * count


async def test_cdrs_are_recorded_as_incomplete_and_once(run_import: Import, pool: Pool) -> None:
    done = await run_import("--cdr", CDR / "Master.csv")
    assert (done.counts["imported"], done.counts["unowned"], done.counts["unreadable"]) == (18, 1, 0)
    assert "by the ids of the channels, the times are UTC" in done.errors
    before = await everything(pool)
    assert not any(json.loads(call["document"])["complete"] for call in before[0])
    assert [call["state"] for call in before[0]] == ["ended"] * 18
    again = await run_import("--cdr", CDR / "Master.csv")
    assert (again.counts["imported"], again.counts["kept"]) == (0, 18)
    assert await everything(pool) == before
    assert await nobody_was_told(pool)


async def test_what_events_tell_takes_the_place_of_what_cdrs_told_and_never_the_reverse(
    run_import: Import, pool: Pool
) -> None:
    await run_import("--cdr", CDR / "Master.csv")
    events = ["--cel", CDR / "journal.csv", "--queue-log", CDR / "queue_log"]
    done = await run_import(*events)
    assert (done.counts["imported"], done.counts["improved"], done.counts["kept"]) == (0, 18, 0)
    documents = [json.loads(call["document"]) for call in await pool.fetch(TOLD)]
    assert all(document["complete"] and document["linked_ids"] for document in documents)
    stale = "select count(*) from user_calls u join calls c on c.id = u.call_id where u.updated_at < c.updated_at"
    assert await pool.fetchval(stale) == 0
    before = await everything(pool)
    again = await run_import("--cdr", CDR / "Master.csv")
    assert (again.counts["imported"], again.counts["improved"]) == (0, 0)
    assert "are of the time of which channel events tell" in again.errors
    assert await everything(pool) == before


async def test_cdrs_in_local_time(run_import: Import, pool: Pool, tmp_path: Path) -> None:
    await run_import("--cdr", CDR / "Master.csv")
    expected = [call["document"] for call in await pool.fetch(TOLD)]
    await pool.execute("truncate calls, user_calls, visits, call_aliases")
    local = tmp_path / "Master.csv"
    # The accounts are in Sydney: eleven hours ahead in November.
    text = (CDR / "Master.csv").read_text()
    local.write_text(re.sub(r'"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"', lambda time: f'"{_sydney(time[1])}"', text))
    wrong = await run_import("--cdr", local, "--time-zone", "UTC")
    assert wrong.status == 2
    assert "the times are 11.0 hours ahead of UTC: say another --time-zone" in wrong.errors
    assert await pool.fetch(TOLD) == []
    done = await run_import("--cdr", local)
    assert done.counts["imported"] == 18
    assert [call["document"] for call in await pool.fetch(TOLD)] == expected


def _sydney(text: str) -> str:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(ZoneInfo("Australia/Sydney"))
    return moment.strftime("%Y-%m-%d %H:%M:%S")


async def test_people_read_one_line(run_import: Import, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("what is this\n" + ANSWERED.read_text())
    done = await run_import("--cel", damaged, json_wanted=False)
    assert (done.status, done.output) == (0, "1 imported, 0 improved, 0 as recorded already\n")
    assert done.errors.splitlines() == [
        f"gateway: {damaged}: line 1: not a record of the stock layout of cel_custom",
        "gateway: 1 line could not be read",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "fault"),
    [
        ([], 2, "either --cel or --cdr"),
        (["--cel", "x", "--cdr", "y"], 2, "either --cel or --cdr"),
        (["--cdr", "x", "--queue-log", "y"], 2, "--queue-log and --format go with --cel"),
        (["--cel", "x", "--time-zone", "UTC"], 2, "--time-zone goes with --cdr"),
        (["--cdr", "x", "--time-zone", "Mars/Olympus"], 2, "--time-zone: 'Mars/Olympus' is no IANA time zone"),
        (["--cel", "nowhere.csv"], 1, "nowhere.csv: No such file or directory"),
        (["--cel", str(ANSWERED), "--node", "pbx9"], 1, "there is no directory of node pbx9"),
        (["--cdr", str(ANSWERED)], 1, f"{ANSWERED}: line 1: not a CDR of cdr_csv's layout"),
        (["--cel", str(CDR / "Master.csv")], 1, f"{CDR / 'Master.csv'}: line 1: not a record of the stock layout"),
    ],
)
async def test_wrong_use(arguments: list[str], status: int, fault: str, run_import: Import, pool: Pool) -> None:
    done = await run_import(*arguments)
    assert (done.status, done.output) == (status, "")
    assert done.errors.startswith(f"gateway: {fault}")
    assert await pool.fetch(TOLD) == []


async def test_rows_stay_in_their_files(run_import: Import, pool: Pool) -> None:
    """`raw_rows` is the order in which the node's own source was folded: history has no place in it."""
    await run_import("--cel", CDR / "journal.csv")
    assert await pool.fetchval("select count(*) + (select count(*) from open_linked_ids) from raw_rows") == 0
