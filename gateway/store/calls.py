"""Writing what the fold concluded: records, listed rows and the event log, in the caller's transaction.

Only ingest writes here. A row that did not change is not written, so that `updated_at` tells
the truth; `revision` grows when a record that was settled changes.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, groupby
from typing import Any
from uuid import UUID

from gateway.calls.document import call_text, user_call_text, visit_duration_ms, visit_text
from gateway.calls.instant import to_datetime
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import Instant
from gateway.calls.views import user_calls
from gateway.store.connection import Connection

# Each is looked for by itself, however many they are: no table is read whole.
RECORDED = """
select w.account_id, w.id from unnest($1::text[], $2::uuid[]) as w (account_id, id)
cross join lateral (
    select from calls c where c.account_id = w.account_id and c.id = w.id
    union all
    select from call_aliases a where a.account_id = w.account_id and a.alias = w.id
    limit 1
) as found
"""

UPSERT_CALL = """
insert into calls (account_id, id, node, linked_ids, state, direction, outcome, caller_number, callee_number,
                   reference, started_at, ended_at, duration_ms, document)
select account_id, id, node, linked_ids::text[], state, direction, outcome, caller_number, callee_number,
       reference, started_at, ended_at, duration_ms, document
from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::json[])
     as r (account_id, id, node, linked_ids, state, direction, outcome, caller_number, callee_number,
           reference, started_at, ended_at, duration_ms, document)
on conflict (account_id, id) do update
set linked_ids = excluded.linked_ids, state = excluded.state, direction = excluded.direction,
    outcome = excluded.outcome, caller_number = excluded.caller_number, callee_number = excluded.callee_number,
    reference = excluded.reference, started_at = excluded.started_at, ended_at = excluded.ended_at,
    duration_ms = excluded.duration_ms, document = excluded.document, updated_at = now(),
    revision = calls.revision + (calls.state = 'ended')::int
where calls.document::text <> excluded.document::text
"""

UPSERT_USER_CALL = """
insert into user_calls (account_id, id, call_id, user_id, type, result, direction, state, caller_number,
                        destination_number, reference, started_at, duration_ms, document)
select * from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::bigint[], $14::json[])
on conflict (account_id, id) do update
set type = excluded.type, result = excluded.result, direction = excluded.direction, state = excluded.state,
    caller_number = excluded.caller_number, destination_number = excluded.destination_number,
    reference = excluded.reference, started_at = excluded.started_at, duration_ms = excluded.duration_ms,
    document = excluded.document, updated_at = now(),
    revision = user_calls.revision + (user_calls.state = 'ended')::int
where user_calls.document::text <> excluded.document::text or user_calls.state <> excluded.state
"""

UPSERT_VISIT = """
insert into visits (account_id, kind, id, call_id, group_name, group_number, user_id, status, direction, state,
                    caller_number, destination_number, reference, started_at, duration_ms, document)
select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
                     $15::bigint[], $16::json[])
on conflict (account_id, kind, id) do update
set group_name = excluded.group_name, group_number = excluded.group_number, user_id = excluded.user_id,
    status = excluded.status, direction = excluded.direction, state = excluded.state,
    caller_number = excluded.caller_number, destination_number = excluded.destination_number,
    reference = excluded.reference, started_at = excluded.started_at, duration_ms = excluded.duration_ms,
    document = excluded.document, updated_at = now(),
    revision = visits.revision + (visits.state = 'ended')::int
where visits.document::text <> excluded.document::text or visits.state <> excluded.state
"""


# What was shown of a call, and is no more: a later row told better. What is kept stands beside each call, since a list
# of all that is kept is read once for each row, by the plan that Postgres takes for it from the sixth time on.
DELETE_STALE = """
delete from {table} t using unnest($1::text[], $2::uuid[], $3::text[]) as w (account_id, call_id, kept)
where t.account_id = w.account_id and t.call_id = w.call_id and t.id <> all (w.kept::text[])
"""


UPSERT_ALIAS = """
insert into call_aliases (account_id, alias, call_id)
select * from unnest($1::text[], $2::uuid[], $3::uuid[])
on conflict (account_id, alias) do update set call_id = excluded.call_id
"""

MARK_MERGED = """
update calls c set merged_into = w.into_id, state = 'ended', updated_at = now()
from unnest($1::text[], $2::uuid[], $3::uuid[]) as w (account_id, id, into_id)
where c.account_id = w.account_id and c.id = w.id
"""


async def recorded(connection: Connection, calls: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the calls (account, id) of which there is a record, or was one before it joined another call."""
    found = await connection.fetch(RECORDED, [account for account, _ in calls], [UUID(call_id) for _, call_id in calls])
    return {(row["account_id"], str(row["id"])) for row in found}


async def write_records(connection: Connection, records: Sequence[CallRecord]) -> None:
    """Upsert each record with its user-calls, queue-calls and ring-group-calls rows; other rows of it go."""
    last = {(record.account, record.id): record for record in records}
    owned = [record for record in last.values() if record.account is not None]
    await _upsert(connection, UPSERT_CALL, [_call_values(record) for record in owned])
    users = [_user_call_values(record) for record in owned]
    visits = [_visit_values(record) for record in owned]
    await _upsert(connection, UPSERT_USER_CALL, list(chain.from_iterable(users)))
    await _upsert(connection, UPSERT_VISIT, list(chain.from_iterable(visits)))
    if owned:
        accounts, ids = [record.account for record in owned], [record.id for record in owned]
        for table, rows, id_at in (("user_calls", users, 1), ("visits", visits, 2)):
            kept = [_array(row[id_at] for row in of_call) for of_call in rows]
            await connection.execute(DELETE_STALE.format(table=table), accounts, ids, kept)


async def write_merged(connection: Connection, merged: Iterable[tuple[str, str, str]]) -> None:
    """(account, id that is over, id it joined): the old id stays resolvable, its rows are gone.

    Where the other joined a third in its turn, the first is given again, with the third.
    """
    into = {(account, old): joined for account, old, joined in merged}
    if not into:
        return
    accounts, olds, joined = [account for account, _ in into], [old for _, old in into], list(into.values())
    await connection.execute(UPSERT_ALIAS, accounts, olds, joined)
    await connection.execute(MARK_MERGED, accounts, olds, joined)
    for table in ("user_calls", "visits"):
        await connection.execute(DELETE_STALE.format(table=table), accounts, olds, ["{}"] * len(olds))


async def append_events(connection: Connection, events: Sequence[DomainEvent]) -> None:
    """Give each event the next sequence of its account and wake the dispatchers at commit.

    The account's row is locked until the transaction ends: sequences are dense and in order.
    """
    in_order = sorted(events, key=lambda event: event.account)
    for account, group in groupby(in_order, key=lambda event: event.account):
        told = list(group)
        last: int = await connection.fetchval(
            "update accounts set last_sequence = last_sequence + $2 where id = $1 returning last_sequence",
            account,
            len(told),
        )
        await connection.copy_records_to_table(
            "events",
            columns=("account_id", "sequence", "id", "type", "occurred_at", "call_id", "data"),
            records=[
                (
                    account,
                    sequence,
                    f"evt_{account}_{sequence}",
                    event.type,
                    to_datetime(event.occurred_at),
                    event.call_id,
                    event.data,
                )
                for sequence, event in enumerate(told, last - len(told) + 1)
            ],
        )
        await connection.execute("select pg_notify('events', $1)", account)


async def _upsert(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """All rows in one statement, which takes a column an argument; no two rows have the same key."""
    if rows:
        await connection.execute(statement, *(list(column) for column in zip(*rows, strict=True)))


def _array(texts: Iterable[str]) -> str:
    """An array as Postgres reads it: arrays of several lengths cannot be the elements of one."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _reference(record: CallRecord) -> str | None:
    return record.origin.reference if record.origin else None


def _when(instant: Instant | None) -> Any:
    return None if instant is None else to_datetime(instant)


def _call_values(record: CallRecord) -> tuple[Any, ...]:
    return (
        record.account,
        record.id,
        record.node,
        _array(record.linked_ids),
        record.state,
        record.direction,
        record.outcome,
        record.caller.number,
        record.callee.number,
        _reference(record),
        to_datetime(record.started_at),
        _when(record.ended_at),
        record.duration_ms,
        call_text(record),
    )


def _user_call_values(record: CallRecord) -> list[tuple[Any, ...]]:
    return [
        (
            record.account,
            row.id,
            row.call_id,
            row.user.id,
            row.type,
            row.result,
            row.direction,
            record.state,
            row.caller_id,
            row.destination_number,
            row.reference,
            to_datetime(row.started_at),
            row.duration_ms,
            user_call_text(row),
        )
        for row in user_calls(record)
    ]


def _visit_values(record: CallRecord) -> list[tuple[Any, ...]]:
    return [
        (
            record.account,
            visit.kind,
            visit.id,
            record.id,
            visit.group.name,
            visit.group.number,
            visit.user.id if visit.user else None,
            visit.status,
            record.direction,
            record.state,
            record.caller.number,
            record.callee.number,
            _reference(record),
            to_datetime(visit.started_at),
            visit_duration_ms(visit),
            visit_text(record, visit),
        )
        for visit in record.visits
    ]
