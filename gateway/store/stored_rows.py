"""Raw rows read again: those of a node in the order of their file, from any place on, a few at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.calls.instant import from_datetime
from gateway.calls.row_json import row_from_json
from gateway.calls.rows import Instant, Row
from gateway.store.connection import Connection

LONGEST = timedelta(days=7)
"""A call that lasts longer is found only while it is open."""

PATIENCE = 3_600.0
"""Seconds that a statement over a whole time may take."""

UNSUMMARISED = """
select i.indexrelid::regclass::text as name
from pg_inherits p join pg_index i on i.indrelid = p.inhrelid
join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
where p.inhparent = 'raw_rows'::regclass and a.amname = 'brin'
"""

OPEN_AT = """
select distinct unnest(linked_ids) as linked_id from calls
where node = $1 and started_at < $2 and started_at >= $2 - $3::interval
  and (ended_at >= $2 or state <> 'ended') and merged_into is null
union
select linked_id from open_linked_ids where node = $1 and first_seq < $4
"""

ROWS_OF = """
with own as (
    select seq, unique_id, row from raw_rows where node = $1 and seq < $2 and linked_id = any($3::text[])
)
select seq, row::text as row from own
union all
select seq, row::text from raw_rows
where node = $1 and seq < $2 and linked_id = '' and at >= $4
  and (unique_id = '' or unique_id in (select unique_id from own))
order by seq
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """The sequences of a period's rows, the last of all, and until when rows may be gone."""

    first: int
    last: int
    newest: int
    dropped_until: Instant | None


async def extent(connection: Connection, node: str, since: datetime, until: datetime) -> Extent | None:
    """None where the node has no rows of that time."""
    for index in await connection.fetch(UNSUMMARISED):
        # Else what was written in the last minutes is read whole for each slice.
        await connection.execute(
            "select brin_summarize_new_values($1::text::regclass)", index["name"], timeout=PATIENCE
        )
    record = await connection.fetchrow(
        "select min(seq) as first, max(seq) as last from raw_rows where node = $1 and at >= $2 and at < $3",
        node,
        since,
        until,
        timeout=PATIENCE,
    )
    about = await connection.fetchrow("select last_seq, dropped_until from nodes where node = $1", node)
    if record is None or about is None or record["first"] is None:
        return None
    dropped = about["dropped_until"]
    return Extent(
        record["first"], record["last"], about["last_seq"], None if dropped is None else from_datetime(dropped)
    )


async def dropped_until(connection: Connection, node: str) -> Instant | None:
    """Before it, rows of the node may be gone."""
    at = await connection.fetchval("select dropped_until from nodes where node = $1", node)
    return None if at is None else from_datetime(at)


async def open_at(connection: Connection, node: str, at: datetime, seq: int) -> list[str]:
    """The linked ids of calls that had begun before `at`, which is when row `seq` came, and went on."""
    return [record["linked_id"] for record in await connection.fetch(OPEN_AT, node, at, LONGEST, seq, timeout=PATIENCE)]


async def of(connection: Connection, node: str, linked_ids: list[str], before: int, at: datetime) -> list[Row]:
    """The rows of these calls before sequence `before`, when it was `at`; and what concerned all calls."""
    found = await connection.fetch(ROWS_OF, node, before, linked_ids, at - LONGEST, timeout=PATIENCE)
    return [row_from_json(record["row"].encode()) for record in found]


async def slice_of(connection: Connection, node: str, first: int, until: int) -> list[Row]:
    """The rows `first` to before `until`."""
    found = await connection.fetch(
        "select row::text as row from raw_rows where node = $1 and seq >= $2 and seq < $3 order by seq",
        node,
        first,
        until,
    )
    return [row_from_json(record["row"].encode()) for record in found]


async def have_earlier(connection: Connection, node: str, linked_ids: Iterable[str], seq: int) -> set[str]:
    """Those of the linked ids that have rows before this one."""
    found = await connection.fetch(
        "select distinct linked_id from raw_rows where node = $1 and linked_id = any($2::text[]) and seq < $3",
        node,
        list(linked_ids),
        seq,
    )
    return {record["linked_id"] for record in found}


async def open_now(connection: Connection, node: str) -> set[str]:
    """The linked ids of the node's open calls."""
    found = await connection.fetch("select linked_id from open_linked_ids where node = $1", node)
    return {record["linked_id"] for record in found}
