"""The same calls, heard over AMI and read from Asterisk's own files, give the same records."""

from dataclasses import asdict
from pathlib import Path

from gateway.asterisk.listener import Listener
from gateway.asterisk.spool import SpoolSource
from gateway.calls.record import CallRecord
from tests.asterisk.laboratory import OUTSIDE, Laboratory

SAME_MOMENT = 100_000
"""Microseconds by which AMI may tell of something later than the journal."""

TIMES = ("_at", "_ms")


async def test_spool_and_journal_tell_the_same(lab: Laboratory, tmp_path: Path) -> None:
    source = SpoolSource(tmp_path / "spool")
    listener = Listener(lab.pbx.ami_url, tmp_path / "spool", source)
    await listener.start()
    try:
        await listener.session.wait_connected(10)
        desk, _, bob, outside = await lab.phones("101-desk", "101-mobile", "102", "carrier")
        await desk.behave(answer_after=0.2)
        await outside.behave(answer_after=0.2)
        await lab.click(OUTSIDE)
        await outside.wait_for("talking")
        await lab.talk()
        await outside.hang_up()
        await desk.wait_for("over")
        await bob.behave(answer_after=0.2)
        await outside.call("+61290000003")
        await bob.wait_for("talking")
        await lab.talk()
        await bob.hang_up()
        written = await lab.records(2)
        heard = await lab.records(2, source)
    finally:
        await listener.close()
    for one, other in zip(sorted(heard, key=_id), sorted(written, key=_id), strict=True):
        differing = {
            name: (value, _shape(other)[name]) for name, value in _shape(one).items() if value != _shape(other)[name]
        }
        assert differing == {}
        assert abs(one.started_at - other.started_at) < SAME_MOMENT
        assert abs(one.talk_ms - other.talk_ms) * 1000 < SAME_MOMENT


def _id(record: CallRecord) -> str:
    return record.id


def _shape(record: CallRecord) -> dict[str, object]:
    """The record without its instants and durations."""
    return {name: _without_times(value) for name, value in asdict(record).items() if not name.endswith(TIMES)}


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if not key.endswith(TIMES)}
    if isinstance(value, list | tuple):
        return [_without_times(inner) for inner in value]
    return value
