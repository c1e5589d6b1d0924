"""AMI mode with two gateways: each has a spool of its own, and what both heard counts once."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.asterisk.spool import SpoolSource, SpoolWriter
from gateway.asterisk.spool_directory import SpoolDirectory
from gateway.calls.directory import Directory
from gateway.calls.row_json import row_to_json
from gateway.calls.rows import CelRow, ChannelsAlive, Gap, Row
from gateway.ingest import Ingest
from gateway.store.connection import Pool
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED

# Two rows of a real Asterisk differ by microseconds at least.
CALL: list[Row] = list({row_to_json(row): row for row in rows(ANSWERED)}.values())
BEGAN = CALL[0].at - 1_000_000


class Node:
    """One gateway's ears: what it hears goes into its spool in files of at most two rows or so."""

    def __init__(self, pool: Pool, directory: Path) -> None:
        self.directory = directory
        self._writer = SpoolWriter(directory, file_bytes=300)
        self.asked = asyncio.Event()
        self.ingest = Ingest(pool, "pbx1", SpoolSource(directory), ask_channels=self.asked.set)
        self._task: asyncio.Task[None] | None = None
        self.hears([Gap(BEGAN), ChannelsAlive(BEGAN, BEGAN, frozenset())])

    def hears(self, heard: Sequence[Row]) -> None:
        for row in heard:
            self._writer.append(row)

    async def start(self) -> None:
        self._task = asyncio.create_task(self.ingest.run())
        async with asyncio.timeout(10):
            while self.ingest.role is None:
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until_recorded(self, pool: Pool, channel_rows: int) -> None:
        async with asyncio.timeout(10):
            while (await kinds(pool)).count("cel") < channel_rows:
                await asyncio.sleep(0.01)


async def told(pool: Pool) -> list[str]:
    found = await pool.fetch("select type from events where type like 'call.%' order by sequence")
    return [record["type"] for record in found]


async def kinds(pool: Pool) -> list[str]:
    return [json.loads(r["row"])[0] for r in await pool.fetch("select row::text as row from raw_rows order by seq")]


@pytest.fixture
def _asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.leadership.ASK_AGAIN_SECONDS", 0.05)


@pytest.mark.usefixtures("_asks_often")
@pytest.mark.parametrize("recorded", range(1, len(CALL)))
async def test_a_standby_that_heard_all_goes_on_where_the_leader_ended(
    pool: Pool, acme: Directory, tmp_path: Path, recorded: int
) -> None:
    leader, standby = Node(pool, tmp_path / "a"), Node(pool, tmp_path / "b")
    standby.hears(CALL[:recorded])
    await leader.start()
    await standby.start()
    leader.hears(CALL[:recorded])
    await leader.until_recorded(pool, recorded)
    await leader.stop()
    standby.hears(CALL[recorded:])
    await standby.until_recorded(pool, len(CALL))
    await standby.stop()
    assert (await kinds(pool)).count("cel") == len(CALL)
    assert await told(pool) == ["call.started", "call.ringing", "call.answered", "call.ended"]
    document = json.loads(await pool.fetchval("select document from calls"))
    assert (document["outcome"], document["complete"]) == ("answered", True)


@pytest.mark.usefixtures("_asks_often")
async def test_back_and_forth(pool: Pool, acme: Directory, tmp_path: Path) -> None:
    """Each of the two leads at times, and hears on while it does not; a restart of one adds no gap."""
    both = [Node(pool, tmp_path / "a"), Node(pool, tmp_path / "b")]
    for number, row in enumerate(CALL, 1):
        for node in both:
            node.hears([row])
        leading = both[number % 2]
        await leading.start()
        await leading.until_recorded(pool, number)
        await leading.stop()
    assert (await kinds(pool)).count("cel") == len(CALL)
    assert await told(pool) == ["call.started", "call.ringing", "call.answered", "call.ended"]
    assert json.loads(await pool.fetchval("select document from calls"))["complete"] is True


@pytest.mark.usefixtures("_asks_often")
async def test_a_standby_goes_on_where_the_leader_ended_after_asterisks_clock_was_set_back(
    pool: Pool, acme: Directory, tmp_path: Path
) -> None:
    leader, standby = Node(pool, tmp_path / "a"), Node(pool, tmp_path / "b")
    earlier = [replace(row, at=row.at - 600_000_000) for row in CALL if isinstance(row, CelRow)]
    for node in (leader, standby):
        node.hears([*CALL, *earlier[:4]])
    await leader.start()
    await leader.until_recorded(pool, len(CALL) + 4)
    await leader.stop()
    standby.hears(earlier[4:])
    await standby.start()
    await standby.until_recorded(pool, len(CALL) + len(earlier))
    await standby.stop()
    assert (await kinds(pool)).count("cel") == len(CALL) + len(earlier)


@pytest.mark.usefixtures("_asks_often")
async def test_a_standby_that_came_too_late_says_so(pool: Pool, acme: Directory, tmp_path: Path) -> None:
    leader, standby = Node(pool, tmp_path / "a"), Node(pool, tmp_path / "b")
    leader.hears(CALL[:4])
    await leader.start()
    await leader.until_recorded(pool, 4)
    await leader.stop()
    standby.hears(CALL[6:])
    await standby.start()
    await standby.until_recorded(pool, len(CALL) - 2)
    await standby.stop()
    assert (await kinds(pool)).count("cel") == len(CALL) - 2
    assert (await told(pool))[-1] == "call.ended"
    assert json.loads(await pool.fetchval("select document from calls"))["complete"] is False
    assert await pool.fetchval("select gap_at from nodes") is not None
    assert (leader.asked.is_set(), standby.asked.is_set()) == (False, True)


@pytest.mark.usefixtures("_asks_often")
async def test_what_the_leader_has_committed_a_standby_lets_go(pool: Pool, acme: Directory, tmp_path: Path) -> None:
    leader, standby = Node(pool, tmp_path / "a"), Node(pool, tmp_path / "b")
    await leader.start()
    await standby.start()
    for node in (leader, standby):
        node.hears(CALL)
    try:
        async with asyncio.timeout(10):
            while len(list(standby.directory.glob("*.jsonl"))) > 1:
                await asyncio.sleep(0.02)
    finally:
        await standby.stop()
        await leader.stop()


def test_gateways_that_share_a_data_directory_have_a_spool_each(tmp_path: Path) -> None:
    with SpoolDirectory(tmp_path / "spool") as first:
        with SpoolDirectory(tmp_path / "spool") as second, SpoolDirectory(tmp_path / "spool") as third:
            assert [path.name for path in (first, second, third)] == ["spool", "spool-2", "spool-3"]
        with SpoolDirectory(tmp_path / "spool") as again:
            assert again.name == "spool-2"
    with SpoolDirectory(tmp_path / "spool") as again:
        assert again.name == "spool"
