"""Webhooks and the event log as a client of the API has them."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.record import DomainEvent
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox
from gateway.store import keys, networks, webhooks
from gateway.store.calls import append_events
from gateway.store.connection import Pool
from tests.postgres.fresh_database import new_database, running_server

CALL = "0193a000-0000-7000-8000-00000000000a"


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
async def pool(server_url: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(await new_database(server_url), min_size=1, max_size=4) as pool:
        await pool.execute(
            "insert into accounts (id, name, time_zone, country, directory_version) "
            "values ('acme', 'Acme', 'Australia/Sydney', 'AU', 1), ('other', 'Other', 'UTC', 'AU', 1)"
        )
        for account in ("acme", "other"):
            await networks.allow(pool, account, ip_network("127.0.0.1/32"))
        yield pool


@pytest.fixture
async def transport(pool: Pool, tmp_path: Path) -> httpx.ASGITransport:
    app = create_app(ApiContext(pool=pool, node="pbx1"), webhook_routes(SecretBox.from_file(tmp_path / "key")))
    return httpx.ASGITransport(app, client=("127.0.0.1", 1))


async def client_of(
    pool: Pool, transport: httpx.ASGITransport, account: str = "acme", *scopes: str
) -> httpx.AsyncClient:
    key = await keys.create(pool, account, "test", scopes or ("webhooks:write", "events:read"))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers={"authorization": f"Bearer {key}"})


@pytest.fixture
async def client(pool: Pool, transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with await client_of(pool, transport) as client:
        yield client


async def tell(pool: Pool, *types: str, account: str = "acme") -> None:
    async with pool.acquire() as connection, connection.transaction():
        await append_events(
            connection, [DomainEvent(account, CALL, type_, 1_732_412_345_678_901, "{}") for type_ in types]
        )


async def make(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/webhooks", json={"url": "https://crm.example/hook"} | fields)
    assert answer.status_code == 201
    return dict(answer.json())


async def test_the_secret_is_shown_on_creation_alone(client: httpx.AsyncClient) -> None:
    made = await make(client, event_types=["call.ended", "call.started"])
    assert made["secret"].startswith("whsec_")
    Webhook(made["secret"])
    shown = (await client.get(f"/v1/webhooks/{made['id']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["event_types"] == ["call.ended", "call.started"]
    assert (await client.get("/v1/webhooks")).json() == {"data": [shown]}


async def test_an_account_has_so_many_endpoints(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.events.routes.MOST_WEBHOOKS", 2)
    made = [await client.post("/v1/webhooks", json={"url": "https://example.com/"}) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert made[-1].json()["code"] == "too_many_webhooks"
    await client.delete(made[0].headers["location"])
    assert (await client.post("/v1/webhooks", json={"url": "https://example.com/"})).status_code == 201


async def test_an_endpoint_is_changed_and_deleted(client: httpx.AsyncClient, pool: Pool) -> None:
    path = f"/v1/webhooks/{(await make(client))['id']}"
    changed = await client.patch(path, json={"enabled": False, "url": "https://crm.example/other"})
    assert changed.status_code == 200
    assert (changed.json()["enabled"], changed.json()["url"]) == (False, "https://crm.example/other")
    assert (await client.patch(path, json={"event_types": ["call.ended"]})).json()["event_types"] == ["call.ended"]
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == (await client.delete(path)).status_code == 404
    actions = await pool.fetch("select action from audit_log order by id")
    assert [r["action"] for r in actions] == [
        "webhook.created",
        "webhook.changed",
        "webhook.changed",
        "webhook.deleted",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": ""},
        {"url": "crm.example"},
        {"url": "ftp://crm.example/"},
        {"url": "https:///path"},
        {"url": "https://user:pw@crm.example/"},
        {"url": "https://crm.example/#part"},
        {"url": "https://crm.example:99999/"},
        {"url": "https://crm.example/\r\nx: y"},
        {"url": "https://crm.example/\0"},
        {"url": "https://crm.example/", "event_types": ["call.no"]},
        {"url": "https://crm.example/", "secret": "whsec_mine"},
        {"url": 5},
    ],
)
async def test_a_wrong_endpoint_is_refused_with_its_fault(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert (await client.get("/v1/webhooks")).json() == {"data": []}


@pytest.mark.parametrize("body", [{}, {"enabled": None}, {"enabled": "no"}, {"id": "x"}])
async def test_a_change_of_nothing_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    path = f"/v1/webhooks/{(await make(client))['id']}"
    assert (await client.patch(path, json=body)).status_code == 422


async def test_another_accounts_endpoint_does_not_exist(
    client: httpx.AsyncClient, pool: Pool, transport: httpx.ASGITransport
) -> None:
    path = f"/v1/webhooks/{(await make(client))['id']}"
    async with await client_of(pool, transport, "other") as other:
        assert (await other.get(path)).status_code == 404
        assert (await other.patch(path, json={"enabled": False})).status_code == 404
        assert (await other.delete(path)).status_code == 404
        assert (await other.get(path + "/deliveries")).status_code == 404
        assert (await other.get("/v1/webhooks")).json() == {"data": []}
    assert (await client.get(path)).json()["enabled"] is True


async def test_each_route_needs_its_scope(pool: Pool, transport: httpx.ASGITransport) -> None:
    async with await client_of(pool, transport, "acme", "calls:read") as client:
        for path in ("/v1/webhooks", "/v1/events", "/v1/webhooks/x/deliveries"):
            assert (await client.get(path)).status_code == 403


async def test_the_log_is_paged_by_sequence(client: httpx.AsyncClient, pool: Pool) -> None:
    await tell(pool, "call.started", "call.answered", "call.ended")
    await tell(pool, "call.started", account="other")
    first = (await client.get("/v1/events", params={"limit": 2})).json()
    assert [event["type"] for event in first["data"]] == ["call.started", "call.answered"]
    assert (first["has_more"], first["last_sequence"]) == (True, 2)
    assert first["data"][0] == {
        "id": "evt_acme_1",
        "sequence": 1,
        "type": "call.started",
        "occurred_at": "2024-11-24T01:39:05.678Z",
        "account": "acme",
        "data": {},
    }
    rest = (await client.get("/v1/events", params={"after": 2})).json()
    assert [event["sequence"] for event in rest["data"]] == [3]
    assert rest["has_more"] is False
    ended = (await client.get("/v1/events?type=call.ended&type=call.merged")).json()
    assert [event["sequence"] for event in ended["data"]] == [3]
    nothing = (await client.get("/v1/events", params={"after": 3})).json()
    assert nothing == {"data": [], "has_more": False, "last_sequence": 3}


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=99999999999999999999", "limit=0", "limit=1001", "type=no", "since=1"]
)
async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/events?{query}")
    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_deliveries_are_shown_with_their_tries(client: httpx.AsyncClient, pool: Pool) -> None:
    path = f"/v1/webhooks/{(await make(client))['id']}/deliveries"
    await tell(pool, "call.started")
    await webhooks.enqueue(pool)
    [claimed] = await webhooks.claim(pool, 10)
    await webhooks.failed(pool, claimed, 500, "answered 500", 12, None)
    [shown] = (await client.get(path)).json()["data"]
    assert shown == {
        "event_id": "evt_acme_1",
        "sequence": 1,
        "type": "call.started",
        "state": "dead",
        "tries": 1,
        "next_try_at": None,
        "status": 500,
        "error": "answered 500",
        "latency_ms": 12,
        "delivered_at": None,
    }
