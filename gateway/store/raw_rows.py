"""The rows a node's source gave, kept as read: what calls are folded from, and folded again.

`row` is `calls.row_json`'s form, as in the spool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.calls.instant import from_datetime, to_datetime
from gateway.calls.row_json import row_from_json, row_to_json
from gateway.calls.rows import CelRow, ChannelsAlive, Instant, QueueRow, Row
from gateway.store.connection import Connection

LATELY = 1_000_000
"""Microseconds within which rows may come in another order than that of their times."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A channel's."""

    seq: int
    at: Instant
    event: str
    unique_id: str


# Since when is given: a time that the statement itself finds is not known to its plan, which may read the table whole.
LAST_TEXT = """
    select row::text from raw_rows
    where node = $1 and unique_id <> '' and at >= $2::timestamptz - interval '1 second'
    order by seq desc limit 1
"""


async def append(connection: Connection, node: str, first_seq: int, rows: Sequence[Row]) -> None:
    """Store `rows` as `first_seq`, `first_seq + 1`, … of the node."""
    await connection.copy_records_to_table(
        "raw_rows",
        columns=("node", "seq", "at", "linked_id", "unique_id", "row"),
        records=[
            (
                node,
                seq,
                to_datetime(row.at),
                row.linked_id if isinstance(row, CelRow) else "",
                row.unique_id if isinstance(row, CelRow | QueueRow) else "",
                row_to_json(row),
            )
            for seq, row in enumerate(rows, first_seq)
        ],
    )
    last = next((row.at for row in reversed(rows) if isinstance(row, CelRow)), None)
    if last is not None:
        await connection.execute(
            "update nodes set row_at = $2, row_committed_at = clock_timestamp(), looked_at = null where node = $1",
            node,
            to_datetime(last),
        )


async def last_seq(connection: Connection, node: str) -> int:
    """The sequence of the node's youngest row, which this transaction alone may extend."""
    await connection.execute("insert into nodes (node) values ($1) on conflict do nothing", node)
    value: int = await connection.fetchval("select last_seq from nodes where node = $1 for update", node)
    return value


async def youngest(connection: Connection, node: str) -> Instant | None:
    """When the node's youngest row of a channel was."""
    at = await connection.fetchval("select max(at) from raw_rows where node = $1 and linked_id <> ''", node)
    return None if at is None else from_datetime(at)


async def eldest(connection: Connection, node: str) -> Instant | None:
    """When the first that is kept of the node's rows of a channel was."""
    at = await connection.fetchval("select min(at) from raw_rows where node = $1 and linked_id <> ''", node)
    return None if at is None else from_datetime(at)


async def last_at(connection: Connection, node: str) -> Instant | None:
    """When the row of a channel was that was stored last, be it kept or not; None where none ever was."""
    at = await connection.fetchval(
        """
        select coalesce(
            (select row_at from nodes where node = $1),
            (select max(at) from raw_rows where node = $1 and linked_id <> '')
        )
        """,
        node,
    )
    return None if at is None else from_datetime(at)


async def last_of_channel(connection: Connection, node: str, last: Instant) -> CelRow | None:
    """The row of a channel that was stored last, if it is kept. `last`: see `last_at`.

    It is not always the youngest, as Asterisk's clock may have been set.
    """
    text = await connection.fetchval(
        """
        select row::text from raw_rows
        where node = $1 and linked_id <> '' and at = $2
        order by seq desc limit 1
        """,
        node,
        to_datetime(last),
    )
    row = None if text is None else row_from_json(text.encode())
    return row if isinstance(row, CelRow) else None


async def last_text(connection: Connection, node: str, last: Instant) -> str | None:
    """The row that was stored last of all that tell of a channel or a queue, as `row_to_json` gave it, if it is kept.

    `last`: see `last_at`.
    """
    text: str | None = await connection.fetchval(LAST_TEXT, node, to_datetime(last))
    return text


async def of_calls(connection: Connection, node: str, linked_ids: Iterable[str]) -> list[StoredRow]:
    """What is stored of these calls' channels."""
    records = await connection.fetch(
        """
        select seq, at, unique_id, row ->> 1 as event from raw_rows
        where node = $1 and linked_id = any($2::text[]) and linked_id <> ''
        order by seq
        """,
        node,
        list(linked_ids),
    )
    return [StoredRow(one["seq"], from_datetime(one["at"]), one["event"], one["unique_id"]) for one in records]


async def noted(connection: Connection, node: str, times: Iterable[Instant]) -> set[tuple[str, Instant]]:
    """What was noted at these times and is stored, gaps and the like: its kind, as `row_to_json` has it, and time."""
    records = await connection.fetch(
        """
        select row ->> 0 as kind, at from raw_rows
        where node = $1 and linked_id = '' and unique_id = '' and at = any($2::timestamptz[])
        """,
        node,
        [to_datetime(at) for at in times],
    )
    return {(one["kind"], from_datetime(one["at"])) for one in records}


async def stored_facts(connection: Connection, node: str, unique_ids: Iterable[str]) -> list[QueueRow]:
    """What is stored of these callers' queues."""
    records = await connection.fetch(
        "select row::text as row from raw_rows where node = $1 and linked_id = '' and unique_id = any($2::text[])",
        node,
        list(unique_ids),
    )
    rows = (row_from_json(record["row"].encode()) for record in records)
    return [row for row in rows if isinstance(row, QueueRow)]


async def last_alive(connection: Connection, node: str) -> frozenset[str]:
    """The channels of Asterisk's last list of them, where it is not long ago."""
    text = await connection.fetchval(
        """
        select row::text from raw_rows
        where node = $1 and linked_id = '' and unique_id = '' and row ->> 0 = 'alive'
          and at > clock_timestamp() - interval '10 minutes'
        order by seq desc limit 1
        """,
        node,
    )
    row = None if text is None else row_from_json(text.encode())
    return row.unique_ids if isinstance(row, ChannelsAlive) else frozenset()


async def set_last_seq(connection: Connection, node: str, seq: int, *, gap: bool, unowned: int) -> int:
    """`unowned`: how many calls of no account ended with these rows. Gives how many did in all."""
    count: int = await connection.fetchval(
        """
        update nodes
        set last_seq = $2, gap_at = case when $3 then now() else gap_at end, unowned_calls = unowned_calls + $4
        where node = $1 returning unowned_calls
        """,
        node,
        seq,
        gap,
        unowned,
    )
    return count


async def unowned_calls(connection: Connection, node: str) -> int:
    """How many calls of the node ended without an account."""
    return int(await connection.fetchval("select unowned_calls from nodes where node = $1", node) or 0)


async def mark_open(connection: Connection, node: str, seq: int, linked_ids: Iterable[str]) -> None:
    """Note the linked ids of open calls, each with the first sequence at which it was seen open."""
    await connection.execute(
        """
        insert into open_linked_ids (node, linked_id, first_seq)
        select $1, linked_id, $2 from unnest($3::text[]) as linked_id
        on conflict do nothing
        """,
        node,
        seq,
        list(linked_ids),
    )


async def mark_closed(connection: Connection, node: str, linked_ids: Iterable[str]) -> None:
    await connection.execute(
        "delete from open_linked_ids where node = $1 and linked_id = any($2::text[])", node, list(linked_ids)
    )
