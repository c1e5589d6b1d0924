"""The pool of connections to Postgres."""

import asyncpg

from gateway.store.connection import Pool

MOST_CONNECTIONS = 20


async def open_pool(url: str) -> Pool:
    """A pool on the database at `url`; connections are made as they are needed.

    Raises:
        asyncpg.PostgresError, OSError: the database cannot be reached.
    """
    pool = await asyncpg.create_pool(url, min_size=1, max_size=MOST_CONNECTIONS, command_timeout=30)
    assert pool is not None
    return pool
