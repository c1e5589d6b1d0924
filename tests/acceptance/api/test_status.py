"""`GET /v1/status`: what an account is told of how far its records can be relied upon."""

import httpx

from gateway.calls.directory import Directory
from gateway.store.connection import Pool

DIGEST = """
insert into audit_digests (account_id, node, made_at, since, until, calls, events, differences)
values ('acme', $1, $2::text::timestamptz, '2026-11-23Z', '2026-11-24Z', $3, $4, $5)
"""


async def test_nothing_is_told_before_it_is_known(client: httpx.AsyncClient) -> None:
    status = (await client.get("/v1/status")).json()
    assert (status["settled_until"], status["last_audit"], status["open_calls"]) == (None, None, 0)


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
