"""Reading the lists, and single calls, as of one moment.

The documents leave as the fold wrote them; only `revision` and `updated_at` are added, as text.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from gateway.calls.instant import datetime_text
from gateway.store import settled
from gateway.store.connection import Connection, Pool
from gateway.store.directories import DirectoryVersion
from gateway.store.list_query import DIRECTIONS, AsOf, Filter, Kind, ListQuery, Place, Query, Sort

CURSOR_LIVES = timedelta(hours=24)
"""What a walk shows that began longer ago may be kept no more."""

ROWS_AT_ONCE = 500
ROW_SECONDS = 60.0

UNTOLD = timedelta(seconds=1)
"""For how long at most Postgres does not tell yet of a transaction that began, and its clock may be set back."""

# What a transaction writes bears the time at which it began, and is seen only once it is committed.
AS_OF = """
select least(now(), min(xact_start)) - $1::interval from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
  and wait_event is distinct from 'advisory'
"""

DIRECTORY_NOW = """
select v.version, v.applied_at
from accounts a join directory_versions v on v.account_id = a.id and v.version = a.directory_version
where a.id = {account}
"""

OPENING = f"""
select ({AS_OF}) as at, d.* from (select) as one left join ({DIRECTORY_NOW.format(account="$2")}) d on true
"""

OPEN_CALLS = """
select count(*) as open_calls, min(started_at) as oldest_open
from calls where account_id = {account} and state <> 'ended' and merged_into is null
"""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far what is shown can be relied upon. `settled_until`: see `store.settled`.

    Whatever is not shown yet has, or will have, an `updated_at` of `as_of` or later. `oldest_open`: when the
    oldest of the open calls began.
    """

    as_of: datetime
    open_calls: int
    settled_until: datetime | None
    oldest_open: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What a page begins with. `at`: see `as_of`; `directory`: the account's then, None where none was applied yet."""

    at: datetime
    directory: DirectoryVersion | None


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk stands: what its first page saw, and the last row that was shown."""

    as_of: AsOf
    freshness: Freshness
    after: Place


@dataclass(frozen=True, slots=True)
class Page:
    """`rows` are JSON texts; `total` is counted only on request; `next`: where it goes on, if it does.

    `directory`: the account's when the rows were read.
    """

    rows: list[str]
    total: int | None
    freshness: Freshness
    next: Walk | None
    directory: DirectoryVersion | None


async def as_of(connection: Connection | Pool) -> datetime:
    """All that was updated before this is visible to whoever looks from now on."""
    at: datetime = await connection.fetchval(AS_OF, UNTOLD)
    return at


async def opening(connection: Connection, account: str) -> Opening:
    record = await connection.fetchrow(OPENING, UNTOLD, account)
    assert record is not None
    return Opening(record["at"], _directory(account, record))


def _directory(account: str, record: asyncpg.Record) -> DirectoryVersion | None:
    """By the columns of `DIRECTORY_NOW`."""
    if record["version"] is None:
        return None
    return DirectoryVersion(account, record["version"], record["applied_at"])


async def first_page(
    connection: Connection,
    at: datetime,
    nodes: Sequence[str],
    kind: Kind,
    account: str,
    wanted: Filter,
    sort: Sort,
    offset: int,
    limit: int,
    *,
    total: bool = False,
) -> Page:
    """Rows, count and freshness as of one moment. `at`: what `as_of` gave before; `nodes`: the account's."""
    query = ListQuery(kind, account, wanted, sort)
    count = f"({query.total().text})" if total else "null::bigint"
    of_nodes = settled.OF_NODES.format(nodes=query.bind(list(nodes)))
    page = query.page(offset, limit)
    fresh = f"""
    select o.*, d.*, ({of_nodes}) as settled_until, pg_current_snapshot()::text as snapshot, {count} as total
    from ({OPEN_CALLS.format(account=query.account)}) o
    left join ({DIRECTORY_NOW.format(account=query.account)}) d on true
    """
    records = await _beside(connection, fresh, page, sort)
    about = records[0]
    freshness = Freshness(at, about["open_calls"], about["settled_until"], about["oldest_open"])
    rows, last = _rows(records, limit)
    walk = None if last is None else Walk(AsOf(at, about["snapshot"]), freshness, last)
    return Page(rows, about["total"], freshness, walk, _directory(account, about))


async def next_page(
    connection: Connection,
    walk: Walk,
    kind: Kind,
    account: str,
    wanted: Filter,
    sort: Sort,
    limit: int,
    *,
    total: bool = False,
) -> Page:
    """The page of a walk that comes after its place, as its first page would have had it."""

    def query(amended: bool, after: Place | None) -> ListQuery:
        seen = AsOf(walk.as_of.at, walk.as_of.snapshot, amended)
        return ListQuery(kind, account, wanted, sort, after=after, as_of=seen)

    # Amendments are rare: that there were none is asked in the same breath.
    first = query(False, walk.after)
    about = f"""
    select {first.amended_since()} as amended, d.*
    from (select) as one left join ({DIRECTORY_NOW.format(account=first.account)}) d on true
    """
    records = await _beside(connection, about, first.page(0, limit), sort)
    directory = _directory(account, records[0])
    if records[0]["amended"]:
        page = query(True, walk.after).page(0, limit)
        records = await connection.fetch(page.text, *page.values)
    rows, last = _rows(records, limit)
    count: int | None = None
    if total:
        counted = query(True, None).total()
        count = await connection.fetchval(counted.text, *counted.values)
    further = None if last is None else Walk(walk.as_of, walk.freshness, last)
    return Page(rows, count, walk.freshness, further, directory)


async def _beside(connection: Connection, about: str, page: Query, sort: Sort) -> list[asyncpg.Record]:
    """The page's records, each with the columns of `about`, all of one snapshot; one without a row if there is none."""
    direction = DIRECTIONS[sort]
    return await connection.fetch(
        f"with about as materialized ({about}) select p.*, about.* from about "
        f"left join lateral ({page.text}) p on true order by p.key {direction}, p.id {direction}",
        *page.values,
    )


def _rows(records: Sequence[asyncpg.Record], limit: int) -> tuple[list[str], Place | None]:
    """The rows' texts, and the last one's place where there are more."""
    found = [record for record in records[:limit] if record["id"] is not None]
    more = len(records) > limit
    last = Place(found[-1]["key"], str(found[-1]["id"])) if more else None
    return [_row(record) for record in found], last


@asynccontextmanager
async def whole(
    pool: Pool, kind: Kind, account: str, wanted: Filter, sort: Sort
) -> AsyncIterator[tuple[Freshness, AsyncIterator[list[str]]]]:
    """How fresh it is, and every row, a few hundred at a time, read as they are taken: memory does not grow."""
    query = ListQuery(kind, account, wanted, sort).whole()
    async with pool.acquire() as connection:
        at = await as_of(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            fresh = await _freshness(connection, account, at)
            cursor = await connection.cursor(query.text, *query.values, timeout=ROW_SECONDS)
            yield fresh, _batches(cursor)


async def _batches(cursor: "asyncpg.cursor.Cursor[asyncpg.Record]") -> AsyncIterator[list[str]]:
    while records := await cursor.fetch(ROWS_AT_ONCE, timeout=ROW_SECONDS):
        yield [_row(record) for record in records]


async def freshness(pool: Pool, account: str) -> Freshness:
    return await _freshness(pool, account, await as_of(pool))


async def _freshness(connection: Connection | Pool, account: str, at: datetime) -> Freshness:
    record = await connection.fetchrow(
        f"""
        select o.*, ({settled.OF_NODES.format(nodes=settled.NODES_OF_ACCOUNT)}) as settled_until
        from ({OPEN_CALLS.format(account="$1")}) o
        """,
        account,
    )
    assert record is not None
    return Freshness(at, record["open_calls"], record["settled_until"], record["oldest_open"])


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
        select id, node, linked_ids, state, document, revision, updated_at
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
        str(record["id"]),
        record["node"],
        tuple(record["linked_ids"]),
        record["state"] == "ended",
        spliced(record["document"], record["revision"], record["updated_at"]),
    )


def spliced(document: str, revision: int, updated_at: datetime) -> str:
    """The document with what only the store knows at its end."""
    return f'{document[:-1]},"revision":{revision},"updated_at":"{datetime_text(updated_at)}"}}'


def _row(record: asyncpg.Record) -> str:
    merged_into = record["merged_into"]
    if merged_into is not None:
        return f'{{"id":"{record["id"]}","merged_into":"{merged_into}"}}'
    if record["gone"]:
        return f'{{"id":"{record["id"]}","merged_into":null}}'
    return spliced(record["document"], record["revision"], record["updated_at"])
