"""Every list reads an index in its sort order: no whole table is read or sorted for a page."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.calls.directory import Directory
from gateway.store.connection import Pool
from gateway.store.listings import Filter, Kind, Sort, page_query

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
       caller_number, callee_number, started_at, duration_ms, document
from calls
"""
FILL_VISITS = """
insert into visits (account_id, kind, id, call_id, group_name, group_number, status, direction, state, caller_number,
                    destination_number, started_at, duration_ms, document)
select account_id, kind, id || '-' || kind, id, 'g' || duration_ms % 20, '700', 'answered', direction, state,
       caller_number, callee_number, started_at, duration_ms, document
from calls cross join (values ('queue'), ('ring_group')) as k (kind)
"""


@pytest.fixture
async def filled(pool: Pool, acme: Directory) -> Pool:
    async with pool.acquire() as connection:
        await connection.execute(FILL, ROWS)
        await connection.execute(FILL_USER_CALLS)
        await connection.execute(FILL_VISITS)
        await connection.execute("analyze")
    return pool


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def plan_of(pool: Pool, kind: Kind, wanted: Filter, sort: Sort) -> list[dict[str, Any]]:
    query, values = page_query(kind, "acme", wanted, sort, 0, 100)
    explained = await pool.fetchval(f"explain (format json, analyze) {query}", *values)
    return list(nodes(json.loads(explained)[0]["Plan"]))


KINDS: list[Kind] = ["calls", "user_calls", "queue_calls", "ring_group_calls"]
SORTS: list[Sort] = ["newest_first", "oldest_first", "longest_first"]


async def test_each_list_reads_an_index_in_each_sort_order(filled: Pool) -> None:
    for kind in KINDS:
        for sort in SORTS:
            wanted = Filter(since=None if sort == "longest_first" else SINCE)
            plan = await plan_of(filled, kind, wanted, sort)
            kinds = {node["Node Type"] for node in plan}
            assert kinds & {"Index Scan", "Index Only Scan"}, (kind, sort, kinds)
            assert not kinds & {"Seq Scan", "Sort", "Incremental Sort"}, (kind, sort, kinds)
            assert max(node["Actual Rows"] for node in plan) <= 101, (kind, sort)


@pytest.mark.parametrize(
    ("kind", "wanted", "index"),
    [
        ("user_calls", Filter(users=["u7"]), "user_calls_user"),
        ("queue_calls", Filter(queues=["g7"]), "visits_group"),
        ("calls", Filter(numbers=["+61255501234"]), "calls_default_account_id_caller_number_started_at_idx"),
        ("user_calls", Filter(numbers=["+61255501234"]), "user_calls_caller_number"),
    ],
)
async def test_who_and_number_are_looked_up_in_their_index(
    filled: Pool, kind: Kind, wanted: Filter, index: str
) -> None:
    plan = await plan_of(filled, kind, wanted, "newest_first")
    assert index in {node.get("Index Name") for node in plan}
    assert "Seq Scan" not in {node["Node Type"] for node in plan}


async def test_calls_of_a_user_read_no_whole_table(filled: Pool) -> None:
    plan = await plan_of(filled, "calls", Filter(users=["u7"]), "newest_first")
    assert "Seq Scan" not in {node["Node Type"] for node in plan}
