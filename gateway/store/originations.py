"""Calls that were asked for: committed before Asterisk hears of them, never placed twice.

One account's requests are reserved one after the other (an advisory lock held to the end of the
transaction), so that limits and idempotency keys hold whatever comes at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from gateway.calls.identity import uuid7
from gateway.store.connection import Connection, Pool

IDEMPOTENCY_KEPT = timedelta(hours=24)
MARGIN = timedelta(seconds=10)
"""After its deadline nobody is rung. As long after it, the rows of a call that was begun have come."""

COLUMNS = (
    "id, node, user_id, user_number, user_name, destination, caller_id, reference, deadline, request_sha256, "
    "state, failure, created_at"
)


@dataclass(frozen=True, slots=True)
class NewOrigination:
    """What is reserved. Timeouts in seconds; `idempotency_key` and `request_sha256` go together."""

    id: str
    node: str
    user_id: str
    user_number: str
    user_name: str
    destination: str
    caller_id: str | None
    reference: str | None
    ring_timeout: int
    answer_timeout: int
    devices: tuple[str, ...]
    deadline: datetime
    idempotency_key: str | None
    request_sha256: bytes
    actor: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """An origination as it stands."""

    id: str
    node: str
    user_id: str
    user_number: str
    user_name: str
    destination: str
    caller_id: str | None
    reference: str | None
    deadline: datetime
    request_sha256: bytes | None
    state: Literal["reserved", "accepted", "refused", "recorded"]
    failure: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls that the gateway placed for the account: in the last minute, and not over yet."""

    last_minute: int
    simultaneous: int


async def lock(connection: Connection, account: str) -> None:
    """Until the transaction ends, no other request of the account is reserved."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended('place:' || $1, 0))", account)


async def reserve(connection: Connection, account: str, new: NewOrigination) -> None:
    """Inside a transaction that holds `lock`, after `by_key` gave nothing.

    The deadline is counted from now by the database's clock, by which it is judged.
    """
    if new.idempotency_key is not None:
        await connection.execute(
            "update originations set idempotency_key = null "
            "where account_id = $1 and idempotency_key = $2 and created_at < $3",
            account,
            new.idempotency_key,
            new.created_at - IDEMPOTENCY_KEPT,
        )
    await connection.execute(
        """
        insert into originations (account_id, id, node, user_id, user_number, user_name, destination, caller_id,
                                  reference, ring_timeout, answer_timeout, devices, deadline, idempotency_key,
                                  request_sha256, actor, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp() + $13::interval, $14, $15, $16,
                $17)
        """,
        account,
        UUID(new.id),
        new.node,
        new.user_id,
        new.user_number,
        new.user_name,
        new.destination,
        new.caller_id,
        new.reference,
        new.ring_timeout,
        new.answer_timeout,
        list(new.devices),
        new.deadline - new.created_at,
        new.idempotency_key,
        new.request_sha256,
        new.actor,
        new.created_at,
    )


async def accepted(pool: Pool, account: str, call_id: str) -> None:
    """Asterisk said yes. Ingest may have recorded the call already: then it stays so."""
    await pool.execute(
        "update originations set state = 'accepted' where account_id = $1 and id = $2 and state = 'reserved'",
        account,
        UUID(call_id),
    )


async def refused(pool: Pool, account: str, call_id: str, failure: str) -> None:
    """Asterisk said no; ingest tells of it as a failed call."""
    await pool.execute(
        "update originations set state = 'refused', failure = $3 "
        "where account_id = $1 and id = $2 and state = 'reserved'",
        account,
        UUID(call_id),
        failure,
    )


async def withdraw(pool: Pool, account: str, call_id: str) -> None:
    """Nothing was sent: as if it had not been asked for; its idempotency key is free."""
    await pool.execute(
        "delete from originations where account_id = $1 and id = $2 and state = 'reserved'", account, UUID(call_id)
    )


async def by_id(connection: Connection | Pool, account: str, call_id: UUID) -> PlacedCall | None:
    return _placed(
        await connection.fetchrow(
            f"select {COLUMNS} from originations where account_id = $1 and id = $2", account, call_id
        )
    )


async def by_key(connection: Connection | Pool, account: str, key: str, now: datetime) -> PlacedCall | None:
    """The call that was placed under this idempotency key in the last 24 hours."""
    return _placed(
        await connection.fetchrow(
            f"select {COLUMNS} from originations where account_id = $1 and idempotency_key = $2 and created_at >= $3",
            account,
            key,
            now - IDEMPOTENCY_KEPT,
        )
    )


async def usage(connection: Connection, account: str, now: datetime) -> Usage:
    """Ids begin with their time: the last minute is a range of the primary key."""
    a_minute_ago = UUID(uuid7(int((now - timedelta(minutes=1)).timestamp() * 1000), bytes(10)))
    record = await connection.fetchrow(
        """
        select (select count(*) from originations where account_id = $1 and id >= $2) as last_minute,
               (select count(*) from originations o
                where o.account_id = $1 and o.state in ('reserved', 'accepted') and o.deadline >= $3)
               + (select count(*) from calls c join originations o using (account_id, id)
                  where c.account_id = $1 and c.state <> 'ended' and o.state = 'recorded') as simultaneous
        """,
        account,
        a_minute_ago,
        now - MARGIN,
    )
    assert record is not None
    return Usage(record["last_minute"], record["simultaneous"])


def _placed(record: asyncpg.Record | None) -> PlacedCall | None:
    return None if record is None else PlacedCall(str(record["id"]), *list(record.values())[1:])
