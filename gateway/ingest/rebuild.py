"""`gateway rebuild`: the calls of a time as today's rules tell them, in the place of what differs."""

from collections.abc import Callable, Sequence

import asyncpg

from gateway.calls.record import CallRecord
from gateway.calls.rows import Instant
from gateway.ingest.history import batches
from gateway.ingest.refold import Refolded, refold
from gateway.store import amended
from gateway.store.amended import Amended, Differing
from gateway.store.connection import Connection
from gateway.store.errors import AlreadyRunning

CALLS_A_TRANSACTION = 100
TRIES = 5


async def rebuild(
    connection: Connection,
    node: str,
    since: Instant,
    until: Instant,
    *,
    on_progress: Callable[[Refolded, Amended], None],
) -> Amended:
    """In many small transactions. One that was killed is run again.

    Raises:
        AlreadyRunning: another rebuilds this node.
    """
    lock = f"rebuild:{node}"
    if not await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", lock):
        raise AlreadyRunning("rebuild", node)
    done = Amended()
    try:
        async for folded in refold(connection, node, since, until):
            for some in batches(folded.records, CALLS_A_TRANSACTION):
                for one in await _amend(connection, node, some):
                    done.kinds[one.kind] = done.kinds.get(one.kind, 0) + 1
            done.compared += len(folded.records)
            on_progress(folded, done)
    finally:
        await connection.execute("select pg_advisory_unlock(hashtextextended($1, 0))", lock)
    return done


async def _amend(connection: Connection, node: str, records: Sequence[CallRecord]) -> list[Differing]:
    for left in reversed(range(TRIES)):
        try:
            async with connection.transaction():
                return await amended.amend(connection, node, records)
        except asyncpg.DeadlockDetectedError:
            if not left:
                raise
    raise AssertionError
