"""Requests a minute: per key, per account, over several processes, without a write for each."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from gateway.api import meter
from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory, Limits
from gateway.store import directories, keys
from gateway.store.connection import Pool
from tests.acceptance.api.test_who_may_ask import at

PER_KEY = 5
OF_ACCOUNT = 8


class Clock:
    """`time` of the meter alone."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0 + 12

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fixed = Clock()
    monkeypatch.setattr(meter, "time", fixed)
    monkeypatch.setattr(meter, "TOLD_EVERY_SECONDS", 0.02)
    return fixed


@pytest.fixture
async def limited(client: httpx.AsyncClient, acme: Directory, pool: Pool, clock: Clock) -> httpx.AsyncClient:
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, limits=Limits(OF_ACCOUNT, PER_KEY)))
    return client


async def statuses(client: httpx.AsyncClient, times: int, **headers: str) -> list[int]:
    return [(await client.get("/v1/numbers", headers=headers)).status_code for _ in range(times)]


async def test_every_answer_says_where_the_key_stands(limited: httpx.AsyncClient) -> None:
    first = await limited.get("/v1/numbers")
    assert first.headers["ratelimit-policy"] == '"key";q=5;w=60, "account";q=8;w=60'
    assert first.headers["ratelimit"] == '"key";r=4;t=48, "account";r=7;t=48'
    wrong = await limited.get("/v1/numbers?colour=red")
    assert (wrong.status_code, wrong.headers["ratelimit"]) == (422, '"key";r=3;t=48, "account";r=6;t=48')
    assert "ratelimit" not in (await limited.get("/healthz")).headers


async def test_a_key_that_asks_too_often_waits_for_the_next_minute(limited: httpx.AsyncClient, clock: Clock) -> None:
    assert await statuses(limited, PER_KEY) == [200] * PER_KEY
    refused = await limited.get("/v1/numbers")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == (
        "48",
        '"key";r=0;t=48, "account";r=3;t=48',
    )
    clock.now += 48
    assert await statuses(limited, 1) == [200]


async def test_all_keys_of_an_account_share_its_limit(limited: httpx.AsyncClient, pool: Pool) -> None:
    other = await keys.create(pool, "acme", "other", ["directory:read"])
    assert await statuses(limited, 5) == [200] * 5
    assert await statuses(limited, 4, Authorization=f"Bearer {other}") == [200, 200, 200, 429]


async def test_processes_count_together(limited: httpx.AsyncClient, context: ApiContext, key: str, pool: Pool) -> None:
    async with at(context, "192.0.2.8") as elsewhere:
        assert await statuses(limited, 3) == [200] * 3
        await until_told(pool, 3)
        assert await statuses(elsewhere, 1, token=key) == [200]
        await until_told(pool, 4)
        # What the other counted is known with what was told of our own.
        assert await statuses(elsewhere, 2, token=key) == [200, 429]


async def test_no_request_waits_for_the_database_to_count(
    limited: httpx.AsyncClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = asyncio.Event()

    async def hangs(*_: object) -> dict[object, int]:
        await forever.wait()
        return {}

    monkeypatch.setattr("gateway.store.request_counts.add", hangs)
    async with asyncio.timeout(20):
        assert await statuses(limited, 6) == [200] * 5 + [429]
    forever.set()


async def until_told(pool: Pool, count: int) -> None:
    async with asyncio.timeout(20):
        while await pool.fetchval("select sum(count) from request_counts where key_id <> ''") != count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # The answer is on its way back.


async def test_without_named_origins_no_page_of_another_site_reads_anything(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/numbers", headers={"Origin": "https://crm.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = {"Origin": "https://crm.example", "Access-Control-Request-Method": "GET"}
    assert (await client.options("/v1/numbers", headers=asked)).status_code == 405


async def test_pages_of_named_origins_read_answers_and_errors(context: ApiContext, key: str) -> None:
    app = create_app(replace(context, cors_origins=("https://crm.example",)))
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        asked = {
            "Origin": "https://crm.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, idempotency-key",
        }
        allowed = await client.options("/v1/calls", headers=asked)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "https://crm.example"
        assert allowed.headers["x-request-id"]
        for path, status in (("/v1/numbers", 200), ("/v1/numbers?colour=red", 422), ("/v1/nothing", 404)):
            answer = await client.get(path, headers={"Origin": "https://crm.example", "token": key})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == "https://crm.example"
            assert "RateLimit" in answer.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in answer.headers
        for origin in ("https://evil.example", "null", "https://crm.example.evil.example"):
            refused = await client.options("/v1/calls", headers=asked | {"Origin": origin})
            answer = await client.get("/v1/numbers", headers={"Origin": origin, "token": key})
            for one in (refused, answer):
                assert "access-control-allow-origin" not in one.headers
        assert "access-control-allow-origin" not in (await client.get("/healthz", headers=asked)).headers
