"""Every list reads an index in its sort order: no whole table is read or sorted for a page."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from gateway.calls.record import GroupRef
from gateway.store import directories
from gateway.store.connection import Pool
from gateway.store.list_query import AsOf, Filter, Kind, ListQuery, Place, Sort
from gateway.store.pool import open_pool
from tests.directories import ACME
from tests.postgres.fresh_database import new_database

ROWS = 20_000
SINCE = datetime(2026, 11, 1, tzinfo=UTC)

FILL = """
insert into calls (account_id, id, node, linked_ids, state, direction, outcome, caller_number, callee_number,
                   started_at, ended_at, duration_ms, document)
select 'acme', lpad(to_hex(n), 32, '0')::uuid, 'pbx1', '{}', 'ended', 'inbound', 'answered',
       '+6125550' || n % 5000, '+61290000001', '2026-11-01Z'::timestamptz + n * interval '1 minute',
       '2026-11-01Z'::timestamptz + n * interval '1 minute', (n * 7919) % 100000, '{"id":1}'
from generate_series(1, $1::int) n
"""
FILL_USER_CALLS = """
insert into user_calls (account_id, id, call_id, user_id, type, result, direction, state, caller_number,
                        destination_number, started_at, duration_ms, document)
select account_id, id || '-u1', id, 'u' || duration_ms % 500, 'user_inbound_answered', 'answered', direction, state,
       caller_number, callee_number, started_at, duration_ms,
       json_build_object('via', json_build_object('queue', json_build_object('name', 'g' || duration_ms % 20),
                                                  'ring_group', json_build_object('name', 'g' || duration_ms % 30)))
from calls
"""
FILL_VISITS = """
insert into visits (account_id, kind, id, call_id, group_name, group_number, user_id, status, direction, state,
                    caller_number, destination_number, started_at, duration_ms, document)
select account_id, kind, id || '-' || kind, id, 'g' || duration_ms % 20, '700', 'u' || duration_ms % 50, 'answered',
       direction, state,
       caller_number, callee_number, started_at, duration_ms, document
from calls cross join (values ('queue'), ('ring_group')) as k (kind)
"""


FILL_SUPERSEDED = """
insert into superseded_{table} select now() - interval '2 hours', pg_current_xact_id(), false, t.* from {table} t
"""
FILL_ALIASES = "insert into call_aliases select account_id, id, id from calls"
NAMES = {"calls_default_caller": "caller_number", "calls_default_callee": "callee_number"}


@pytest.fixture(scope="module")
def filled_url(postgres_url: str) -> str:
    return asyncio.run(_fill(postgres_url))


async def _fill(server_url: str) -> str:
    url = await new_database(server_url)
    connection = await asyncpg.connect(url)
    try:
        await directories.apply(connection, ACME)
        await connection.execute(FILL, ROWS)
        await connection.execute(FILL_USER_CALLS)
        await connection.execute(FILL_VISITS)
        for table in ("calls", "user_calls", "visits"):
            await connection.execute(FILL_SUPERSEDED.format(table=table))
        await connection.execute(FILL_ALIASES)
        for name, column in NAMES.items():
            await connection.execute(
                f"alter index calls_default_account_id_{column}_started_at_id_idx rename to {name}"
            )
        await connection.execute("analyze")
    finally:
        await connection.close()
    return url


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(filled_url)
    try:
        yield opened
    finally:
        opened.terminate()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def plan_of(
    pool: Pool, kind: Kind, wanted: Filter, sort: Sort, after: Place | None = None, offset: int = 0
) -> list[dict[str, Any]]:
    as_of = None
    if after is not None:
        snapshot = await pool.fetchval("select pg_current_snapshot()::text")
        as_of = AsOf(datetime.now(UTC), snapshot, amended=False)
    query = ListQuery(kind, "acme", wanted, sort, after=after, as_of=as_of).page(offset, 100)
    explained = await pool.fetchval(f"explain (format json, analyze) {query.text}", *query.values)
    return list(nodes(json.loads(explained)[0]["Plan"]))


KINDS: list[Kind] = ["calls", "user_calls", "queue_calls", "ring_group_calls"]
SORTS: list[Sort] = ["newest_first", "oldest_first", "longest_first"]
ORDERING = {"Sort", "Incremental Sort"}


def place(kind: Kind, sort: Sort) -> Place:
    """In the middle."""
    row = str(UUID(int=ROWS // 2))
    middle = 50_000 if sort == "longest_first" else SINCE + timedelta(minutes=ROWS // 2)
    return Place(middle, row if kind == "calls" else f"{row}-u1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sort", SORTS)
async def test_each_list_reads_an_index_in_each_sort_order(filled: Pool, kind: Kind, sort: Sort) -> None:
    """The first page, and one deep inside: neither reads more rows than it shows."""
    wanted = Filter(since=None if sort == "longest_first" else SINCE)
    for after in (None, place(kind, sort)):
        plan = await plan_of(filled, kind, wanted, sort, after)
        kinds = {node["Node Type"] for node in plan}
        assert kinds & {"Index Scan", "Index Only Scan"}, kinds
        assert not kinds & {"Seq Scan", *ORDERING}, kinds
        assert max(node["Actual Rows"] for node in plan) <= 101
        assert sum(node.get("Rows Removed by Filter", 0) for node in plan) == 0


ALICE_AND_BOB = Filter(users=["u7", "u8"])
VISITED, VISITED_TOO = GroupRef("700", "g7"), GroupRef("700", "g8")
VIA, VIA_TOO = GroupRef(None, "g7"), GroupRef(None, "g8")
NUMBER = Filter(numbers=["+61255501234", "0255501234"])


@pytest.mark.parametrize(
    ("kind", "wanted", "indexes"),
    [
        ("user_calls", Filter(users=["u7"]), {"user_calls_user"}),
        ("user_calls", Filter(users=["u7"], since=SINCE, until=SINCE + timedelta(days=30)), {"user_calls_user"}),
        ("user_calls", ALICE_AND_BOB, {"user_calls_user"}),
        ("user_calls", NUMBER, {"user_calls_caller_number", "user_calls_destination"}),
        ("user_calls", Filter(queues=[VIA]), {"user_calls_queue"}),
        ("user_calls", Filter(ring_groups=[VIA, VIA_TOO]), {"user_calls_ring_group"}),
        ("queue_calls", Filter(queues=[VISITED]), {"visits_group"}),
        ("queue_calls", Filter(queues=[VISITED, VISITED_TOO]), {"visits_group"}),
        ("queue_calls", Filter(users=["u7"]), {"visits_user"}),
        ("ring_group_calls", Filter(ring_groups=[VISITED]), {"visits_group"}),
        ("ring_group_calls", NUMBER, {"visits_caller_number", "visits_destination"}),
        ("calls", NUMBER, {"calls_default_caller", "calls_default_callee"}),
    ],
)
@pytest.mark.parametrize("sort", ["newest_first", "oldest_first"])
async def test_who_and_number_are_read_in_order_of_their_own_index(
    filled: Pool, kind: Kind, wanted: Filter, indexes: set[str], sort: Sort
) -> None:
    for after in (None, place(kind, sort)):
        plan = await plan_of(filled, kind, wanted, sort, after)
        assert {node["Index Name"] for node in plan if "Index Name" in node} == indexes
        assert "Seq Scan" not in {node["Node Type"] for node in plan}
        read = [node["Actual Rows"] * node["Actual Loops"] for node in plan if "Index Name" in node]
        assert max(read) <= 101


FILTERS = [
    Filter(users=["u7"]),
    ALICE_AND_BOB,
    NUMBER,
    Filter(queues=[VISITED]),
    Filter(queues=[VIA]),
    Filter(ring_groups=[VISITED, VISITED_TOO]),
    Filter(direction="inbound"),
    Filter(reference="crm-4711"),
    Filter(call_id=UUID(int=77)),
    Filter(state="open"),
    Filter(state="all"),
    Filter(updated_since=datetime(2100, 1, 1, tzinfo=UTC)),
    Filter(updated_since=datetime(2100, 1, 1, tzinfo=UTC), state="open"),
]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_list_reads_a_whole_table(filled: Pool, kind: Kind) -> None:
    for wanted in FILTERS:
        for sort in SORTS:
            for after in (None, place(kind, sort)):
                plan = await plan_of(filled, kind, wanted, sort, after)
                assert "Seq Scan" not in {node["Node Type"] for node in plan}, (wanted, sort, after)


@pytest.mark.parametrize("kind", KINDS)
async def test_amended_rows_are_found_by_index(filled: Pool, kind: Kind) -> None:
    """However many versions are kept, a walk reads those of its account and time."""
    snapshot = await filled.fetchval("select pg_current_snapshot()::text")
    as_of = AsOf(datetime.now(UTC), snapshot)
    for wanted in FILTERS:
        for sort in SORTS:
            query = ListQuery(kind, "acme", wanted, sort, after=place(kind, sort), as_of=as_of).page(0, 100)
            explained = await filled.fetchval(f"explain (format json) {query.text}", *query.values)
            plan = list(nodes(json.loads(explained)[0]["Plan"]))
            assert "Seq Scan" not in {node["Node Type"] for node in plan}, (wanted, sort)
