"""What a writer that starts is to know of the rows that were stored before: those of open calls, and what is over.

However long a call has been open, what is read is its rows, and those that may be about it: each is found by an index.
"""

from collections.abc import AsyncGenerator

from gateway.calls.row_json import row_from_json
from gateway.calls.rows import Row
from gateway.store.connection import Connection

SLICE_ROWS = 1_000
PATIENCE = 3_600.0
"""Seconds that a statement may take: without what it gives the node writes nothing."""

PENDING_ROWS = 20_000
"""A fact of a queue and its channel's first row are no more rows apart, nor `PENDING_SECONDS`, in whatever order."""

PENDING_SECONDS = 60

# The youngest by their time, since that is the order of an index; other nodes' rows lie between them.
LATELY_OVER = """
select linked_id from (
    select seq, linked_id, row ->> 1 as event from raw_rows
    where node = $1 and at >= $2::timestamptz - interval '1 day' and at <= $2::timestamptz + interval '1 day'
    order by at desc limit $3
) r
where linked_id <> '' and event not in ('STREAM_BEGIN', 'STREAM_END')
  and linked_id not in (select linked_id from open_linked_ids where node = $1)
group by linked_id order by max(seq)
"""

# A queue's facts are about a channel. They may have been stored before the channel's own first row, also where
# that one is still to come.
ROWS = f"""
with own as materialized (
    select seq, at, unique_id, row::text as row from raw_rows
    where node = $1 and seq >= $2 and linked_id = any(array(select linked_id from open_linked_ids where node = $1))
)
select seq, row from own
union all
select seq, row::text from raw_rows where node = $1 and seq >= $2 and linked_id = '' and unique_id = ''
union all
(
    select seq, row::text from raw_rows
    where node = $1 and linked_id = ''
      and unique_id <> '' and unique_id = any(array(select distinct unique_id from own))
      and at >= (select min(at) from own) - interval '1 day'
    union
    select seq, row::text from raw_rows
    where node = $1 and linked_id = '' and unique_id <> '' and seq > $3
      and at >= $4::timestamptz - interval '{PENDING_SECONDS} seconds'
)
order by seq
"""

SINCE = """
select last_seq, coalesce(row_at, '-infinity') as row_at,
       coalesce((select min(first_seq) from open_linked_ids where node = $1), last_seq + 1) as first_seq
from nodes where node = $1
"""


async def lately_over(connection: Connection, node: str, of_rows: int) -> list[str]:
    """The linked ids of calls that are over, among the `of_rows` youngest rows of the node, within a day.

    Those that came last are at the end.
    """
    row_at = await connection.fetchval("select row_at from nodes where node = $1", node)
    records = await connection.fetch(LATELY_OVER, node, row_at, of_rows, timeout=PATIENCE) if row_at else []
    return [record["linked_id"] for record in records]


async def rows_of_open_calls(connection: Connection, node: str) -> AsyncGenerator[list[Row], None]:
    """All stored rows that the calls still open were folded from, in order, some at a time, in one transaction.

    With them what a queue told lately of channels that have shown nothing yet. Rows of ended calls are left out.
    """
    since = await connection.fetchrow(SINCE, node)
    if since is None:
        return
    values = node, since["first_seq"], since["last_seq"] - PENDING_ROWS, since["row_at"]
    async with connection.transaction():
        cursor = await connection.cursor(ROWS, *values, timeout=PATIENCE)
        while records := await cursor.fetch(SLICE_ROWS, timeout=PATIENCE):
            yield [row_from_json(record["row"].encode()) for record in records]
