"""Calls that were asked for: committed before Asterisk hears of them, never placed twice.

One account's requests are reserved one after the other (an advisory lock held to the end of the
transaction, `sql/0006_reserving.sql`), so that limits and idempotency keys hold whatever comes at once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from gateway.calls.directory import Outbound
from gateway.calls.identity import uuid7
from gateway.store.connection import Connection, Pool

IDEMPOTENCY_KEPT = timedelta(hours=24)
MARGIN = timedelta(seconds=10)
"""After its deadline nobody is rung. As long after it, the rows of a call that was begun have come."""
UNSEEN_COUNTS = timedelta(hours=1)
"""How long after its deadline a call of which the records do not tell counts as one that goes on."""

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


@dataclass(frozen=True, slots=True)
class Reservation:
    """`reserved`: the origination is committed. Else a limit is reached, or `placed_before` under the same key."""

    reserved: bool
    placed_before: bool
    usage: Usage


async def reserve(connection: Connection, account: str, new: NewOrigination, limits: Outbound) -> Reservation:
    """In one statement the account's lock, its key and limits, and the row; the caller's transaction commits it.

    The deadline is counted from now by the database's clock, by which it is judged.
    """
    [record] = await connection.fetch(
        """
        with before as materialized (
            select * from before_reserving($1, $14, $17::timestamptz - $18::interval, $19, $20)
        ), reserved as (
            insert into originations (account_id, id, node, user_id, user_number, user_name, destination, caller_id,
                                      reference, ring_timeout, answer_timeout, devices, deadline, idempotency_key,
                                      request_sha256, actor, created_at)
            select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp() + $13::interval, $14, $15,
                   $16, $17
            from before
            where not placed_before and last_minute < $21 and simultaneous < $22
            returning id
        )
        select exists (select from reserved) as reserved, placed_before, last_minute, simultaneous from before
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
        IDEMPOTENCY_KEPT,
        _a_minute_before(new.created_at),
        UNSEEN_COUNTS,
        limits.calls_per_minute,
        limits.simultaneous_calls,
    )
    usage = Usage(record["last_minute"], record["simultaneous"])
    return Reservation(record["reserved"], record["placed_before"], usage)


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


async def may_begin_for(connection: Connection | Pool, account: str, call_id: UUID) -> timedelta:
    """How long Asterisk may yet begin to ring somebody for it; nothing or less: no more.

    A second longer than the deadline, as the dialplan reads whole seconds.
    """
    left: timedelta | None = await connection.fetchval(
        "select deadline + interval '1 second' - clock_timestamp() from originations where account_id = $1 and id = $2",
        account,
        call_id,
    )
    return left or timedelta()


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


async def usage(connection: Connection | Pool, account: str) -> Usage:
    """As `reserve` counts it."""
    [record] = await connection.fetch(
        "select * from origination_usage($1, $2, $3)", account, _a_minute_before(datetime.now(UTC)), UNSEEN_COUNTS
    )
    return Usage(record["last_minute"], record["simultaneous"])


def _a_minute_before(now: datetime) -> UUID:
    """The first id of that time."""
    return UUID(uuid7(int((now - timedelta(minutes=1)).timestamp() * 1000), bytes(10)))


def _placed(record: asyncpg.Record | None) -> PlacedCall | None:
    return None if record is None else PlacedCall(str(record["id"]), *list(record.values())[1:])
