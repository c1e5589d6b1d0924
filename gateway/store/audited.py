"""What the audit asks the database, and the digests that it leaves there."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.calls.instant import datetime_text, from_datetime
from gateway.calls.rows import Instant
from gateway.store.connection import Connection, Pool
from gateway.store.stored_rows import PATIENCE

STORED = """
select at, seq, row::text as row from raw_rows
where node = $1 and at >= $2 and at < $3 and (at, seq) > ($4, $5) and unique_id <> ''
order by at, seq limit $6
"""

GAPS = """
select (select r.at from raw_rows r
        where r.node = $1 and r.seq < g.seq and r.seq > g.seq - 1000 and r.unique_id <> ''
        order by r.seq desc limit 1) as since,
       (select r.at from raw_rows r
        where r.node = $1 and r.seq > g.seq and r.seq < g.seq + 1000 and (r.unique_id <> '' or r.row ->> 0 = 'alive')
        order by r.seq limit 1) as until
from raw_rows g
where g.node = $1 and g.at >= $2 and g.at < $3 and g.linked_id = '' and g.unique_id = '' and g.row ->> 0 = 'gap'
"""

CALLS = """
select c.account_id, c.id, c.started_at, c.ended_at, c.state, c.merged_into is not null as merged,
       exists (select from open_linked_ids o where o.node = c.node and o.linked_id = any(c.linked_ids)) as open,
       exists (select from audit_refolded r where r.account_id = c.account_id and r.id = c.id) as given
from calls c
where c.account_id = $1 and c.node = $2 and c.started_at >= $3 and c.started_at < $4 and (c.started_at, c.id) > ($5, $6)
order by c.started_at, c.id limit $7
"""

TOLD = """
select call_id,
       count(*) as events,
       count(*) filter (where type = 'call.started') as started,
       count(*) filter (where type in ('call.ended', 'call.merged')) as terminal,
       count(*) filter (where type = 'call.amended') as amended,
       min(sequence) filter (where type in ('call.ended', 'call.merged')) as ended_at,
       max(sequence) filter (where type not in ('call.ended', 'call.merged', 'call.amended', 'voicemail.received',
                                                'recording.ready', 'dialplan.custom')) as last_of_life
from events where account_id = $1 and call_id = any($2::uuid[]) group by call_id
"""

NOT_GIVEN = """
select c.account_id, c.id::text as id from calls c
where c.node = $1 and c.started_at >= $2 and c.started_at < $3 and c.account_id = $4
  and c.state = 'ended' and c.merged_into is null
  and not exists (select from audit_refolded r where r.account_id = c.account_id and r.id = c.id)
  and exists (select from raw_rows r where r.node = c.node and r.linked_id = any(c.linked_ids))
"""

TWICE = """
select min(account_id) as account_id, linked_id, min(id::text) as id from (
    select account_id, id, unnest(linked_ids) as linked_id from calls
    where node = $1 and started_at >= $2 and started_at < $3 and merged_into is null) as each
group by linked_id having count(*) > 1
"""


CLOCKS_APART = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AuditedCall:
    account: str
    id: UUID
    started_at: datetime
    ended_at: datetime | None
    ended: bool
    merged: bool
    has_open_id: bool
    given_by_rows: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What the event log says of a call. Sequences."""

    events: int = 0
    started: int = 0
    terminal: int = 0
    amended: int = 0
    ended_at: int | None = None
    last_of_life: int | None = None


@dataclass(frozen=True, slots=True)
class Sequences:
    """An account's event log. `since`: when the oldest event that is kept was told."""

    last: int
    first: int | None
    youngest: int | None
    count: int
    since: datetime | None


async def begin(connection: Connection) -> None:
    await connection.execute("drop table if exists audit_refolded")
    await connection.execute(
        "create temporary table audit_refolded (account_id text, id uuid, primary key (account_id, id))"
    )


async def end(connection: Connection) -> None:
    await connection.execute("drop table if exists audit_refolded")


async def note_given(connection: Connection, calls: Iterable[tuple[str, str]]) -> None:
    await connection.executemany(
        "insert into audit_refolded values ($1, $2) on conflict do nothing", [(a, UUID(i)) for a, i in calls]
    )


async def stored(
    connection: Connection, node: str, since: datetime, until: datetime, after: tuple[datetime, int], limit: int
) -> list[tuple[datetime, int, str]]:
    """Rows of channels and queues in the order of their times, which is nearly that of their file."""
    found = await connection.fetch(STORED, node, since, until, *after, limit)
    return [(row["at"], row["seq"], row["row"]) for row in found]


async def gaps(connection: Connection, node: str, since: datetime, until: datetime) -> list[tuple[Instant, Instant]]:
    """From when to when nothing was heard: by the rows around, since a gap itself bears the gateway's time."""
    found = await connection.fetch(GAPS, node, since - CLOCKS_APART, until + CLOCKS_APART, timeout=PATIENCE)
    return [(from_datetime(row["since"] or since), from_datetime(row["until"] or until)) for row in found]


async def first_stored(connection: Connection, node: str) -> Instant | None:
    at = await connection.fetchval("select min(at) from raw_rows where node = $1 and unique_id <> ''", node)
    return None if at is None else from_datetime(at)


async def calls(
    connection: Connection, account: str, node: str, since: datetime, until: datetime, after: tuple[datetime, UUID]
) -> list[AuditedCall]:
    found = await connection.fetch(CALLS, account, node, since, until, *after, 500)
    return [
        AuditedCall(
            row["account_id"], row["id"], row["started_at"], row["ended_at"], row["state"] == "ended", row["merged"],
            row["open"], row["given"],
        )
        for row in found
    ]  # fmt: skip


async def told(connection: Connection, account: str, ids: Sequence[UUID]) -> dict[UUID, Told]:
    found = await connection.fetch(TOLD, account, ids)
    return {row["call_id"]: Told(*list(row.values())[1:]) for row in found}


async def not_given(
    connection: Connection, account: str, node: str, since: datetime, until: datetime
) -> list[tuple[str, str]]:
    """Records whose rows are there, and give no such call."""
    found = await connection.fetch(NOT_GIVEN, node, since, until, account, timeout=PATIENCE)
    return [(row["account_id"], row["id"]) for row in found]


async def twice(connection: Connection, node: str, since: datetime, until: datetime) -> list[tuple[str, str, str]]:
    """Account, linked id and a call, where two records have the linked id."""
    found = await connection.fetch(TWICE, node, since, until, timeout=PATIENCE)
    return [(row["account_id"], row["linked_id"], row["id"]) for row in found]


async def sequences(connection: Connection, account: str) -> Sequences:
    row = await connection.fetchrow(
        "select a.last_sequence, min(e.sequence) as first, max(e.sequence) as youngest, count(e.sequence) as count, "
        "(select told_at from events where account_id = $1 order by sequence limit 1) as since "
        "from accounts a left join events e on e.account_id = a.id where a.id = $1 group by a.last_sequence",
        account,
        timeout=PATIENCE,
    )
    assert row is not None
    return Sequences(row["last_sequence"], row["first"], row["youngest"], row["count"], row["since"])


async def missing_after(connection: Connection, account: str) -> list[int]:
    """The sequences after which one is missing."""
    found = await connection.fetch(
        "select sequence from (select sequence, lead(sequence) over (order by sequence) as following from events "
        "where account_id = $1) as each where following > sequence + 1 order by sequence limit 100",
        account,
        timeout=PATIENCE,
    )
    return [row["sequence"] for row in found]


async def save(
    pool: Pool,
    node: str,
    since: datetime,
    until: datetime,
    document: Mapping[str, Any],
    accounts: Iterable[tuple[str, int, int, int]],
) -> None:
    """`accounts`: of each its calls, its events, and its differences."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into audits (node, since, until, agrees, document) values ($1, $2, $3, $4, $5)",
            node,
            since,
            until,
            document["agrees"],
            json.dumps(document),
        )
        await connection.executemany(
            "insert into audit_digests (account_id, node, since, until, calls, events, differences) "
            "values ($1, $2, $3, $4, $5, $6, $7)",
            [(account, node, since, until, *counts) for account, *counts in accounts],
        )


async def audited_until(pool: Pool, node: str) -> datetime | None:
    until: datetime | None = await pool.fetchval("select max(until) from audits where node = $1", node)
    return until


async def last_digest(connection: Connection | Pool, account: str) -> dict[str, object] | None:
    """The youngest of each of the account's nodes, together, JSON-ready."""
    row = await connection.fetchrow(
        """
        select min(made_at) as at, min(since) as since, min(until) as until, sum(calls)::bigint as calls,
               sum(events)::bigint as events, sum(differences)::bigint as differences
        from (select distinct on (node) * from audit_digests where account_id = $1 order by node, made_at desc) as each
        """,
        account,
    )
    if row is None or row["at"] is None:
        return None
    return {
        "at": datetime_text(row["at"]),
        "from": datetime_text(row["since"]),
        "to": datetime_text(row["until"]),
        "agrees": row["differences"] == 0,
        "calls": row["calls"],
        "events": row["events"],
        "differences": row["differences"],
    }
