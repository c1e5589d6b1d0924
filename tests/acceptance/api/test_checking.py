"""`POST /v1/calls/check`: what placing the call would do, told without ringing anyone or leaving anything behind."""

from dataclasses import replace

import httpx
import pytest

from gateway.calls.directory import Directory, Outbound
from gateway.store import audit, directories
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers

GOOD = {"user": "101", "to": "+61255501234", "reference": "crm-4711"}


async def check(client: httpx.AsyncClient, **changed: object) -> dict[str, object]:
    response = await client.post("/v1/calls/check", json=GOOD | changed)
    assert response.status_code == 200, response.text
    told: dict[str, object] = response.json()
    return told


def refused(told: dict[str, object]) -> list[tuple[int, str]]:
    refusals = told["refusals"]
    assert isinstance(refusals, list)
    assert told["placeable"] == (not refusals)
    return [(one["status"], one["code"]) for one in refusals]


async def test_what_would_ring_and_what_either_side_would_see(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    asterisk.lists["DeviceStateList"] = [
        {"Event": "DeviceStateChange", "Device": "PJSIP/101-desk", "State": "NOT_INUSE"},
        {"Event": "DeviceStateChange", "Device": "PJSIP/101-mobile", "State": "INUSE"},
    ]
    assert await check(client) == {
        "placeable": True,
        "refusals": [],
        "user": {"id": acme.users[0].id, "number": "101", "name": "Alice"},
        "to": "+61255501234",
        "caller_ids": {"user": "+61255501234", "destination": "+61290000001", "destination_name": None},
        "devices": [
            {"device": "PJSIP/101-desk", "state": "registered", "contacts": 1},
            {"device": "PJSIP/101-mobile", "state": "in_use", "contacts": 2},
        ],
        "limits": [
            {"name": "calls_per_minute", "limit": 30, "used": 0, "reached": False},
            {"name": "simultaneous_calls", "limit": 10, "used": 0, "reached": False},
        ],
    }
    inside = await check(client, to="102")
    assert inside["caller_ids"] == {"user": "102", "destination": "101", "destination_name": "Alice"}
    assert asterisk.told("Originate") == []
    assert await pool.fetchval("select count(*) from originations") == 0


async def test_every_refusal_is_the_one_that_placing_gives(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    limited = replace(acme, outbound=Outbound(calls_per_minute=1, simultaneous_calls=1, deny=("+6125550",)))
    async with pool.acquire() as connection:
        await directories.apply(connection, limited)
    assert refused(await check(client, to="102")) == []
    assert (await client.post("/v1/calls", json=GOOD | {"to": "102"})).status_code == 202
    asterisk.contacts = {}
    told = await check(client)
    assert refused(told) == [
        (403, "destination_blocked"),
        (409, "user_unreachable"),
        (429, "too_many_calls_per_minute"),
        (429, "too_many_simultaneous_calls"),
    ]
    placed = await client.post("/v1/calls", json=GOOD)
    assert (placed.status_code, placed.json()["code"]) == refused(told)[0]
    asterisk.contacts = {"101-desk": 1}
    placed = await client.post("/v1/calls", json=GOOD | {"to": "102"})
    assert (placed.status_code, placed.json()["code"]) == refused(await check(client, to="102"))[0]
    assert [entry.action for entry in await audit.newest(pool, "acme")] == ["call.refused"] * 2


async def test_asterisk_away_is_a_refusal_and_what_only_it_knows_is_null(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    asterisk.connected = False
    told = await check(client)
    assert refused(told) == [(503, "asterisk_unavailable")]
    assert told["devices"] == [
        {"device": device, "state": None, "contacts": None} for device in ("PJSIP/101-desk", "PJSIP/101-mobile")
    ]


@pytest.mark.parametrize("wrong", [{"user": "999"}, {"to": "hello"}, {"colour": "red"}, {"caller_id": "+61255509999"}])
async def test_a_wrong_body_is_wrong_here_as_there(client: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    checked = await client.post("/v1/calls/check", json=GOOD | wrong)
    placed = await client.post("/v1/calls", json=GOOD | wrong)
    assert checked.status_code == placed.status_code == 422
    assert checked.json()["errors"] == placed.json()["errors"]
