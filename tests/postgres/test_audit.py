"""`gateway audit`: files, rows, records and events agree, or each difference is told."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.asterisk.kept_files import KeptFiles
from gateway.calls.directory import Directory
from gateway.calls.row_json import row_to_json
from gateway.calls.rows import CelRow, ChannelsAlive, Gap, Row
from gateway.directory_file import read
from gateway.ingest.upkeep import audit_day, drop_old, make_ahead
from gateway.store import audited, directories
from gateway.store.connection import Pool
from tests.lab.recordings import DIRECTORIES, RECORDINGS
from tests.postgres.test_ingest import read_all
from tests.postgres.test_partitions import KEPT, NOW, another
from tests.postgres.test_rebuild import DAY, Run, command, later
from tests.unit.calls.tables import START, rows
from tests.unit.calls.test_direct_calls import ANSWERED
from tests.unit.calls.test_groups_and_queues import BOB_ANSWERS, GROUP

__all__ = ["command"]

THREE: list[Row] = [*rows(GROUP + BOB_ANSWERS), *later(rows(ANSWERED), 60, "x"), *later(rows(ANSWERED), 120, "y")]
ANSWERED_ROWS = rows(ANSWERED)


def spooled(directory: Path, feed: Sequence[Row]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"spool-{1:020d}.jsonl").write_text("".join(row_to_json(row) + "\n" for row in feed))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    return tmp_path


async def kinds(command: Run, *words: str) -> dict[str, int]:
    done = await command("audit", *(words or DAY))
    assert done.status == (0 if done.told["agrees"] else 1)
    found: dict[str, int] = done.told["differences"]
    assert len(done.told["found"]) == sum(found.values())
    return found


async def ids(pool: Pool) -> list[Any]:
    return [row["id"] for row in await pool.fetch("select id from calls order by id")]


async def test_it_agrees_with_all_that_was_recorded_in_order(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    spooled(data / "spool", THREE)
    await read_all(pool, THREE)
    done = await command("audit", *DAY)
    assert (done.status, done.told["agrees"], done.told["found"]) == (0, True, [])
    counts = done.told["counts"]
    assert (counts["file_rows"], counts["stored_rows"]) == (len(THREE), len(THREE))
    assert (counts["calls_of_rows"], counts["records"]) == (3, 3)
    assert counts["events"] == await pool.fetchval("select count(*) from events")


async def test_it_agrees_with_every_recording_in_one_journal(
    pool: Pool, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by the real reader from the files themselves, with a rotation, the old one compressed."""
    async with pool.acquire() as connection:
        for file in DIRECTORIES:
            await directories.apply(connection, read(file))
    place = next(one for one in RECORDINGS if one.name == "demo/queue_answered").place
    other = next(one for one in RECORDINGS if one.name == "demo/attended_transfer_by_phone").place
    journal = tmp_path / "Master.csv"
    parts = sorted((place, other), key=lambda one: (one / "journal.csv").read_bytes()[:60].split(b",")[1])
    old, new = ((part / "journal.csv").read_bytes() for part in parts)
    queue_log = tmp_path / "queue_log"
    queue_log.write_bytes((place / "queue_log").read_bytes())
    journal.write_bytes(old + new)
    await read_all(pool, (await JournalSource(journal, queue_log).read({}, 100_000)).rows)
    (tmp_path / "Master.csv.1.gz").write_bytes(gzip.compress(old))
    journal.write_bytes(new)
    monkeypatch.setenv("GATEWAY_CEL_JOURNAL", str(journal))
    monkeypatch.setenv("GATEWAY_QUEUE_LOG", str(queue_log))
    period = ("--from", "2026-11-01", "--to", "2026-11-30")
    done = await command("audit", *period)
    assert done.told["found"] == []
    assert done.told["counts"]["file_rows"] == done.told["counts"]["stored_rows"] > 20
    await pool.execute("delete from raw_rows where seq = (select max(seq) from raw_rows where row ->> 0 = 'queue')")
    journal.write_bytes(new[: new.rindex(b"\n", 0, -1) + 1])
    assert await kinds(command, *period) == {"not_stored": 1, "not_in_files": 1}


async def test_rows_of_the_files_and_rows_that_are_stored(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    await read_all(pool, THREE)
    spooled(data / "spool", [*THREE[:5], *THREE[6:]])
    assert await kinds(command) == {"not_in_files": 1}
    spooled(data / "spool", [*THREE[:5], replace(rows(ANSWERED)[0], event="HOLD"), *THREE[5:]])
    assert await kinds(command) == {"not_stored": 1}
    # AMI's times are those of telling: the journal's row of the same act is the same row.
    spooled(data / "spool", [replace(row, at=row.at + 700) for row in THREE if isinstance(row, CelRow)])
    assert await kinds(command) == {}


async def test_what_another_gateway_heard_in_a_gap_is_no_difference(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    """The writer missed the second call, which a standby heard; and what it missed itself is in no file of its."""
    first, second = THREE[: -2 * len(ANSWERED_ROWS)], THREE[-2 * len(ANSWERED_ROWS) : -len(ANSWERED_ROWS)]
    third = THREE[-len(ANSWERED_ROWS) :]
    gap: list[Row] = [Gap(START), Gap(START + 90_000_000), ChannelsAlive(third[0].at, third[0].at, frozenset())]
    await read_all(pool, [*first, *gap, *third])
    spooled(data / "spool", [*first, *second, *third])
    assert await kinds(command) == {}
    spooled(data / "spool", [*first[:4], replace(first[4], at=first[4].at + 1), *first[4:], *second, *third])
    assert await kinds(command) == {"not_stored": 1}
    spooled(data / "spool", [*gap, *third])
    assert await kinds(command) == {}


async def test_what_the_writer_heard_in_a_gap_of_ones_own_is_no_difference(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    await read_all(pool, THREE)
    spooled(data / "spool", [*THREE[:5], Gap(START + 90_000_000), *THREE[-3:]])
    assert await kinds(command) == {}
    first = THREE[: -2 * len(ANSWERED_ROWS)]
    spooled(data / "spool", [*first[:1], *first[2:], Gap(START + 90_000_000), *THREE[-3:]])
    assert await kinds(command) == {"not_in_files": 1}


async def test_records_that_rows_do_not_give_and_rows_that_no_record_tells(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    await read_all(pool, THREE)
    first, second, third = await ids(pool)
    await pool.execute("update calls set document = replace(document::text, 'Bob', 'Rob')::json where id = $1", first)
    await pool.execute("delete from user_calls where call_id = $1", second)
    await pool.execute("delete from calls where id = $1", third)
    assert await kinds(command) == {"record_differs": 1, "listed_rows_differ": 1, "no_record": 1}
    assert (await command("rebuild", *DAY)).told["amended"] == 3
    assert await kinds(command) == {}
    await pool.execute("delete from raw_rows where linked_id like '%y' and row ->> 1 = 'LINKEDID_END'")
    await pool.execute("delete from raw_rows where linked_id like '%y' and row ->> 1 = 'CHAN_END'")
    assert await kinds(command) == {"not_given": 1}


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("delete from events where type = 'call.ended' and call_id = $1", {"ends": 1, "sequence_gap": 1}),
        ("update events set type = 'call.ended' where type = 'user.ended' and call_id = $1", {"ends": 1}),
        ("update events set type = 'call.started' where type = 'call.ringing' and call_id = $1", {"starts": 1}),
        ("delete from events where type = 'call.ringing' and call_id = $1", {"sequence_gap": 1}),
        ("update calls set state = 'ringing' where id = $1", {"no_end": 1, "ended_while_open": 1}),
        (
            "update events set type = case type when 'call.ended' then 'user.ended' else 'call.ended' end "
            "where type in ('call.ended', 'call.started') and call_id = $1",
            {"starts": 1},
        ),
    ],
)
async def test_lives_that_are_not_told_once(
    broken: str, expected: dict[str, int], pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    await read_all(pool, THREE)
    await pool.execute(broken, (await ids(pool))[1])
    assert await kinds(command) == expected


async def test_open_calls_imported_ones_and_what_was_pruned_are_no_differences(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    await read_all(pool, [*THREE, *later(rows(ANSWERED)[:7], 300, "z")])
    await pool.execute(
        "insert into calls (account_id, id, node, linked_ids, state, direction, started_at, ended_at, document) "
        "values ('acme', '01900000-0000-7000-8000-000000000000', 'pbx1', '{a}', 'ended', 'internal', "
        "'2026-11-24T01:00:00Z', '2026-11-24T01:01:00Z', '{}')"
    )
    assert await kinds(command) == {}
    await pool.execute("delete from events where sequence < 5")
    assert await kinds(command) == {}


async def test_what_the_files_have_of_a_day_that_was_dropped_is_no_difference(
    pool: Pool, acme: Directory, data: Path, command: Run
) -> None:
    """Though an older day is kept, for a call that is open."""
    feed = [*ANSWERED_ROWS[:7], *another(ANSWERED_ROWS, 1)]
    await make_ahead(pool, NOW, KEPT)
    await read_all(pool, feed)
    await drop_old(pool, NOW + timedelta(days=3))
    spooled(data / "spool", feed)
    assert await kinds(command, "--from", "2026-11-25", "--to", "2026-11-25") == {}


async def test_it_may_begin_with_the_calendar(pool: Pool, acme: Directory, data: Path, command: Run) -> None:
    spooled(data / "spool", THREE)
    await read_all(pool, THREE)
    assert await kinds(command, "--from", "0001-01-01", "--to", "2026-11-24") == {}
    assert (await command("rebuild", "--from", "0001-01-01", "--to", "2026-11-24")).told["compared"] == 3


@pytest.mark.parametrize("words", [("audit", *DAY), ("rebuild", *DAY), ("gaps", "accept")])
async def test_a_node_of_which_nothing_is_recorded_is_refused(
    pool: Pool, acme: Directory, data: Path, command: Run, words: Sequence[str]
) -> None:
    """As what is misspelt would agree; but our own may have recorded nothing yet, and another was imported only."""
    own = await command(*words)
    assert own.status == 0
    await read_all(pool, THREE)
    done = await command(*words, "--node", "pbx9")
    assert (done.status, done.output) == (2, "")
    assert done.errors.splitlines()[-1] == "gateway: --node: nothing is recorded of 'pbx9'; there is pbx1"
    await pool.execute("update calls set node = 'pbx9'")
    assert (await command(*words, "--node", "pbx9")).status == 0


@pytest.mark.parametrize("since", ["9999-12-31", "2126-01-01"])
async def test_a_time_to_come_is_refused(pool: Pool, acme: Directory, data: Path, command: Run, since: str) -> None:
    done = await command("audit", "--from", since, "--to", "9999-12-31")
    assert (done.status, done.output) == (2, "")
    assert done.errors.splitlines()[-1].startswith("gateway: --from: what is compared ends ten seconds ago")


async def test_the_digest_is_kept_and_an_account_sees_its_own(pool: Pool, acme: Directory, data: Path) -> None:
    await read_all(pool, THREE)
    assert await audited.last_digest(pool, "acme") is None
    now = datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert await audit_day(pool, "pbx1", now, KeptFiles())
    assert not await audit_day(pool, "pbx1", now, KeptFiles())
    digest = await audited.last_digest(pool, "acme")
    assert digest is not None
    assert (digest["from"], digest["to"]) == ("2026-11-24T00:00:00.000Z", "2026-11-25T00:00:00.000Z")
    assert (digest["agrees"], digest["calls"], digest["differences"]) == (True, 3, 0)
    await pool.execute("delete from events where type = 'call.ended' and call_id = $1", (await ids(pool))[1])
    await audit_day(pool, "pbx1", now + timedelta(days=1), KeptFiles())
    digest = await audited.last_digest(pool, "acme")
    assert digest is not None
    assert (digest["agrees"], digest["differences"]) == (False, 1)
    stored = json.loads(await pool.fetchval("select document::text from audits order by made_at desc limit 1"))
    assert stored["differences"] == {"sequence_gap": 1}
    assert await audited.last_digest(pool, "umbrella") is None
