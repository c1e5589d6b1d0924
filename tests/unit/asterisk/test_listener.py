"""The listener between a scripted peer and the spool, or the journal."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.asterisk.listener import Listener
from gateway.asterisk.source import Position
from gateway.asterisk.spool import SpoolSource, now
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, Row, Watermark
from tests.unit.asterisk.conftest import QUICK
from tests.unit.asterisk.peer import ScriptedPeer, silence
from tests.unit.asterisk.test_actions import channels
from tests.unit.asterisk.test_rows import EXPECTED, ami_event


@pytest.fixture
def asterisk(peer: ScriptedPeer) -> ScriptedPeer:
    peer.answers["CoreShowChannels"] = channels(("PJSIP/101-1", "1.1", "1.1"))
    peer.answers["CoreSettings"] = lambda c, a: c.reply(
        a, "Response: Success", "AsteriskVersion: 22.10.1", "SystemName: pbx7"
    )
    return peer


class Following:
    """Reads the spool as ingest does."""

    def __init__(self, source: SpoolSource) -> None:
        self.source = source
        self.positions: dict[str, Position] = {}
        self.rows: list[Row] = []

    async def until(self, count: int) -> list[Row]:
        async with asyncio.timeout(5):
            while len(self.rows) < count:
                await self.source.wait(5)
                batch = await self.source.read(self.positions, 100)
                self.positions.update(batch.positions)
                self.rows += batch.rows
        return self.rows


@pytest.fixture
async def followed(asterisk: ScriptedPeer, tmp_path: Path) -> AsyncIterator[tuple[Listener, Following]]:
    source = SpoolSource(tmp_path)
    listener = Listener(asterisk.url, tmp_path, source, pace=QUICK, settle_seconds=0)
    await listener.start()
    yield listener, Following(source)
    await listener.close()


def send(peer: ScriptedPeer, **headers: str) -> None:
    peer.connection.send(*(f"{name}: {value}" for name, value in ami_event(**headers).items()))


async def test_gaps_then_the_living_channels_then_what_is_heard(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following]
) -> None:
    listener, following = followed
    rows = await following.until(3)
    assert [type(row) for row in rows] == [Gap, Gap, ChannelsAlive]
    alive = rows[2]
    assert isinstance(alive, ChannelsAlive)
    assert alive.unique_ids == {"1.1"}
    # The peer's clock: what its Pong says.
    assert abs(alive.since - 1795489263178801) < 10_000_000
    assert alive.since <= alive.at
    send(asterisk)
    assert (await following.until(4))[3] == EXPECTED
    assert listener.connected
    assert listener.hears
    assert listener.last_event_at is not None


async def test_until_asterisk_told_its_channels_not_all_is_heard(asterisk: ScriptedPeer, tmp_path: Path) -> None:
    asterisk.answers["CoreShowChannels"] = silence
    listener = Listener(asterisk.url, tmp_path, SpoolSource(tmp_path), pace=QUICK, settle_seconds=0)
    await listener.start()
    try:
        await asterisk.until(lambda: asterisk.count("CoreShowChannels") == 1)
        assert (listener.connected, listener.hears) == (True, False)
    finally:
        await listener.close()


async def test_every_reconnect_is_a_gap_and_asks_for_the_channels_again(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following]
) -> None:
    _, following = followed
    await following.until(3)
    asterisk.connection.cut()
    rows = await following.until(5)
    assert [type(row) for row in rows[3:]] == [Gap, ChannelsAlive]


async def test_after_rows_were_lost_asterisk_is_asked_which_channels_live(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer has to be written, too: until then it is not known what lives."""
    listener, following = followed
    await following.until(3)
    monkeypatch.setattr("gateway.asterisk.listener.SURVEY_RETRY_SECONDS", 0.01)
    write, refused = os.write, 0

    def full(descriptor: int, data: bytes) -> int:
        nonlocal refused
        if refused == 3:
            return write(descriptor, data)
        refused += 1
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("gateway.asterisk.spool.os.write", full)
    send(asterisk)
    rows = await following.until(5)
    assert [type(row) for row in rows[3:]] == [Gap, ChannelsAlive]
    async with asyncio.timeout(5):
        while not listener.hears:
            await asyncio.sleep(0.01)
    assert (listener.owes, refused) == (False, 3)


@pytest.fixture
async def asking(asterisk: ScriptedPeer, tmp_path: Path) -> AsyncIterator[tuple[Listener, Following]]:
    """Again and again."""
    asterisk.answers["Ping"] = lambda c, a: c.reply(a, "Response: Success", f"Timestamp: {now() / 1_000_000:.6f}")
    source = SpoolSource(tmp_path)
    listener = Listener(asterisk.url, tmp_path, source, pace=QUICK, settle_seconds=0, survey_again_seconds=0.05)
    await listener.start()
    yield listener, Following(source)
    await listener.close()


async def test_what_lived_neither_now_nor_at_the_last_look_is_over(
    asterisk: ScriptedPeer, asking: tuple[Listener, Following]
) -> None:
    """Rows of what ended just now may be late."""
    listener, following = asking
    first = (await following.until(3))[2]
    assert isinstance(first, ChannelsAlive)
    asterisk.answers["CoreShowChannels"] = channels(("PJSIP/102-2", "2.1", "2.1"))
    while (rows := await following.until(len(following.rows) + 1))[-1] != replace_ids(rows[-1], {"2.1"}):
        assert listener.hears
    looks = [row for row in rows if isinstance(row, ChannelsAlive)]
    assert [set(row.unique_ids) for row in looks[-3:]] == [{"1.1"}, {"1.1", "2.1"}, {"2.1"}]
    assert looks[1].since == first.since
    assert looks[-1].since > first.since


def replace_ids(row: Row, unique_ids: set[str]) -> Row:
    assert isinstance(row, ChannelsAlive)
    return replace(row, unique_ids=frozenset(unique_ids))


async def test_after_asterisks_clock_was_set_the_last_look_counts_no_more(
    asterisk: ScriptedPeer, asking: tuple[Listener, Following]
) -> None:
    _, following = asking
    await following.until(3)
    set_at = now()
    send(asterisk, Timestamp=f"{set_at / 1_000_000:.6f}")
    send(asterisk, Timestamp="1795400000.000000")
    while not any(isinstance(row, ClockStep) for row in following.rows):
        await following.until(len(following.rows) + 1)
    stepped = next(place for place, row in enumerate(following.rows) if isinstance(row, ClockStep))
    while not (looks := [row for row in following.rows[stepped:] if isinstance(row, ChannelsAlive)]):
        await following.until(len(following.rows) + 1)
    assert looks[0].since >= set_at


async def test_a_look_that_fails_changes_nothing_of_what_is_heard(
    asterisk: ScriptedPeer, asking: tuple[Listener, Following]
) -> None:
    listener, following = asking
    await following.until(3)
    asterisk.answers["CoreShowChannels"] = silence
    asked = asterisk.count("CoreShowChannels")
    await asterisk.until(lambda: asterisk.count("CoreShowChannels") > asked)
    assert listener.hears
    listener.ask_channels()
    assert not listener.hears


async def test_who_lost_rows_asks_as_soon_as_there_is_a_link(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following]
) -> None:
    listener, following = followed
    await following.until(3)
    listener.ask_channels()
    assert (listener.hears, listener.owes) == (False, True)
    asterisk.connection.cut()
    listener.ask_channels()
    rows = await following.until(5)
    assert isinstance(rows[-1], ChannelsAlive)
    async with asyncio.timeout(5):
        while listener.owes:
            await asyncio.sleep(0.01)


async def test_an_answered_ping_tells_until_when_all_was_heard(asterisk: ScriptedPeer, tmp_path: Path) -> None:
    """With a second to spare, in which Asterisk may have had a row in hand."""
    asterisk.answers["Ping"] = lambda c, a: c.reply(a, "Response: Success", "Timestamp: 1795489264.500000")
    source = SpoolSource(tmp_path)
    listener = Listener(asterisk.url, tmp_path, source, pace=replace(QUICK, ping_interval=0.05), settle_seconds=1)
    await listener.start()
    try:
        rows = await Following(source).until(5)
        assert Watermark(1795489263_500000) in rows
    finally:
        await listener.close()


async def test_when_asterisks_clock_is_set_it_stands_among_the_rows(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following]
) -> None:
    """Seen at the first row, or while none comes at the next Ping."""
    listener, following = followed
    await following.until(3)
    send(asterisk, Timestamp="1795489264.000000")
    send(asterisk, Timestamp="1795492864.000000")
    rows = await following.until(6)
    assert [type(row) for row in rows[3:]] == [CelRow, ClockStep, CelRow]
    asterisk.answers["Ping"] = lambda c, a: c.reply(a, "Response: Success", "Timestamp: 1795400000.000000")
    listener.ask_channels()
    assert (await following.until(7))[6] == ClockStep(1795400000_000000)


async def test_with_a_journal_its_reader_is_told_of_a_clock_that_is_set(asterisk: ScriptedPeer, tmp_path: Path) -> None:
    source = JournalSource(tmp_path / "Master.csv", poll_seconds=60)
    listener = Listener(asterisk.url, None, source, pace=QUICK, settle_seconds=0)
    await listener.start()
    try:
        await listener.session.wait_connected(5)
        send(asterisk, Timestamp="1795489264.000000")
        send(asterisk, Timestamp="1795489200.000000")
        async with asyncio.timeout(5):
            while ClockStep(1795489200_000000) not in (await source.read({}, 10)).rows:
                await source.wait(5)
    finally:
        await listener.close()


async def test_digits_never_reach_the_disk(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following], tmp_path: Path
) -> None:
    _, following = followed
    await following.until(3)
    send(asterisk, EventName="DTMF", Extra='{"digit":"7","duration_ms":120}')
    send(asterisk)
    assert isinstance((await following.until(4))[3], CelRow)
    assert all(b"digit" not in path.read_bytes() for path in tmp_path.iterdir())


async def test_an_event_that_cannot_be_read_is_counted_and_passed(
    asterisk: ScriptedPeer, followed: tuple[Listener, Following], caplog: pytest.LogCaptureFixture
) -> None:
    listener, following = followed
    await following.until(3)
    send(asterisk, Timestamp="", EventTime="never", CallerIDname="Private Person")
    send(asterisk)
    assert (await following.until(4))[3] == EXPECTED
    assert listener.rows_unreadable == 1
    assert "Private Person" not in caplog.text


async def test_system_name_and_version_are_learnt(asterisk: ScriptedPeer, followed: tuple[Listener, Following]) -> None:
    listener, following = followed
    await following.until(3)
    await asterisk.until(lambda: asterisk.count("CoreSettings") == 1)
    async with asyncio.timeout(5):
        while listener.version is None:
            await asyncio.sleep(0.01)
    assert (listener.system_name, listener.version) == ("pbx7", "22.10.1")


async def test_with_a_journal_nothing_is_spooled_and_the_reader_is_woken(
    asterisk: ScriptedPeer, tmp_path: Path
) -> None:
    source = JournalSource(tmp_path / "Master.csv", poll_seconds=60)
    listener = Listener(asterisk.url, None, source, pace=QUICK, settle_seconds=0)
    await listener.start()
    try:
        await listener.session.wait_connected(5)
        await source.wait(5)
        async with asyncio.timeout(5):
            while not (rows := (await source.read({}, 10)).rows):
                await source.wait(5)
        assert [type(row) for row in rows] == [ChannelsAlive]
        send(asterisk)
        await asyncio.wait_for(source.wait(60), 5)
        assert list(tmp_path.iterdir()) == []
    finally:
        await listener.close()


async def test_hints_get_what_is_no_row(asterisk: ScriptedPeer, tmp_path: Path) -> None:
    hints: asyncio.Queue[str] = asyncio.Queue()
    source = SpoolSource(tmp_path)
    listener = Listener(
        asterisk.url,
        tmp_path,
        source,
        settle_seconds=0,
        on_hint=lambda headers: hints.put_nowait(headers["Event"]),
        pace=QUICK,
    )
    await listener.start()
    try:
        await listener.session.wait_connected(5)
        send(asterisk)
        asterisk.connection.send("Event: DialState", "DialStatus: RINGING")
        assert await asyncio.wait_for(hints.get(), 5) == "DialState"
    finally:
        await listener.close()
