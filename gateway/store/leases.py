"""Who writes a node's records: one lease per node. See sql/0002_leases.sql for its locks.

Time is the database's alone. What makes it safe is the epoch, not time: a lease that was taken over
too early costs its holder some work, and no row is written twice.
"""

from dataclasses import dataclass

import asyncpg

from gateway.store.connection import Connection
from gateway.store.errors import Fenced

LEASE_SECONDS = 5.0
RENEWAL_SECONDS = LEASE_SECONDS / 3
TAKE_OVER_WAIT_MS = 1_000
"""For how long a take-over waits for a transaction of the old writer whose session it could not end."""

END_SESSION_WAIT_MS = 1_000

FREE = """
(expires_at <= clock_timestamp() or not exists (
    select from pg_stat_activity a
    where a.pid = backend_pid and (a.backend_start is null or a.backend_start = leases.backend_start)
))
"""
"""A session that is gone cannot renew. When another's began, only those may see who share its role."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A gateway's process, and the database session in which it would write."""

    host: str
    pid: int
    backend_pid: int


async def look(connection: Connection, node: str) -> tuple[bool, int]:
    """Whether the node's lease may be taken: nobody has it, or whoever did let it expire or is gone. Its epoch."""
    found = await connection.fetchrow(f"select {FREE} as free, epoch from leases where node = $1", node)
    return (True, 0) if found is None else (found["free"], found["epoch"])


async def take(connection: Connection, node: str, holder: Holder) -> int | None:
    """The epoch of the lease that is ours now; None where another holds it. Not inside a transaction.

    What the old writer had not committed is undone, or, where its session may not be ended, this waits.
    """
    await _end_old_session(connection, node)
    try:
        async with connection.transaction():
            return await _take(connection, node, holder)
    except asyncpg.LockNotAvailableError:
        return None


async def _take(connection: Connection, node: str, holder: Holder) -> int | None:
    await connection.execute("select set_config('lock_timeout', $1, true)", f"{TAKE_OVER_WAIT_MS}ms")
    await connection.execute(
        """
        insert into leases (node, epoch, host, pid, backend_pid, taken_at, expires_at)
        values ($1, 0, '', 0, 0, now(), '-infinity') on conflict do nothing
        """,
        node,
    )
    if not await connection.fetchval(f"select true from leases where node = $1 and {FREE} for update", node):
        return None
    epoch: int = await connection.fetchval(
        """
        update leases
        set epoch = epoch + 1, host = $2, pid = $3, backend_pid = $4,
            backend_start = (select a.backend_start from pg_stat_activity a where a.pid = $4),
            taken_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $5)
        where node = $1
        returning epoch
        """,
        node,
        holder.host,
        holder.pid,
        holder.backend_pid,
        LEASE_SECONDS,
    )
    return epoch


async def renew(connection: Connection, node: str, epoch: int) -> None:
    """Also one that has expired, as long as nobody took it over. Raises Fenced."""
    done = await connection.fetchval(
        "update leases set expires_at = clock_timestamp() + make_interval(secs => $3) "
        "where node = $1 and epoch = $2 returning true",
        node,
        epoch,
        LEASE_SECONDS,
    )
    if not done:
        raise Fenced(node, epoch)


async def give_up(connection: Connection, node: str, epoch: int) -> None:
    """Another may take it at once. Our session is not ended for it: it serves others of ours by then."""
    await connection.execute(
        "update leases set expires_at = clock_timestamp(), backend_pid = 0, backend_start = null "
        "where node = $1 and epoch = $2",
        node,
        epoch,
    )


async def check(connection: Connection, node: str, epoch: int) -> None:
    """First in every transaction of a writer: until it ends nobody takes the lease over. Raises Fenced."""
    if not await connection.fetchval(
        "select true from leases where node = $1 and epoch = $2 for key share", node, epoch
    ):
        raise Fenced(node, epoch)


async def _end_old_session(connection: Connection, node: str) -> None:
    """Where our role may; where not, its transactions find another epoch, and end."""
    try:
        await connection.execute(
            f"""
            select pg_terminate_backend(old.pid, $2)
            from leases join pg_stat_activity old on old.pid = backend_pid and old.backend_start = leases.backend_start
            where node = $1 and {FREE}
            """,
            node,
            END_SESSION_WAIT_MS,
        )
    except asyncpg.InsufficientPrivilegeError:
        return
