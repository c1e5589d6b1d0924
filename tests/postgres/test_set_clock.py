"""A clock that was set while no gateway ran, with the journal: the calls it may have fallen into say so, no others."""

import json

import pytest

from gateway.asterisk.journal import JournalSource
from gateway.asterisk.source import Position
from gateway.calls.directory import Directory
from gateway.store.connection import Pool
from tests.postgres.test_change_of_source import EVENTS, Pbx, pbx, read_to_end, record

__all__ = ["pbx"]


async def complete(pool: Pool) -> dict[int, bool]:
    """By the number of the call."""
    found = await pool.fetch("select linked_ids[1] as id, document::text as document from calls where state = 'ended'")
    return {int(one["id"].rpartition(".")[2]): json.loads(one["document"])["complete"] for one in found}


@pytest.mark.parametrize("seconds", [-3_600, 30])
async def test_the_calls_since_the_last_commit_say_so(pool: Pool, acme: Directory, pbx: Pbx, seconds: int) -> None:
    clock = Position("boot", 10**15)

    async def read() -> None:
        await read_to_end(pool, JournalSource(pbx.journal, clock=lambda: clock))

    pbx.carries(100)
    pbx.writes([record(200, 200, "CHAN_START")])
    await read()
    clock = Position("boot", 10**15 + seconds * 1_000_000)
    pbx.carries(210)
    pbx.writes([record(220 + place, 200, event) for place, event in enumerate(EVENTS[1:])])
    pbx.writes([record(230, 230, "CHAN_START")])
    for _ in range(2):
        await read()
    pbx.writes([record(240 + place, 230, event) for place, event in enumerate(EVENTS[1:])])
    pbx.carries(300)
    await read()
    assert await complete(pool) == {100: True, 200: False, 210: False, 230: False, 300: True}
