"""The pool of connections to Postgres."""

import asyncpg

from gateway.store.connection import Connection, Pool

MOST_CONNECTIONS = 20


async def open_pool(url: str) -> Pool:
    """A pool on the database at `url`; connections are made as they are needed.

    Whoever gives one back leaves no open transaction (the pool sees to that), and undoes settings and session
    locks of its own: that is not asked of the database after each statement, which would be twice the questions.

    Raises:
        asyncpg.PostgresError, OSError: the database cannot be reached.
    """
    pool = await asyncpg.create_pool(url, min_size=1, max_size=MOST_CONNECTIONS, command_timeout=30, reset=_nothing)
    assert pool is not None
    return pool


async def _nothing(_: Connection) -> None:
    pass
