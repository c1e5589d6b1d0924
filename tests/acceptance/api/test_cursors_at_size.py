"""Walks by cursor while calls arrive the whole time, of a settable size: `CALLS_ARRIVING`.

`make verify-api` lets 100 000 arrive. The figures are one line of standard output.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import pytest

from gateway.calls.directory import Directory
from gateway.calls.record import CallRecord
from gateway.store import calls
from gateway.store.connection import Pool
from tests.acceptance.api.records import SECOND, inbound, instant

ARRIVING = int(os.environ.get("CALLS_ARRIVING", "3000"))
THERE = 600
PAGE = 20
BATCH = 200
SORTS = ("newest_first", "oldest_first", "longest_first")
FIGURES = "pages: "
BEGINNING = instant("2026-11-03T00:00:00+11:00")


def call(acme: Directory, n: int) -> CallRecord:
    return inbound(acme, BEGINNING + n * SECOND // 10, seconds=60 + n % 7)


async def write(pool: Pool, records: Sequence[CallRecord]) -> None:
    for first in range(0, len(records), BATCH):
        async with pool.acquire() as connection, connection.transaction():
            await calls.write_records(connection, records[first : first + BATCH])


async def pages(client: httpx.AsyncClient, url: str | None) -> AsyncIterator[list[str]]:
    """The ids of each page, as one follows `Link`."""
    while url is not None:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        yield [row["id"] for row in answer.json()["data"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None


def in_order(sort: str, records: Sequence[CallRecord]) -> list[str]:
    """As a list has them."""
    if sort == "longest_first":
        ordered = sorted(records, key=lambda one: (one.duration_ms or 0, str(one.id)), reverse=True)
    else:
        ordered = sorted(records, key=lambda one: one.started_at, reverse=sort == "newest_first")
    return [str(one.id) for one in ordered]


@pytest.mark.timeout(3600)
async def test_calls_that_arrive_while_cursors_walk(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    """Before, between and after those that were there, some of which are amended. Every walk is on its way when the
    first call arrives, and not over before the last has.
    """
    step = -(-ARRIVING // THERE) + 1
    there = [call(acme, n) for n in range(0, THERE * step, step)]
    arriving = [call(acme, n) for n in range(-step, THERE * step) if n % step]
    random.Random(6).shuffle(arriving)
    await write(pool, there)

    walks = {sort: pages(client, f"/v1/calls?sort={sort}&limit={PAGE}") for sort in SORTS}
    found = {sort: await anext(walk) for sort, walk in walks.items()}
    rounds = THERE // PAGE - 1
    share = -(-len(arriving) // (rounds - 1))
    for n in range(rounds):
        now = arriving[n * share : (n + 1) * share]
        now += [replace(one, hung_up_by="callee", duration_ms=1000 * n) for one in there[n::rounds]]
        reading = asyncio.gather(*(anext(walk) for walk in walks.values()))
        read, _ = await asyncio.gather(reading, write(pool, now))
        for sort, page in zip(SORTS, read, strict=True):
            found[sort] += page
    expected = {str(one.id) for one in there}
    skipped = {sort: len(expected - set(rows)) for sort, rows in found.items()}
    repeated = {sort: len(rows) - len(set(rows)) for sort, rows in found.items()}
    print(FIGURES + json.dumps({"arrived": len(arriving), "skipped": skipped, "repeated": repeated}))
    for sort, walk in walks.items():
        assert [page async for page in walk] == []
        assert found[sort] == in_order(sort, there)

    everything = in_order("oldest_first", [*there, *arriving])
    assert await pool.fetchval("select count(*) from calls") == len(everything)
    whole = [row async for page in pages(client, "/v1/calls?sort=oldest_first&limit=10000") for row in page]
    assert whole == everything
    async for page in pages(client, "/v1/calls?sort=oldest_first&offset=50&limit=30"):
        assert page == everything[50:80]  # rows 51 to 80
        break
