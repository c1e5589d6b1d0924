"""Who of a node's gateways writes: the one that holds the lease. The others stand by.

The lease is renewed on a connection of its own, so that a long commit does not hold it up; each
transaction of the writer checks the epoch on the writer's. A writer that was paused until another
took over finds its session ended, and if not that, another epoch: it can write nothing.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import structlog

from gateway.store import leases
from gateway.store.connection import Connection, Pool, told_to_end
from gateway.store.leases import Holder

ASK_AGAIN_SECONDS = 1.0
GIVE_UP_SECONDS = 1.0
WRITER_SETTINGS = (
    # Postgres notices within half a minute when our machine is gone.
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    # Where a standby may not end our session: a transaction in which we were paused ends all the same.
    ("idle_in_transaction_session_timeout", "10s"),
)

Role: TypeAlias = Literal["leader", "standby"]

log = structlog.get_logger()


class Leadership:
    """`role`: None until it is known; `epoch`: of the node's lease as last seen, ours or another's."""

    def __init__(self, pool: Pool, node: str) -> None:
        self._pool = pool
        self._node = node
        self.role: Role | None = None
        self.epoch = 0
        self._own_epoch = 0

    async def lead(
        self,
        work: Callable[[Connection], Awaitable[None]],
        stand_by: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        """Waits for the lease, then works until the work ends, or the lease is lost.

        `stand_by`: done again and again while another leads.

        Raises: Fenced, where another took over; else what the work raises.
        """
        async with self._pool.acquire() as own:
            while True:
                free, self.epoch = await leases.look(own, self._node)
                if told_to_end():
                    return
                if free:
                    break
                self._is("standby")
                if stand_by is not None:
                    await stand_by(own)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            async with self._pool.acquire() as writer:
                try:
                    await self._lead(own, writer, work)
                finally:
                    await _as_it_was(writer)

    async def check(self, connection: Connection) -> None:
        """First in every transaction of the writer. Raises Fenced."""
        await leases.check(connection, self._node, self._own_epoch)

    async def _lead(self, own: Connection, writer: Connection, work: Callable[[Connection], Awaitable[None]]) -> None:
        for setting, value in WRITER_SETTINGS:
            await writer.execute("select set_config($1, $2, false)", setting, value)
        backend: int = await writer.fetchval("select pg_backend_pid()")
        epoch = await leases.take(own, self._node, Holder(socket.gethostname(), os.getpid(), backend))
        if epoch is None:
            return
        self.epoch = self._own_epoch = epoch
        self._is("leader")
        tasks = [
            asyncio.ensure_future(work(writer)),
            asyncio.create_task(self._renew(own), name="lease"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.role = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._give_up(own)

    async def _renew(self, own: Connection) -> None:
        while not told_to_end():
            await asyncio.sleep(leases.RENEWAL_SECONDS)
            await leases.renew(own, self._node, self._own_epoch)

    async def _give_up(self, own: Connection) -> None:
        """That a standby need not wait. Where the connection is lost, so is our session, and it need not either."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await leases.give_up(own, self._node, self._own_epoch)

    def _is(self, role: Role) -> None:
        if self.role != role:
            self.role = role
            log.info(f"ingest.{role}", node=self._node, epoch=self.epoch)


async def _as_it_was(writer: Connection) -> None:
    """For whom the pool lends it to next. One that is lost is lent to nobody."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await writer.execute("reset all")
