"""Calls of the past, written beside what ingest has recorded: an import of recorded files.

What is recorded stays. A record is added where there is none of its id, and put in the place of one
that is over and was not complete, if it is itself complete, or if it comes from channel events and
the other came from CDRs. The event log hears nothing: a webhook tells of calls as they happen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.calls.instant import from_datetime, to_datetime
from gateway.calls.record import CallRecord
from gateway.calls.rows import Instant
from gateway.calls.views import user_calls
from gateway.store import calls, placed
from gateway.store.connection import Connection

# A complete record without linked ids is of an origination for which no channel was made.
FROM_CDR = "cardinality(linked_ids) = 0 and not (document ->> 'complete')::boolean"

CLAIM = """
insert into calls (account_id, id, node, linked_ids, state, direction, started_at, document)
select w.account_id, w.id, w.node, '{}', 'queued', w.direction, w.started_at, 'null'
from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
     as w (account_id, id, node, direction, started_at)
where not exists (select from call_aliases a where a.account_id = w.account_id and a.alias = w.id)
on conflict do nothing
returning account_id, id
"""

REPLACEABLE = f"""
select account_id, id, {FROM_CDR} as from_cdr
from calls
where (account_id, id) in (select * from unnest($1::text[], $2::uuid[]))
  and state = 'ended' and merged_into is null and not (document ->> 'complete')::boolean
for update
"""


@dataclass(frozen=True, slots=True)
class Written:
    """Calls that were added, whose record became better, and that stayed as they were."""

    added: int = 0
    bettered: int = 0
    kept: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(self.added + other.added, self.bettered + other.bettered, self.kept + other.kept)


async def write(connection: Connection, records: Iterable[CallRecord]) -> Written:
    """In the caller's transaction. `records` are of ended calls, each of an account."""
    wanted = {(record.account or "", record.id): record for record in records}
    # Claimed in one order by everybody; ingest waits at the claim, then writes what it knows better.
    claimed = await _claim(connection, [wanted[key] for key in sorted(wanted)])
    others = {key: record for key, record in wanted.items() if key not in claimed}
    bettered = await _worse(connection, others)
    for record in bettered:
        await _remove_rows_not_of(connection, record)
    written = [*(wanted[key] for key in claimed), *bettered]
    await calls.write_records(connection, written)
    await _write_aliases(connection, written)
    await placed.mark_recorded(connection, [(r.account or "", r.id) for r in written if r.origin is not None])
    return Written(len(claimed), len(bettered), len(others) - len(bettered))


async def first_told_by_events(connection: Connection, node: str) -> Instant | None:
    """When the first call began of which this node's channel events told."""
    first = await connection.fetchval(
        "select min(started_at) from calls where node = $1 and cardinality(linked_ids) > 0", node
    )
    return None if first is None else from_datetime(first)


async def _claim(connection: Connection, records: Sequence[CallRecord]) -> list[tuple[str, str]]:
    """Rows for those of which nothing is recorded, to be filled in this transaction."""
    found = await connection.fetch(
        CLAIM,
        [record.account for record in records],
        [UUID(record.id) for record in records],
        [record.node for record in records],
        [record.direction for record in records],
        [to_datetime(record.started_at) for record in records],
    )
    return [(row["account_id"], str(row["id"])) for row in found]


async def _worse(connection: Connection, others: dict[tuple[str, str], CallRecord]) -> list[CallRecord]:
    """Those whose recorded form is worse than this one."""
    found = await connection.fetch(
        REPLACEABLE, [account for account, _ in others], [UUID(call_id) for _, call_id in others]
    )
    recorded = [(others[row["account_id"], str(row["id"])], row["from_cdr"]) for row in found]
    return [record for record, from_cdr in recorded if record.complete or (from_cdr and record.linked_ids)]


async def _remove_rows_not_of(connection: Connection, record: CallRecord) -> None:
    for table, ids in (
        ("user_calls", [row.id for row in user_calls(record)]),
        ("visits", [visit.id for visit in record.visits]),
    ):
        await connection.execute(
            f"delete from {table} where account_id = $1 and call_id = $2 and id <> all($3::text[])",
            record.account,
            UUID(record.id),
            ids,
        )


async def _write_aliases(connection: Connection, records: Iterable[CallRecord]) -> None:
    """Ids that a call has had, unless a call of its own is recorded under one that is open or complete."""
    merged = [(record.account or "", old, record.id) for record in records for old in record.merged_ids]
    if not merged:
        return
    kept = await connection.fetch(
        "select account_id, id from calls where (account_id, id) in (select * from unnest($1::text[], $2::uuid[])) "
        "and (state <> 'ended' or (document ->> 'complete')::boolean)",
        [account for account, _, _ in merged],
        [UUID(old) for _, old, _ in merged],
    )
    own = {(row["account_id"], str(row["id"])) for row in kept}
    await calls.write_merged(connection, [one for one in merged if one[:2] not in own])
