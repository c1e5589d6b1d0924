"""What is shown before applying is what applying does; who applies at the same time waits."""

import asyncio
from dataclasses import replace

import pytest

from gateway.calls.directory import Directory, Group, User
from gateway.store import directories
from gateway.store.connection import Pool
from gateway.store.errors import ClaimedElsewhere
from tests.directories import ACME


async def _apply(pool: Pool, directory: Directory) -> directories.Plan:
    async with pool.acquire() as connection:
        return await directories.apply(connection, directory)


async def test_a_plan_is_refused_where_applying_would_be(pool: Pool, acme: Directory) -> None:
    claims = Directory("other", "Other", "UTC", "AU", numbers=acme.numbers[:1])
    async with pool.acquire() as connection:
        with pytest.raises(ClaimedElsewhere, match=r"number \+61290000001 on node pbx1 belongs to account acme"):
            await directories.plan(connection, claims)


async def test_a_plan_tells_who_goes_and_who_comes(pool: Pool, acme: Directory) -> None:
    less = replace(ACME, queues=(), users=(replace(ACME.users[0], name="Alicia"), *ACME.users[1:]))
    async with pool.acquire() as connection:
        changes = (await directories.plan(connection, less)).changes
    assert [line.split(":")[0] for line in changes] == ["- user u1", "- queue support", "+ user u4"]


async def test_two_ring_groups_of_one_name_are_told_of_one_by_one(pool: Pool, acme: Directory) -> None:
    """Else the change of one is taken for no change, and not applied."""
    sales, too = Group("600", "sales"), Group("601", "sales")
    both = await _apply(pool, replace(acme, ring_groups=(sales, too)))
    assert [line.split(":")[0] for line in both.changes] == [
        "- ring group sales",
        "+ ring group sales 600",
        "+ ring group sales 601",
    ]
    changed = await _apply(pool, replace(acme, ring_groups=(replace(sales, members=("101",)), too)))
    assert [line.split(":")[0] for line in changed.changes] == ["~ ring group sales 600"]
    assert await directories.current(pool, "acme") == changed.directory


async def test_versions_are_in_the_order_of_their_times_whoever_waited(pool: Pool) -> None:
    names = ["Alice", "Bob", "Carol", "Dave", "Eve"]
    await asyncio.gather(*(_apply(pool, replace(ACME, users=(User("", "101", name),))) for name in names))
    versions = [directory for _, directory in await directories.history(pool, "pbx1")]
    assert len(versions) == len(names)
    assert versions[-1] == await directories.current(pool, "acme")
