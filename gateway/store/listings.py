"""The lists of the API: one statement a page, everything a client sends a bound parameter.

The documents leave as the fold wrote them; only `revision` and `updated_at` are added, as text.
Each sort order is an index of `sql/0001_gateway.sql`: (account, start), (account, duration).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import asyncpg

from gateway.calls.instant import from_datetime, to_text
from gateway.store import settled
from gateway.store.connection import Connection, Pool

Kind: TypeAlias = Literal["calls", "user_calls", "queue_calls", "ring_group_calls"]
Sort: TypeAlias = Literal["newest_first", "oldest_first", "longest_first"]
StateFilter: TypeAlias = Literal["ended", "open", "all"]

ORDERS: dict[Sort, str] = {
    "newest_first": "started_at desc, id desc",
    "oldest_first": "started_at, id",
    "longest_first": "duration_ms desc, id desc",
}

# What a transaction writes bears the time at which it began, and is seen only once it is committed.
AS_OF = """
select least(now(), min(xact_start)) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
  and wait_event is distinct from 'advisory'
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows. Empty or None: no matter. `since`, `until`: by start, half-open.

    `users` are ids, `queues` and `ring_groups` names, `numbers` the forms of one number.
    `results`: pairs of a column (`outcome`, `type`, `result`, `status`) and the value it must have.
    """

    since: datetime | None = None
    until: datetime | None = None
    users: Sequence[str] = ()
    queues: Sequence[str] = ()
    ring_groups: Sequence[str] = ()
    direction: str | None = None
    numbers: Sequence[str] = ()
    reference: str | None = None
    call_id: UUID | None = None
    state: StateFilter = "ended"
    updated_since: datetime | None = None
    results: Sequence[tuple[Literal["outcome", "type", "result", "status"], str]] = ()


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far what is shown can be relied upon. `settled_until`: see `store.settled`.

    Whatever is not shown yet has, or will have, an `updated_at` of `as_of` or later.
    """

    as_of: str
    open_calls: int
    settled_until: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """`rows` are JSON texts; `total` is counted only on request."""

    rows: list[str]
    has_more: bool
    total: int | None
    freshness: Freshness


class _Statement:
    """Conditions and the values bound to them."""

    def __init__(self, kind: Kind, account: str) -> None:
        self.kind = kind
        self.values: list[Any] = [account]
        self.conditions = ["t.account_id = $1"]
        if kind == "queue_calls":
            self.conditions.append("t.kind = 'queue'")
        elif kind == "ring_group_calls":
            self.conditions.append("t.kind = 'ring_group'")

    @property
    def table(self) -> str:
        return self.kind if self.kind in ("calls", "user_calls") else "visits"

    def where(self, condition: str, value: Any) -> None:
        """`condition` has one `{}` for the place of its value; a value that is empty asks nothing."""
        if value is None or value == []:
            return
        self.values.append(value)
        self.conditions.append(condition.replace("{}", f"${len(self.values)}"))

    def where_among(self, condition: str, values: Sequence[str]) -> None:
        """`condition` has `{}` behind what is compared. One value is compared by `=`: then an index keeps its order."""
        if values:
            one = len(values) == 1
            among = condition.replace("{}", "= {}" if one else "= any({})")
            self.where(among, values[0] if one else list(values))

    def from_where(self) -> str:
        return f"from {self.table} t where " + " and ".join(self.conditions)


def statement(kind: Kind, account: str, wanted: Filter) -> tuple[str, list[Any]]:
    """`from … where …` and its values."""
    built = _Statement(kind, account)
    built.where("t.started_at >= {}", wanted.since)
    built.where("t.started_at < {}", wanted.until)
    built.where("t.direction = {}", wanted.direction)
    built.where("t.reference = {}", wanted.reference)
    built.where("t.id = {}" if kind == "calls" else "t.call_id = {}", wanted.call_id)
    built.where("t.updated_at >= {}", wanted.updated_since)
    callee = "callee_number" if kind == "calls" else "destination_number"
    built.where(f"(t.caller_number = any({{}}) or t.{callee} = any({{}}))", list(wanted.numbers))
    built.where_among(_of_users(kind), wanted.users)
    built.where_among(_of_groups(kind, "queue"), wanted.queues)
    built.where_among(_of_groups(kind, "ring_group"), wanted.ring_groups)
    for column, value in wanted.results:
        built.where(f"t.{column} = {{}}", value)
    if wanted.state != "all":
        built.conditions.append("t.state = 'ended'" if wanted.state == "ended" else "t.state <> 'ended'")
    if kind == "calls" and wanted.updated_since is None:
        built.conditions.append("t.merged_into is null")
    return built.from_where(), built.values


def _of_users(kind: Kind) -> str:
    if kind != "calls":
        return "t.user_id {}"
    return "exists (select from user_calls u where u.account_id = t.account_id and u.call_id = t.id and u.user_id {})"


def _of_groups(kind: Kind, group: Literal["queue", "ring_group"]) -> str:
    if kind == f"{group}_calls":
        return "t.group_name {}"
    if kind == "user_calls":
        return f"t.document #>> array['via', '{group}', 'name'] {{}}"
    call = "t.id" if kind == "calls" else "t.call_id"
    return (
        f"exists (select from visits v where v.account_id = t.account_id and v.call_id = {call} "
        f"and v.kind = '{group}' and v.group_name {{}})"
    )


def page_query(kind: Kind, account: str, wanted: Filter, sort: Sort, offset: int, limit: int) -> tuple[str, list[Any]]:
    """The page's statement; it gives one row more than `limit` where there are more."""
    source, values = statement(kind, account, wanted)
    merged = "t.merged_into" if kind == "calls" else "null::uuid"
    order = ", ".join(f"t.{term}" for term in ORDERS[sort].split(", "))
    query = (
        f"select t.id, t.document, t.revision, t.updated_at, {merged} as merged_into {source} "
        f"order by {order} offset ${len(values) + 1} limit ${len(values) + 2}"
    )
    return query, [*values, offset, limit + 1]


async def page(
    pool: Pool, kind: Kind, account: str, wanted: Filter, sort: Sort, offset: int, limit: int, *, total: bool = False
) -> Page:
    """Rows, count and freshness as of one moment."""
    query, values = page_query(kind, account, wanted, sort, offset, limit)
    async with pool.acquire() as connection:
        as_of = await connection.fetchval(AS_OF)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            records = await connection.fetch(query, *values)
            count: int | None = None
            if total:
                source, bound = statement(kind, account, wanted)
                count = await connection.fetchval(f"select count(*) {source}", *bound)
            fresh = await _freshness(connection, account, as_of)
    return Page([_row(record) for record in records[:limit]], len(records) > limit, count, fresh)


async def freshness(pool: Pool, account: str) -> Freshness:
    return await _freshness(pool, account, await pool.fetchval(AS_OF))


async def _freshness(connection: Connection | Pool, account: str, as_of: datetime) -> Freshness:
    record = await connection.fetchrow(
        f"""
        select ({settled.OF_ACCOUNT}) as settled_until,
               (select count(*) from calls
                where account_id = $1 and state <> 'ended' and merged_into is null) as open_calls
        """,
        account,
    )
    assert record is not None
    until = record["settled_until"]
    return Freshness(
        to_text(from_datetime(as_of)), record["open_calls"], None if until is None else to_text(from_datetime(until))
    )


@dataclass(frozen=True, slots=True)
class ListedCall:
    """One call as it stands. `document` is JSON text."""

    id: str
    node: str
    linked_ids: tuple[str, ...]
    ended: bool
    document: str


async def call(connection: Connection | Pool, account: str, call_id: UUID) -> ListedCall | None:
    """The call of this id, or that which the id merged into; None before Asterisk told of it."""
    record = await connection.fetchrow(
        """
        select id, node, linked_ids, state, document, revision, updated_at, null::uuid as merged_into
        from calls
        where account_id = $1 and id = coalesce(
            (select call_id from call_aliases where account_id = $1 and alias = $2), $2)
        """,
        account,
        call_id,
    )
    if record is None:
        return None
    return ListedCall(
        str(record["id"]), record["node"], tuple(record["linked_ids"]), record["state"] == "ended", _row(record)
    )


def spliced(document: str, revision: int, updated_at: datetime) -> str:
    """The document with what only the store knows at its end."""
    return f'{document[:-1]},"revision":{revision},"updated_at":"{to_text(from_datetime(updated_at))}"}}'


def _row(record: asyncpg.Record) -> str:
    if record["merged_into"] is not None:
        return f'{{"id":"{record["id"]}","merged_into":"{record["merged_into"]}"}}'
    return spliced(record["document"], record["revision"], record["updated_at"])
