"""`GET /v1/status`: what an account is told of how far its records can be relied upon."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.store.connection import Pool
from tests.acceptance.api.test_who_may_ask import at

DIGEST = """
insert into audit_digests (account_id, node, made_at, since, until, calls, events, differences)
values ('acme', $1, $2::text::timestamptz, '2026-11-23Z', '2026-11-24Z', $3, $4, $5)
"""


async def test_nothing_is_told_before_it_is_known(client: httpx.AsyncClient) -> None:
    status = (await client.get("/v1/status")).json()
    assert (status["settled_until"], status["last_audit"], status["open_calls"]) == (None, None, 0)
    assert status["source"] == {"read_until": None, "last_commit_at": None, "unowned_calls": 0, "lag": None}


READ = """
insert into nodes (node, row_at, row_committed_at, looked_at, unowned_calls)
values ('pbx1', now() - interval '60 s', now() - interval '59.5 s', now() - $1::interval, 3)
"""


@pytest.mark.parametrize(
    ("looked_ago", "lag"), [(timedelta(seconds=1), 1.5), (timedelta(seconds=41), 41.5), (None, 60)]
)
async def test_a_process_that_does_not_listen_tells_the_lag_of_the_source(
    client: httpx.AsyncClient, pool: Pool, looked_ago: timedelta | None, lag: float
) -> None:
    await pool.execute(READ, looked_ago)
    source = (await client.get("/v1/status")).json()["source"]
    assert lag <= source["lag"] < lag + 5
    assert datetime.now(UTC) - datetime.fromisoformat(source["read_until"]) >= timedelta(seconds=60)
    assert source["unowned_calls"] == 3


async def test_one_that_listens_tells_more_and_what_it_does_not_know_yet_is_not_lost(pool: Pool, key: str) -> None:
    await pool.execute(READ, timedelta(seconds=1))
    own = {"kind": "ami", "role": "standby", "read_until": None, "last_commit_at": None, "last_error": None}
    async with at(ApiContext(pool, "pbx1", status=lambda: {"source": own}), "192.0.2.7") as client:
        source = (await client.get("/v1/status", headers={"token": key})).json()["source"]
    assert (source["kind"], source["role"], source["last_error"]) == ("ami", "standby", None)
    assert source["read_until"]
    assert source["lag"] >= 1.5


async def test_the_youngest_audit_of_each_node_is_told(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    await pool.execute(DIGEST, "pbx1", "2026-11-23T00:15:00Z", 9, 9, 9)
    await pool.execute(DIGEST, "pbx1", "2026-11-24T00:15:00Z", 7, 80, 0)
    await pool.execute(DIGEST, "pbx2", "2026-11-24T00:16:00Z", 1, 9, 1)
    assert (await client.get("/v1/status")).json()["last_audit"] == {
        "at": "2026-11-24T00:15:00.000Z",
        "from": "2026-11-23T00:00:00.000Z",
        "to": "2026-11-24T00:00:00.000Z",
        "agrees": False,
        "calls": 8,
        "events": 89,
        "differences": 1,
    }
