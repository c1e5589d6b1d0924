"""Partitions: made ahead, filled from the default one where rows came before them, dropped when old.

Whoever reads or writes goes on meanwhile. What must be locked is locked for a catalogue change
only, and waited for no longer than `PATIENCE`, since everybody else waits behind who waits; one
that cannot be had is left for the next time. Postgres detaches concurrently only where there is no
default partition, and that one is needed: a row of a day without a partition must not be refused.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from gateway.store.connection import Connection

PATIENCE = "50ms"
TRIES = 40
MOVE_SECONDS = 600.0
DELETED_AT_ONCE = 5_000
LOCK = 7_413_003
_DAY = re.compile(r"raw_rows_(\d{8})")

DAYS = """
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'raw_rows'::regclass and c.relname ~ '^raw_rows_[0-9]{8}$' order by c.relname
"""

NOTE_DROPPED = "update nodes set dropped_until = greatest(dropped_until, $1)"

# Rows from which an open call would be folded again: its channels', its queues', the gaps and clock steps in its time.
HELD = """
select exists (
    select from {day} r join open_linked_ids o on o.node = r.node and o.linked_id = r.linked_id)
or exists (
    select from {day} r
    where r.linked_id = '' and r.unique_id <> '' and (r.node, r.unique_id) in (
        select x.node, x.unique_id from raw_rows x
        join open_linked_ids o on o.node = x.node and o.linked_id = x.linked_id))
or exists (
    select from {day} r
    join (select node, min(first_seq) as seq from open_linked_ids group by node) o on o.node = r.node and r.seq >= o.seq
    where r.linked_id = '' and r.unique_id = '' and r.row ->> 0 in ('gap', 'step'))
"""


@dataclass(frozen=True, slots=True)
class Span:
    """One partition of `table` by `key`: from `since` to before `until`, both SQL literals."""

    table: str
    key: str
    name: str
    since: str
    until: str


def day_of(moment: datetime) -> Span:
    """The partition of raw rows for the UTC day of this moment."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(
        "raw_rows", "at", f"raw_rows_{day:%Y%m%d}", f"'{day:%Y-%m-%d}Z'", f"'{day + timedelta(days=1):%Y-%m-%d}Z'"
    )


def month_of(moment: datetime) -> Span:
    """The partition of calls whose ids, which begin with their time, are of the UTC month of this moment."""
    month = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Span("calls", "id", f"calls_{month:%Y%m}", _first_id(month), _first_id(next_month(month)))


def next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) + timedelta(days=31)).replace(day=1)


def _first_id(moment: datetime) -> str:
    return f"'{UUID(int=int(moment.timestamp() * 1000) << 80)}'"


async def make(connection: Connection, span: Span) -> bool:
    """Whether the partition is there now and was not before. Rows of it in the default one move into it."""
    if await connection.fetchval("select to_regclass($1)", span.name) is not None:
        return False
    default, within = f"{span.table}_default", f"{span.key} >= {span.since} and {span.key} < {span.until}"
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                if await connection.fetchval("select to_regclass($1)", span.name) is not None:
                    return False
                await connection.execute(f"set local lock_timeout = '{PATIENCE}'")
                await connection.execute(
                    f"create table {span.name} (like {span.table} including defaults including indexes)"
                )
                if await connection.fetchval(f"select exists (select from {default} where {within})"):
                    # Readers go on while the rows move; who would write into the default partition waits.
                    await connection.execute(f"lock table {default} in share row exclusive mode")
                    await connection.execute(
                        f"with moved as (delete from {default} where {within} returning *) "
                        f"insert into {span.name} select * from moved",
                        timeout=MOVE_SECONDS,
                    )
                await connection.execute(
                    f"alter table {span.table} attach partition {span.name} "
                    f"for values from ({span.since}) to ({span.until})",
                    timeout=MOVE_SECONDS,
                )
            return True
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            continue
    return False


async def days(connection: Connection) -> list[datetime]:
    """The days that have a partition of raw rows, oldest first."""
    found = (_DAY.fullmatch(record["relname"]) for record in await connection.fetch(DAYS))
    return [datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC) for match in found if match]


async def stray_days(connection: Connection, since: datetime, until: datetime) -> list[datetime]:
    """The days of this time of which the default partition holds rows."""
    found: list[datetime] = []
    while since < until:
        first = await connection.fetchval(
            "select min(at) from raw_rows_default where at >= $1 and at < $2", since, until
        )
        if first is None:
            break
        day = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        found.append(day)
        since = day + timedelta(days=1)
    return found


async def drop_day(connection: Connection, day: datetime) -> bool:
    """Whether the day's rows are gone. They stay while a call that is still open has any of them."""
    name = day_of(day).name
    if await connection.fetchval(HELD.format(day=name)):
        return False
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
                await connection.execute(f"set local lock_timeout = '{PATIENCE}'")
                # In ingest's order: the node, then its rows.
                await connection.execute(NOTE_DROPPED, day + timedelta(days=1))
                await connection.execute(f"alter table raw_rows detach partition {name}")
                # Asked again: what was being written into it when we looked is committed by now.
                held = await connection.fetchval(HELD.format(day=name))
                await connection.execute(f"drop table {name}" if not held else "select 1")
                if held:
                    raise _Held
            return True
        except _Held:
            return False
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            continue
    return False


class _Held(Exception):
    pass


async def delete_strays(connection: Connection, before: datetime) -> None:
    """Deletes the rows of the default partition that are older and of no open call, in many small transactions."""
    if not await connection.fetchval("select exists (select from raw_rows_default where at < $1)", before):
        return
    await connection.execute(NOTE_DROPPED, before)
    while True:
        status = await connection.execute(
            """
            delete from raw_rows_default where (at, node, seq) in (
                select at, node, seq from raw_rows_default r
                where at < $1
                  and not exists (select from open_linked_ids o where o.node = r.node and o.first_seq <= r.seq)
                order by at limit $2)
            """,
            before,
            DELETED_AT_ONCE,
        )
        if int(status.split()[-1]) < DELETED_AT_ONCE:
            return
