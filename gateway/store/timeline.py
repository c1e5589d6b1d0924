"""What one call's record was made of: its raw rows as far as they are kept, and what was told of it.

Raw rows are the node's. Those of a call are told to the account whose call it is; which of the endpoints in them
are other accounts' is told beside them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from gateway.calls.row_json import row_from_json
from gateway.calls.rows import CelRow, Row
from gateway.store.connection import Connection
from gateway.store.event_log import LoggedEvent

MOST_ROWS = 10_000
"""Of one call: a conference of a day has fewer."""

TIME = """
select c.linked_ids, c.node, c.started_at, c.ended_at, coalesce(n.dropped_until > c.started_at, false) as dropped
from calls c left join nodes n using (node)
where c.account_id = $1 and c.id = $2
"""
# Rows of queues bear no linked id, those of gaps and clocks not even a channel: they are sought in the call's time.
ROWS = """
with own as materialized (
    select at, seq, unique_id, row::text as row from raw_rows
    where node = $1 and linked_id = any($2::text[])
      and at >= $3::timestamptz - interval '1 day' and at <= coalesce($4::timestamptz, 'infinity') + interval '1 day'
)
select at, seq, row from own
union all
select at, seq, row::text from raw_rows
where node = $1 and linked_id = ''
  and at >= $3::timestamptz - interval '1 minute' and at <= coalesce($4::timestamptz, 'infinity') + interval '1 minute'
  and (unique_id in (select unique_id from own)
       or unique_id = '' and row ->> 0 in ('gap', 'step') and at >= $3 and at <= coalesce($4, 'infinity'))
order by at, seq
limit $5
"""
EVENTS = """
select account_id, sequence, id, type, occurred_at, data::text from events
where account_id = $1 and call_id = any(
    array(select $2::uuid union all select alias from call_aliases where account_id = $1 and call_id = $2))
order by occurred_at, sequence
"""
OF_OTHERS = """
select value from claims
where (node = $1 or node = '*') and kind = 'endpoint' and value = any($2::text[]) and account_id <> $3
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """In order of their time. `all_kept`: none that the record was made of has been dropped since, or is left out.

    Of calls that were imported none are.
    """

    rows: list[Row]
    all_kept: bool


async def rows_of(connection: Connection, account: str, call_id: UUID) -> Rows | None:
    """None where Asterisk has told of no such call."""
    call = await connection.fetchrow(TIME, account, call_id)
    if call is None:
        return None
    found = await connection.fetch(
        ROWS, call["node"], call["linked_ids"], call["started_at"], call["ended_at"], MOST_ROWS + 1
    )
    rows = [row_from_json(record["row"].encode()) for record in found[:MOST_ROWS]]
    has_own = any(isinstance(row, CelRow) for row in rows) or not call["linked_ids"]
    return Rows(rows, has_own and not call["dropped"] and len(found) <= MOST_ROWS)


async def events_of(connection: Connection, account: str, call_id: UUID) -> list[LoggedEvent]:
    """Of the call and of those that merged into it, in order of their time, as far as the log is kept."""
    return [LoggedEvent(*record.values()) for record in await connection.fetch(EVENTS, account, call_id)]


async def of_others(connection: Connection, account: str, node: str, endpoints: Iterable[str]) -> frozenset[str]:
    """Those of the endpoints that another account's directory has."""
    found = await connection.fetch(OF_OTHERS, node, list(endpoints), account)
    return frozenset(record["value"] for record in found)
