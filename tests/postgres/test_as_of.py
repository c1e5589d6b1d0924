"""Since when something may be missing from what a list shows."""

from datetime import timedelta
from uuid import uuid4

import pytest

from gateway.store import listings
from gateway.store.connection import Pool


async def test_a_transaction_of_which_postgres_does_not_tell_yet_is_not_passed_over(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells of one a moment after it began; to a role that may not look, of none."""
    monkeypatch.setattr(listings, "UNTOLD", timedelta(minutes=10))
    role = f"reader_{uuid4().hex}"
    async with pool.acquire() as reading, pool.acquire() as writing:
        await reading.execute(f"create role {role}")
        await reading.execute(f"set role {role}")
        try:
            async with writing.transaction():
                began = await writing.fetchval("select now()")
                assert await listings.as_of(reading) < began
        finally:
            await reading.execute("reset role")
            await reading.execute(f"drop role {role}")
