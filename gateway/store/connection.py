"""What the store's functions take: a connection, whether of its own or lent by a pool."""

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import asyncpg.pool

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

DRIVER_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises of its own when a connection is lost under it; which one is a matter of the moment."""


def told_to_end() -> bool:
    """Whether this task was cancelled. For loops that go on after an error of the database, or would.

    A connection that dies at that moment turns the cancellation into its own error, and before Python 3.12
    `wait_for`, which the driver uses, can lose it altogether.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
