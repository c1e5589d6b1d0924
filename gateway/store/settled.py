"""Until when what is recorded is all there is: every call that ended before it has its record.

By Asterisk's clock, which alone dates calls: the last row's time, and as much longer as the source was
seen to hold nothing more, counted without any clock that can be set. How far the gateway's clock or the
database's is from Asterisk's does not matter. Where Asterisk's own clock was set back, so is
this, with the first row after.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.store import directories
from gateway.store.connection import Connection, Pool

# Rows are written a moment after what they tell of, and not quite in order.
READ_UNTIL = "n.row_at + coalesce(n.looked_at - n.row_committed_at, interval '0')"
UNTIL = f"{READ_UNTIL} - interval '5 seconds'"
SETTLED_UNTIL = f"case when n.gap_at is null then {UNTIL} end"
LAG = f"greatest(0, round(extract(epoch from clock_timestamp() - ({READ_UNTIL})), 3))::float8"
"""Seconds; what Asterisk's clock is behind the database's is in it."""

# Of an account's nodes, as its directory names them now; one of which nothing was ever read settles nothing.
OF_NODES = f"""
select case when count(*) > 0 and bool_and(n.row_at is not null and n.gap_at is null) then min({UNTIL}) end
from (
    select unnest({{nodes}}::text[]) as node
    union all
    select node from nodes where coalesce(cardinality({{nodes}}::text[]), 0) = 0
) wanted
left join nodes n on n.node = wanted.node
"""

NODES_OF_ACCOUNT = """(
select array(select jsonb_array_elements_text(v.document -> 'nodes'))
from accounts a join directory_versions v on v.account_id = a.id and v.version = a.directory_version
where a.id = $1
)"""


@dataclass(frozen=True, slots=True)
class GapAt:
    """The youngest gap of a node that nobody has accepted."""

    node: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a node's source was read, by whichever gateway does. All None before its first row.

    `read_until`: the time of the last row, by Asterisk's clock; `last_commit_at`: when that was committed, by the
    database's. `lag_seconds`: for how long what happens may have been on its way.
    """

    read_until: datetime | None
    last_commit_at: datetime | None
    lag_seconds: float | None
    unowned_calls: int


@dataclass(frozen=True, slots=True)
class LastRow:
    """When the last row was committed, and for how long the source was seen to hold no more."""

    committed_at: datetime
    nothing_for: timedelta


async def last_row(pool: Pool, node: str) -> LastRow | None:
    record = await pool.fetchrow(
        "select row_committed_at, coalesce(looked_at, row_committed_at) - row_committed_at as nothing_for "
        "from nodes where node = $1 and row_at is not null",
        node,
    )
    return None if record is None else LastRow(record["row_committed_at"], record["nothing_for"])


async def source_state(pool: Pool, node: str) -> SourceState:
    record = await pool.fetchrow(
        f"select n.row_at, n.row_committed_at, {LAG} as lag, n.unowned_calls from nodes n where n.node = $1", node
    )
    if record is None:
        return SourceState(None, None, None, 0)
    return SourceState(record["row_at"], record["row_committed_at"], record["lag"], record["unowned_calls"])


async def note_nothing(pool: Pool, node: str, row: LastRow) -> None:
    """Nothing has come for so long, unless a row has come since."""
    await pool.execute(
        "update nodes set looked_at = $2::timestamptz + $3::interval where node = $1 and row_committed_at = $2",
        node,
        row.committed_at,
        row.nothing_for,
    )


async def gaps(connection: Connection | Pool) -> list[GapAt]:
    found = await connection.fetch("select node, gap_at from nodes where gap_at is not null order by node")
    return [GapAt(record["node"], record["gap_at"]) for record in found]


async def accept(connection: Connection, gap: GapAt) -> list[str] | None:
    """The accounts of the node, which are to be told; None where a younger gap has come since."""
    done = await connection.execute("update nodes set gap_at = null where node = $1 and gap_at = $2", gap.node, gap.at)
    if done != "UPDATE 1":
        return None
    return await directories.accounts_on(connection, gap.node)
