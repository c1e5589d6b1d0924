"""Keys, addresses, scopes: who gets in, and what the others are told."""

import asyncio
from dataclasses import replace

import asyncpg
import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.store import audit, keys, networks
from gateway.store.connection import Connection, Pool


def at(context: ApiContext, ip: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(context), client=(ip, 1)), base_url="http://g")


async def test_both_headers_mean_the_same(anybody: httpx.AsyncClient, key: str) -> None:
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"token": key},
        {"token": key, "Authorization": f"bearer {key}"},
    ):
        assert (await anybody.get("/v1/calls", headers=headers)).status_code == 200


async def test_wrong_keys_are_told_nothing(anybody: httpx.AsyncClient, key: str) -> None:
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    for headers in (
        {},
        {"token": "nonsense"},
        {"token": wrong},
        {"Authorization": "Basic eDp5"},
        {"token": key, "Authorization": f"Bearer {wrong}"},
    ):
        response = await anybody.get("/v1/calls", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["code"] == "not_authorised"
        assert "ip" not in response.json()
        assert response.headers["x-request-id"] == response.json()["request_id"]


async def test_a_key_in_the_url_is_refused_and_not_echoed(client: httpx.AsyncClient, key: str) -> None:
    for url in (f"/v1/calls?token={key}", f"/v1/calls?reference={key}", f"/v1/calls/{key}"):
        response = await client.get(url)
        assert response.status_code == 401
        assert response.json()["code"] == "key_in_url"
        assert key not in response.text


@pytest.mark.parametrize(
    "url",
    ["/v1/calls?reference={}", "/v1/calls?{}=1", "/v1/calls?user=101&user=x+{}", "/v1/status?{}", "/v1/calls/{}",
     "/api/integration/v2/get-user-calls?{}=1"],
)  # fmt: skip
@pytest.mark.parametrize("encoded", ["gw%5Flive_", "g%77_live%5f", "%67%77%5F%6C%69%76%65%5F"])
async def test_a_key_in_the_url_is_seen_however_it_is_encoded(
    client: httpx.AsyncClient, url: str, encoded: str
) -> None:
    response = await client.get(url.format(encoded + "abc_secret"))
    assert response.status_code == 401
    assert response.json()["code"] in ("key_in_url", 401)
    assert "gw_live" not in response.text
    assert "secret" not in response.text


async def test_a_refused_address_is_told_only_to_the_holder_of_a_key(context: ApiContext, key: str, pool: Pool) -> None:
    async with at(context, "198.51.100.9") as client:
        known = await client.get("/v1/calls", headers={"token": key})
        assert (known.status_code, known.json()["code"], known.json()["ip"]) == (401, "ip_not_allowed", "198.51.100.9")
        stranger = await client.get("/v1/calls", headers={"token": "gw_live_x"})
        assert stranger.json()["code"] == "not_authorised"
    assert [(entry.action, entry.ip) for entry in await audit.newest(pool, "acme")] == [("ip.refused", "198.51.100.9")]


async def test_who_asks_again_and_again_from_a_refused_address_does_not_fill_the_audit_log(
    context: ApiContext, key: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gateway.api.slowing.monotonic", lambda: now)
    async with at(context, "198.51.100.9") as client:
        for _ in range(3):
            assert (await client.get("/v1/calls", headers={"token": key})).status_code == 401
        assert len(await audit.newest(pool, "acme")) == 1
        now += 60
        await client.get("/v1/calls", headers={"token": key})
    assert len(await audit.newest(pool, "acme")) == 2


async def test_an_ipv4_address_mapped_into_ipv6_counts_as_ipv4(context: ApiContext, key: str) -> None:
    async with at(context, "::ffff:192.0.2.7") as client:
        assert (await client.get("/v1/calls", headers={"token": key})).status_code == 200


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("198.51.100.9, 192.0.2.7", 200),
        ("192.0.2.7, 198.51.100.9", 401),
        ("192.0.2.7, 10.0.0.3", 200),
        ("", 401),
        ("192.0.2.7, nonsense", 401),
    ],
)
async def test_behind_a_proxy_the_rightmost_hop_that_is_no_proxy_counts(
    pool: Pool, key: str, forwarded: str, status: int
) -> None:
    proxied = ApiContext(pool, "pbx1", None, (networks.parse_network("10.0.0.0/8"),), "X-Forwarded-For")
    async with at(proxied, "10.0.0.1") as client:
        headers = {"token": key, "X-Forwarded-For": forwarded}
        assert (await client.get("/v1/calls", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("for=192.0.2.7", 200),
        ('for=198.51.100.9, For="192.0.2.7:4711";proto=https;by=10.0.0.1', 200),
        ('by=10.0.0.1;host="g";for="[::ffff:192.0.2.7]"', 200),
        # The client chose what stands in quotes.
        ('for=198.51.100.9;host="g, for=192.0.2.7"', 401),
        ('host="g;for=192.0.2.7;x=";for=198.51.100.9', 401),
        ('host="g\\";for=192.0.2.7;x=";for=198.51.100.9', 401),
        ('for="192.0.2.7, for=198.51.100.9', 401),
        ("for=192.0.2.7;nonsense", 401),
        ("proto=https", 401),
    ],
)
async def test_what_a_client_put_into_quotes_is_no_hop(pool: Pool, key: str, forwarded: str, status: int) -> None:
    proxied = ApiContext(pool, "pbx1", None, (networks.parse_network("10.0.0.0/8"),), "Forwarded")
    async with at(proxied, "10.0.0.1") as client:
        assert (await client.get("/v1/calls", headers={"token": key, "Forwarded": forwarded})).status_code == status


async def test_who_has_many_addresses_does_not_fill_the_audit_log_of_a_key_that_is_not_theirs(
    context: ApiContext, key: str, pool: Pool
) -> None:
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    application = create_app(context)
    for number in range(1, 6):
        transport = httpx.ASGITransport(application, client=(f"2001:db8::{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
            assert (await client.get("/v1/calls", headers={"token": wrong})).status_code == 401
    [entry] = await audit.newest(pool, "acme")
    assert (entry.action, entry.ip) == ("key.refused", "2001:db8::1")


async def test_without_trusted_proxies_the_header_is_not_believed(context: ApiContext, key: str) -> None:
    async with at(context, "198.51.100.9") as client:
        headers = {"token": key, "X-Forwarded-For": "192.0.2.7"}
        assert (await client.get("/v1/calls", headers=headers)).status_code == 401


@pytest.mark.parametrize(("proxy", "scheme"), [("203.0.113.1", "https"), ("192.0.2.7", "http")])
async def test_behind_a_proxy_that_speaks_tls_the_next_page_is_over_tls_too(
    context: ApiContext, key: str, proxy: str, scheme: str
) -> None:
    """Else whoever follows it sends the key in the clear. From anybody but a trusted proxy it is not believed."""
    behind = replace(
        context, trusted_proxies=(networks.parse_network("203.0.113.0/24"),), forwarded_header="X-Forwarded-For"
    )
    async with at(behind, proxy) as client:
        headers = {"token": key, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        answer = await client.get("/v1/users?limit=1", headers=headers)
        assert answer.links["next"]["url"] == f"{scheme}://g/v1/users?offset=1&limit=1"


async def test_a_key_without_the_scope_is_forbidden(anybody: httpx.AsyncClient, key: str, pool: Pool) -> None:
    reader = await keys.create(pool, "acme", "reader", ["calls:read"])
    response = await anybody.post("/v1/calls", headers={"token": reader}, json={})
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


async def test_a_revoked_key_opens_nothing(client: httpx.AsyncClient, key: str, pool: Pool) -> None:
    await keys.revoke(pool, key.split("_")[2])
    assert (await client.get("/v1/calls")).status_code == 401


async def test_the_database_away_is_a_clear_503_and_the_process_lives(client: httpx.AsyncClient, pool: Pool) -> None:
    pool.terminate()
    response = await client.get("/v1/calls")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"]
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def test_health_and_status(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ready", "database": True, "asterisk": True}
    status = (await client.get("/v1/status")).json()
    assert (status["node"], status["asterisk_connected"], status["open_calls"]) == ("pbx1", True, 0)


@pytest.mark.parametrize(("running", "status"), [(True, 200), (False, 503)])
async def test_ready_where_records_are_kept_only_while_ingest_runs(pool: Pool, running: bool, status: int) -> None:
    keeping = ApiContext(pool, "pbx1", status=lambda: {"source": {"running": running}})
    async with at(keeping, "192.0.2.7") as client:
        assert (await client.get("/readyz")).status_code == status


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    missing = await client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await client.delete("/v1/users")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["content-type"] == "application/problem+json"


async def test_the_database_back_again_is_used_again(client: httpx.AsyncClient, pool: Pool, postgres_url: str) -> None:
    name = await pool.fetchval("select current_database()")
    admin = await asyncpg.connect(postgres_url)
    try:
        await renamed(admin, name, f"{name}_away")
        try:
            assert (await client.get("/v1/calls")).status_code == 503
            assert (await client.post("/v1/calls", json={"user": "101", "to": "102"})).status_code == 503
        finally:
            await renamed(admin, f"{name}_away", name)
    finally:
        await admin.close()
    # A connection that died in the meantime may be lent once more before the pool notices.
    async with asyncio.timeout(20):
        while (answer := await client.get("/v1/calls")).status_code == 503:
            await asyncio.sleep(0.05)
    assert answer.status_code == 200


async def renamed(admin: Connection, name: str, to: str) -> None:
    """Its sessions are ended until none is left: they take a moment to go, and the pool may have opened another."""
    async with asyncio.timeout(60):
        while True:
            await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
            try:
                await admin.execute(f'alter database "{name}" rename to "{to}"')
            except asyncpg.ObjectInUseError:
                await asyncio.sleep(0.05)
            else:
                return
