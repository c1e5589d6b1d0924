"""Pages of the lists as clients ask for them, and the very statements that the gateway sends for each."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
from starlette.datastructures import QueryParams

from bench.filled import ACCOUNT, QUEUES, USERS, Filled
from gateway.api import cursors
from gateway.api.parameters import (
    CallParameters,
    ListParameters,
    QueueCallParameters,
    UserCallParameters,
    read,
)
from gateway.api.read_directories import ReadDirectories, ReadDirectory
from gateway.store import directories, listings
from gateway.store.connection import Connection
from gateway.store.list_query import Kind

LISTED = ("calls", "user_calls", "visits", "superseded_", "call_aliases")
"""How the names of what a list reads rows from begin. What has a row a node or an account is no such table."""

MODELS: dict[Kind, type[ListParameters]] = {
    "calls": CallParameters,
    "user_calls": UserCallParameters,
    "queue_calls": QueueCallParameters,
}
DEEP_OFFSET = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page, asked for with these parameters."""

    kind: Kind
    parameters: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return f"/v1/{self.kind.replace('_', '-')}?{urlencode(self.parameters, quote_via=quote)}"


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    values: tuple[Any, ...]


def user_month(filled: Filled, chance: random.Random) -> Page:
    month = chance.choice(filled.months)
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    user = str(1000 + chance.randint(1, USERS))
    return Page("user_calls", (("user", user), ("from", f"{month:%Y-%m-%d}"), ("to", f"{last:%Y-%m-%d}")))


def queue_day(filled: Filled, chance: random.Random) -> Page:
    day = f"{chance.choice(filled.months) + timedelta(days=chance.randint(0, 27)):%Y-%m-%d}"
    return Page("queue_calls", (("queue", f"queue {chance.randint(1, QUEUES)}"), ("from", day), ("to", day)))


def number(filled: Filled, chance: random.Random) -> Page:
    return Page("calls", (("number", f"+614{chance.randrange(filled.numbers):08}"),))


def by_cursor(cursor: str | None, limit: int = 100) -> Page:
    """Of all calls; without a cursor the first page."""
    return Page("calls", (("limit", str(limit)), *([("cursor", cursor)] if cursor else [])))


def deep_offset(filled: Filled, chance: random.Random) -> Page:
    deep = min(DEEP_OFFSET, filled.calls // 2)
    return Page("calls", (("offset", str(deep + chance.randrange(100))),))


async def directory_of(connection: Connection) -> ReadDirectory:
    """The account's, as the gateway knows it."""
    version = await directories.version_of(connection, ACCOUNT.account)
    assert version is not None
    known = await ReadDirectories().of(connection, version)
    assert known is not None
    return known


async def statement_of(page: Page, known: ReadDirectory) -> Statement:
    """What the gateway asks the database for this page: its rows, and what the answer says beside them."""
    account = known.directory.account
    asked, wanted = read(MODELS[page.kind], QueryParams([*page.parameters]), known, [])
    asking: Any = _Asking()
    now = datetime.now(UTC)
    try:
        if asked.cursor is not None:
            walk = cursors.read(asked.cursor, page.kind, asked.sort, wanted, now)
            await listings.next_page(asking, walk, page.kind, account, wanted, asked.sort, asked.limit)
        else:
            await listings.first_page(
                asking,
                now,
                known.directory.nodes,
                page.kind,
                account,
                wanted,
                asked.sort,
                asked.offset,
                asked.limit,
                total=asked.include == "total",
            )
    except _Asked as question:
        return question.statement
    raise AssertionError("a page is asked for in one statement")


class _Asked(Exception):
    def __init__(self, statement: Statement) -> None:
        super().__init__(statement.text)
        self.statement = statement


class _Asking:
    """Where a connection is expected: raises what it is asked. Nothing is read, so that nothing is read ahead."""

    async def fetch(self, text: str, *values: Any) -> list[asyncpg.Record]:
        raise _Asked(Statement(text, values))


async def read_sequentially(connection: Connection, statement: Statement) -> set[str]:
    """The tables with rows of lists that Postgres would read from one end to the other for this statement.

    One without a page has no end to read to: an index of it is not worth opening.
    """
    explained = await connection.fetchval(f"explain (format json) {statement.text}", *statement.values)
    read_whole = [
        node["Relation Name"]
        for node in _nodes(json.loads(explained)[0]["Plan"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"].startswith(LISTED)
    ]
    found = await connection.fetch(
        "select relname from unnest($1::text[]) as relname where pg_relation_size(relname::regclass) > 0", read_whole
    )
    return {record["relname"] for record in found}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
