"""Originations as ingest sees them: to know whose call a channel is, and to end those that never began."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from gateway.calls.instant import from_datetime
from gateway.calls.never_began import never_began
from gateway.calls.origination import Origination
from gateway.calls.record import CallRecord, DomainEvent, UserRef
from gateway.calls.rows import Instant
from gateway.store.connection import Connection
from gateway.store.originations import MARGIN

COLUMNS = """
    account_id, id, node, user_id, user_number, user_name, destination, caller_id, reference, created_at, failure,
    clock_timestamp() as now,
    exists (
        select from calls c
        where c.account_id = o.account_id and c.id = o.id and c.state = 'ended' and cardinality(c.linked_ids) = 0
    ) as over
"""

GAP_SINCE = """exists (
    select from raw_rows r
    where r.node = o.node and r.at >= o.created_at and r.linked_id = '' and r.unique_id = '' and r.row ->> 0 = 'gap'
)"""
"""Whether the node's source told of a gap since the origination was made."""


HAS_CALL = """(
    exists (select from calls c where c.account_id = o.account_id and c.id = o.id)
    or exists (select from call_aliases a where a.account_id = o.account_id and a.alias = o.id)
)"""
"""Whether it is recorded, or joined another call, whatever its state says."""


@dataclass(frozen=True, slots=True)
class NeverBegan:
    """The record and events of an origination for which no channel was ever made."""

    record: CallRecord
    events: tuple[DomainEvent, ...]


async def by_id(connection: Connection, node: str, ids: Iterable[str]) -> list[Origination]:
    """The originations of this node among `ids`."""
    wanted = [UUID(one) for one in ids]
    if not wanted:
        return []
    records = await connection.fetch(
        f"select {COLUMNS} from originations o where node = $1 and id = any($2::uuid[])", node, wanted
    )
    return [_origination(record) for record in records]


async def mark_recorded(connection: Connection, calls: Sequence[tuple[str, str]]) -> None:
    """The calls (account, id) have a record now."""
    await connection.executemany(
        "update originations set state = 'recorded' where account_id = $1 and id = $2 and state <> 'recorded'",
        [(account, UUID(call_id)) for account, call_id in calls],
    )


async def now(connection: Connection) -> datetime:
    """The database's clock."""
    at: datetime = await connection.fetchval("select clock_timestamp()")
    return at


async def overdue(
    connection: Connection, node: str, read_at: datetime, alive: Collection[str] = ()
) -> list[NeverBegan]:
    """Originations that Asterisk refused, or that it was not seen to begin although their time is over.

    `read_at`: by the database's clock; what the source held then was read to its end.
    `alive`: unique ids of channels that Asterisk has though their rows were missed.
    """
    records = await connection.fetch(
        f"""
        select {COLUMNS}, state <> 'refused' and {GAP_SINCE} as unheard from originations o
        where node = $1 and not {HAS_CALL}
          and (state = 'refused' or state in ('reserved', 'accepted') and deadline + $2::interval < $3)
        for update
        """,
        node,
        MARGIN,
        read_at,
    )
    return [_never_began(record) for record in records if str(record["id"]) not in alive]


def _never_began(record: asyncpg.Record) -> NeverBegan:
    # One that Asterisk refused was shown as over since it was asked for: so it stays.
    at: Instant = from_datetime(record["created_at"] if record["failure"] else record["now"])
    reason = record["failure"] or "not_placed"
    call, events = never_began(_origination(record), at, reason, unheard=record["unheard"])
    return NeverBegan(call, events)


def _origination(record: asyncpg.Record) -> Origination:
    return Origination(
        account=record["account_id"],
        id=str(record["id"]),
        node=record["node"],
        user=UserRef(record["user_id"], record["user_number"], record["user_name"]),
        destination=record["destination"],
        caller_id=record["caller_id"],
        reference=record["reference"],
        created_at=from_datetime(record["created_at"]),
        over=record["over"],
    )
