"""What is shown before applying is what applying does; who applies at the same time waits."""

import asyncio
from dataclasses import replace

import pytest

from gateway.calls.directory import Directory, User
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


async def test_versions_are_in_the_order_of_their_times_whoever_waited(pool: Pool) -> None:
    names = ["Alice", "Bob", "Carol", "Dave", "Eve"]
    await asyncio.gather(*(_apply(pool, replace(ACME, users=(User("", "101", name),))) for name in names))
    versions = [directory for _, directory in await directories.history(pool, "pbx1")]
    assert len(versions) == len(names)
    assert versions[-1] == await directories.current(pool, "acme")
