"""Records beside what the rows give today: what differs, and putting it right.

Only calls that are over are touched, each under its row's lock and while no linked id of it is open,
so that this may go on beside the node's writer, which never writes a call again that it has closed.
Locks are taken in the writer's order: calls, then the account.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

from gateway.calls.compact_json import compact
from gateway.calls.document import call_text, user_call_text, visit_text
from gateway.calls.instant import from_datetime
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.views import user_calls
from gateway.store import calls, placed
from gateway.store.connection import Connection
from gateway.store.listings import spliced

Kind: TypeAlias = Literal[
    "no_record", "record_differs", "listed_rows_differ", "recorded_as_merged", "not_recorded_as_merged"
]

RECORDED = """
select account_id, id, document::text as document, merged_into, linked_ids from calls
where (account_id, id) in (select * from unnest($1::text[], $2::uuid[]))
order by account_id, id
"""
LISTED = """
select account_id, call_id, kind, id, document::text as document, state from (
    select account_id, call_id, 'user' as kind, id, document, state from user_calls
    where (account_id, call_id) in (select * from unnest($1::text[], $2::uuid[]))
    union all
    select account_id, call_id, kind, id, document, state from visits
    where (account_id, call_id) in (select * from unnest($1::text[], $2::uuid[]))
) as listed
"""
REVISE = """
update calls set merged_into = null, state = 'ended', updated_at = now(),
    revision = case when $3::integer is null then revision else $3 + 1 end
where account_id = $1 and id = $2 returning document::text as document, revision, updated_at
"""

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Differing:
    """`merged`: ids that joined it by the rows, and stand as calls of their own."""

    record: CallRecord
    kind: Kind
    merged: tuple[str, ...] = ()


@dataclass(slots=True)
class Amended:
    """What came of a rebuild. `kinds`: how many of each kind of difference were put right."""

    compared: int = 0
    kinds: dict[Kind, int] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return sum(self.kinds.values())


async def differing(connection: Connection, records: Sequence[CallRecord], *, lock: bool = False) -> list[Differing]:
    """Those whose record, or whose listed rows, are others than these."""
    keys = sorted({(record.account or "", one) for record in records for one in (record.id, *record.merged_ids)})
    values = [account for account, _ in keys], [UUID(one) for _, one in keys]
    recorded = {
        (row["account_id"], str(row["id"])): row
        for row in await connection.fetch(RECORDED + (" for update" if lock else ""), *values)
    }
    listed: dict[Key, set[tuple[str, str, str, str]]] = {}
    for row in await connection.fetch(LISTED, *values):
        shown = listed.setdefault((row["account_id"], str(row["call_id"])), set())
        shown.add((row["kind"], row["id"], row["document"], row["state"]))
    found = []
    for record in records:
        account = record.account or ""
        own = recorded.get((account, record.id))
        apart = tuple(
            one
            for one in record.merged_ids
            if (other := recorded.get((account, one))) is not None and str(other["merged_into"]) != record.id
        )
        kind: Kind | None = None
        if own is None:
            kind = "no_record"
        elif own["merged_into"] is not None:
            kind = "recorded_as_merged"
        elif own["document"] != call_text(record):
            kind = "record_differs"
        elif listed.get((account, record.id), set()) != set(_listed(record)):
            kind = "listed_rows_differ"
        elif apart:
            kind = "not_recorded_as_merged"
        if kind is not None:
            found.append(Differing(record, kind, apart))
    return found


async def amend(connection: Connection, node: str, records: Sequence[CallRecord]) -> list[Differing]:
    """In the caller's transaction: write those that differ, and tell of each. Those of open calls are left alone."""
    candidates = await differing(connection, records, lock=True)
    open_ids = await _open_among(connection, node, (i for one in candidates for i in one.record.linked_ids))
    changed = [one for one in candidates if open_ids.isdisjoint(one.record.linked_ids)]
    if not changed:
        return []
    at = from_datetime(await placed.now(connection))
    revisions = await _revisions(connection, [one.record for one in changed])
    await calls.write_records(connection, [one.record for one in changed])
    events: list[DomainEvent] = []
    for one in changed:
        account, call_id = one.record.account or "", one.record.id
        await calls.write_merged(connection, [(account, old, call_id) for old in one.merged])
        if one.kind == "recorded_as_merged":
            await connection.execute(
                "delete from call_aliases where account_id = $1 and alias = $2", account, UUID(call_id)
            )
        row = await connection.fetchrow(REVISE, account, UUID(call_id), revisions.get((account, call_id)))
        assert row is not None
        whole = spliced(row["document"], row["revision"], row["updated_at"])
        events += [
            DomainEvent(account, old, "call.amended", at, compact({"id": old, "merged_into": call_id}))
            for old in one.merged
        ]
        events.append(DomainEvent(account, call_id, "call.amended", at, whole))
    await calls.append_events(connection, events)
    await placed.mark_recorded(
        connection, [(one.record.account or "", one.record.id) for one in changed if one.record.origin is not None]
    )
    return changed


async def _open_among(connection: Connection, node: str, linked_ids: Iterable[str]) -> set[str]:
    found = await connection.fetch(
        "select linked_id from open_linked_ids where node = $1 and linked_id = any($2::text[])", node, list(linked_ids)
    )
    return {row["linked_id"] for row in found}


async def _revisions(connection: Connection, records: Sequence[CallRecord]) -> dict[Key, int]:
    found = await connection.fetch(
        "select account_id, id, revision from calls "
        "where (account_id, id) in (select * from unnest($1::text[], $2::uuid[]))",
        [record.account for record in records],
        [UUID(record.id) for record in records],
    )
    return {(row["account_id"], str(row["id"])): row["revision"] for row in found}


def _listed(record: CallRecord) -> Iterable[tuple[str, str, str, str]]:
    for row in user_calls(record):
        yield "user", row.id, user_call_text(row), record.state
    for visit in record.visits:
        yield visit.kind, visit.id, visit_text(record, visit), record.state
