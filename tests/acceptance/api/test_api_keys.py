"""Keys made and revoked through the API, and what the audit log says of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.store import audit, directories, keys, networks
from gateway.store.connection import Pool
from tests.acceptance.api.test_who_may_ask import at
from tests.directories import of_another_account


async def made(client: httpx.AsyncClient, **body: object) -> dict[str, Any]:
    response = await client.post("/v1/api-keys", json={"name": "crm", "scopes": ["calls:read"], **body})
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/api-keys/{document['id']}"
    return document


async def test_a_key_is_shown_once_and_opens_what_it_was_made_for(client: httpx.AsyncClient, pool: Pool) -> None:
    new = await made(client)
    assert (new["name"], new["scopes"], new["expires_at"], new["last_used_at"]) == ("crm", ["calls:read"], None, None)
    headers = {"Authorization": f"Bearer {new['key']}"}
    assert (await client.get("/v1/calls", headers=headers)).status_code == 200
    assert (await client.get("/v1/users", headers=headers)).status_code == 403
    async with asyncio.timeout(20):
        while True:
            listed = await client.get("/v1/api-keys")
            [shown] = [key for key in listed.json()["data"] if key["id"] == new["id"]]
            if shown["last_used_at"] is not None:
                break
            await asyncio.sleep(0.05)
    assert new["key"] not in listed.text
    assert shown == {name: value for name, value in new.items() if name != "key"} | {
        "last_used_at": shown["last_used_at"],
        "last_used_ip": "192.0.2.7",
    }
    assert new["key"].rpartition("_")[2] not in str(await pool.fetch("select * from api_keys"))


async def test_a_key_cannot_give_a_scope_that_it_lacks(anybody: httpx.AsyncClient, key: str, pool: Pool) -> None:
    limited = await keys.create(pool, "acme", "limited", ["admin", "calls:read"])
    body = {"name": "more", "scopes": ["calls:read", "calls:write", "events:read"]}
    response = await anybody.post("/v1/api-keys", headers={"token": limited}, json=body)
    assert (response.status_code, response.json()["code"]) == (403, "scope_not_held")
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/scopes/1", "/scopes/2"]
    [entry] = await audit.newest(pool, "acme")
    assert (entry.action, entry.details["scopes"]) == ("key.not_created", ["calls:write", "events:read"])
    assert len(await keys.list_keys(pool, "acme")) == 2


async def test_scopes_that_it_lacks_are_told_with_what_else_is_wrong(
    anybody: httpx.AsyncClient, key: str, pool: Pool
) -> None:
    limited = await keys.create(pool, "acme", "limited", ["admin", "calls:read"])
    body = {"name": "", "scopes": ["calls:read", "calls:write", "root", 7, "admin"], "colour": "red"}
    response = await anybody.post("/v1/api-keys?dry=1", headers={"token": limited}, json=body)
    assert response.status_code == 422
    assert {fault.get("pointer", fault.get("parameter")): fault["code"] for fault in response.json()["errors"]} == {
        "dry": "unknown_parameter",
        "/name": "too_short",
        "/scopes/1": "scope_not_held",
        "/scopes/2": "not_one_of",
        "/scopes/3": "not_one_of",
        "/colour": "unknown_field",
    }
    (entry,) = await audit.newest(pool, "acme", 1)
    assert (entry.action, entry.subject, entry.details["scopes"]) == ("key.not_created", "", ["calls:write"])
    body = {"name": "more", "scopes": ["calls:write"], "expires_at": "2020-01-01T00:00:00Z"}
    errors = (await anybody.post("/v1/api-keys", headers={"token": limited}, json=body)).json()["errors"]
    assert {fault["pointer"]: fault["code"] for fault in errors} == {
        "/scopes/0": "scope_not_held",
        "/expires_at": "in_the_past",
    }
    (entry,) = await audit.newest(pool, "acme", 1)
    assert (entry.action, entry.subject, entry.details["scopes"]) == ("key.not_created", "more", ["calls:write"])


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, {"/name", "/scopes"}),
        ({"name": "", "scopes": [], "more": 1}, {"/name", "/scopes", "/more"}),
        ({"name": "a\nb", "scopes": ["root"], "expires_at": "tomorrow"}, {"/name", "/scopes/0", "/expires_at"}),
        ({"name": "a", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}, {"/expires_at"}),
        ({"name": "a", "scopes": ["admin"], "expires_at": "2126-01-01T00:00:00"}, {"/expires_at"}),
    ],
)
async def test_all_that_is_wrong_with_a_key_is_told_at_once(
    client: httpx.AsyncClient, body: dict[str, object], faults: set[str]
) -> None:
    response = await client.post("/v1/api-keys", json=body)
    assert response.status_code == 422
    assert {fault["pointer"] for fault in response.json()["errors"]} == faults


@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59-12:00", "1893456000", 1893456000, "2126-01-01", "2126-02-30T00:00:00Z", "",
     "2126-01-01 00:00Z", "0001-01-01T00:00:00+14:00", True, "2126-01-01T00:00:00", "2126-01-01T00:00:00Z\n"],
)  # fmt: skip
async def test_a_key_expires_at_a_date_time_of_the_calendar(client: httpx.AsyncClient, moment: object) -> None:
    response = await client.post("/v1/api-keys", json={"name": "a", "scopes": ["admin"], "expires_at": moment})
    assert response.status_code == 422, response.text
    [fault] = response.json()["errors"]
    assert fault["pointer"] == "/expires_at"
    assert fault["code"] == ("unreadable_time" if isinstance(moment, str) else "wrong_type")


@pytest.mark.parametrize("moment", ["2126-01-01T10:00:00+10:00", "2126-01-01t00:00:00.0000000z", "2126-01-01T00:00Z"])
async def test_when_a_key_expires_is_told_in_utc(client: httpx.AsyncClient, moment: str) -> None:
    assert (await made(client, expires_at=moment))["expires_at"] == "2126-01-01T00:00:00.000Z"


async def test_two_keys_overlap_and_the_old_one_goes(client: httpx.AsyncClient, pool: Pool) -> None:
    old, new = await made(client, name="old"), await made(client, name="new")
    for one in (old, new):
        assert (await client.get("/v1/calls", headers={"Authorization": f"Bearer {one['key']}"})).status_code == 200
    assert (await client.delete(f"/v1/api-keys/{old['id']}")).status_code == 204
    assert (await client.delete(f"/v1/api-keys/{old['id']}")).status_code == 404
    living = [key["id"] for key in (await client.get("/v1/api-keys")).json()["data"]]
    assert new["id"] in living
    assert old["id"] not in living
    ended = (await client.get("/v1/api-keys?include=ended")).json()["data"]
    assert [key["revoked_at"] is None for key in ended if key["id"] in (old["id"], new["id"])] == [False, True]
    assert [(entry.action, entry.subject) for entry in await audit.newest(pool, "acme")] == [
        ("key.revoked", old["id"]),
        ("key.created", new["id"]),
        ("key.created", old["id"]),
    ]


async def test_a_key_expires(client: httpx.AsyncClient, pool: Pool) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    new = await made(client, expires_at=soon.isoformat())
    assert new["expires_at"] is not None
    async with asyncio.timeout(20):
        headers = {"Authorization": f"Bearer {new['key']}"}
        while (await client.get("/v1/calls", headers=headers)).status_code == 200:
            await asyncio.sleep(0.1)
    assert datetime.now(UTC) >= soon


async def test_a_key_in_use_opens_nothing_a_second_after_it_was_revoked_elsewhere(
    client: httpx.AsyncClient, context: ApiContext, key: str
) -> None:
    """Two processes, each of which has let the key in a moment ago."""
    new = await made(client)
    async with at(context, "192.0.2.8") as elsewhere:
        headers = {"Authorization": f"Bearer {new['key']}"}
        assert (await elsewhere.get("/v1/calls", headers=headers)).status_code == 200
        await client.delete(f"/v1/api-keys/{new['id']}")
        await asyncio.sleep(1)
        assert (await elsewhere.get("/v1/calls", headers=headers)).status_code == 401


async def test_a_network_that_is_removed_is_out_within_a_second(client: httpx.AsyncClient, pool: Pool) -> None:
    assert (await client.get("/v1/calls")).status_code == 200
    await networks.remove(pool, "acme", networks.parse_network("192.0.2.0/24"))
    await asyncio.sleep(1)
    assert (await client.get("/v1/calls")).status_code == 401
    await networks.allow(pool, "acme", networks.parse_network("192.0.2.7"))
    assert (await client.get("/v1/calls")).status_code == 200


async def test_who_guesses_at_a_key_is_slowed_and_noted_and_its_holder_is_not(
    context: ApiContext, key: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("gateway.api.slowing.asyncio.sleep", sleep)
    app = create_app(context)
    guess = key[:-1] + ("A" if key[-1] != "A" else "B")
    for number in range(12):
        transport = httpx.ASGITransport(app, client=(f"192.0.2.{number + 1}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
            assert (await client.get("/v1/calls", headers={"token": guess})).status_code == 401
            assert (await client.get("/v1/calls")).status_code == 401
    assert len(slept) == 7
    assert slept == sorted(slept)
    before = len(slept)
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        assert (await client.get("/v1/calls", headers={"token": key})).status_code == 200
    assert len(slept) == before
    noted = await audit.newest(pool, "acme")
    assert {entry.action for entry in noted} == {"key.refused"}
    assert len({entry.ip for entry in noted}) == len(noted) == 12


async def test_the_audit_log_is_read_page_by_page(client: httpx.AsyncClient, pool: Pool) -> None:
    for number in range(5):
        await audit.record(pool, "acme", "cli", "key.created", f"k{number}")
    first = await client.get("/v1/audit-log?limit=3")
    assert [entry["subject"] for entry in first.json()["data"]] == ["k4", "k3", "k2"]
    assert first.json()["has_more"]
    second = await client.get(first.links["next"]["url"])
    assert [entry["subject"] for entry in second.json()["data"]] == ["k1", "k0"]
    assert not second.json()["has_more"]
    assert "next" not in second.links


async def test_networks_are_let_in_and_out_from_an_allowed_address(
    client: httpx.AsyncClient, context: ApiContext, key: str, pool: Pool
) -> None:
    for sent, kept in (("198.51.100.9", "198.51.100.9/32"), ("2001:db8::5/32", "2001:db8::/32"),
                       ("::ffff:203.0.113.0/120", "203.0.113.0/24")):  # fmt: skip
        response = await client.post("/v1/allowed-networks", json={"network": sent, "note": "office"})
        assert (response.status_code, response.json()["network"]) == (201, kept)
        assert (await client.post("/v1/allowed-networks", json={"network": sent})).status_code == 200
    async with at(context, "2001:db8::77") as let_in:
        assert (await let_in.get("/v1/calls", headers={"token": key})).status_code == 200
    assert len((await client.get("/v1/allowed-networks")).json()["data"]) == 4
    assert (await client.delete("/v1/allowed-networks/198.51.100.9/32")).status_code == 204
    assert (await client.delete("/v1/allowed-networks/2001:db8::%2F32")).status_code == 204
    assert (await client.delete("/v1/allowed-networks/198.51.100.9/32")).status_code == 404
    assert (await client.delete("/v1/allowed-networks/nonsense")).status_code == 404
    actions = [(entry.action, entry.subject) for entry in await audit.newest(pool, "acme")]
    assert actions[:2] == [("network.removed", "2001:db8::/32"), ("network.removed", "198.51.100.9/32")]
    assert len(actions) == 5


async def test_a_full_list_says_of_what_is_on_it_that_it_is(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.allowed_networks.MOST_NETWORKS", 1)
    assert (await client.post("/v1/allowed-networks", json={"network": "192.0.2.0/24"})).status_code == 200
    response = await client.post("/v1/allowed-networks", json={"network": "198.51.100.9"})
    assert (response.status_code, response.json()["code"]) == (409, "too_many_networks")


@pytest.mark.parametrize("network", ["", "nonsense", "192.0.2.0/33", "fe80::1%eth0", "\0", 7])
async def test_what_is_no_network_is_not_let_in(client: httpx.AsyncClient, network: object) -> None:
    response = await client.post("/v1/allowed-networks", json={"network": network})
    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/network"]


async def test_nobody_lets_an_address_in_from_that_address(context: ApiContext, key: str, pool: Pool) -> None:
    async with at(context, "198.51.100.9") as stranger:
        for request in (
            stranger.build_request("POST", "/v1/allowed-networks", json={"network": "198.51.100.9"}),
            stranger.build_request("DELETE", "/v1/allowed-networks/192.0.2.0/24"),
            stranger.build_request("GET", "/v1/allowed-networks"),
        ):
            request.headers["token"] = key
            response = await stranger.send(request)
            assert (response.status_code, response.json()["code"]) == (401, "ip_not_allowed")
    assert len(await networks.list_networks(pool, "acme")) == 1


async def test_another_accounts_keys_and_networks_do_not_exist(
    client: httpx.AsyncClient, acme: Directory, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, of_another_account(acme))
    theirs = (await keys.made(pool, await keys.create(pool, "other", "theirs", ["calls:read"]))).id
    await networks.allow(pool, "other", networks.parse_network("10.0.0.0/8"))
    assert (await client.delete(f"/v1/api-keys/{theirs}")).status_code == 404
    assert (await client.delete("/v1/allowed-networks/10.0.0.0/8")).status_code == 404
    assert theirs not in (await client.get("/v1/api-keys?include=ended")).text
    assert "10.0.0.0" not in (await client.get("/v1/allowed-networks")).text
    assert len(await keys.list_keys(pool, "other", ended=False)) == 1


async def test_all_that_is_wrong_with_a_network_is_told_at_once(client: httpx.AsyncClient) -> None:
    body = {"network": "nowhere", "note": "a\nb", "colour": "red"}
    faults = (await client.post("/v1/allowed-networks", json=body)).json()["errors"]
    assert {fault["pointer"]: fault["code"] for fault in faults} == {
        "/network": "not_a_network",
        "/note": "not_printable",
        "/colour": "unknown_field",
    }
