"""The directory: who is who, in pages, and what is live of it, or null where nobody can know."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from gateway.calls.directory import Directory, Group, User
from gateway.store import directories
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers

UMBRELLA = Directory("umbrella", "Umbrella", "UTC", "AU", users=(User("", "201", "Zoe", None, ("PJSIP/201",)),))


async def apply(pool: Pool, directory: Directory) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, directory)


async def test_who_is_who(client: httpx.AsyncClient, pool: Pool, acme: Directory) -> None:
    alice = replace(acme.users[0], email="alice@acme.example", external_id="crm-7")
    sales = replace(acme.ring_groups[0], members=("102", "103"))
    await apply(pool, replace(acme, users=(alice, *acme.users[1:]), ring_groups=(sales, Group("601", "hunt"))))
    users = (await client.get("/v1/users")).json()
    assert users["data"][0] | {"devices": None, "presence": None} == {
        "id": alice.id,
        "number": "101",
        "name": "Alice",
        "email": "alice@acme.example",
        "external_id": "crm-7",
        "caller_id": "+61290000001",
        "devices": None,
        "presence": None,
    }
    assert [user["name"] for user in users["data"]] == ["Alice", "Bob", "Carol"]
    first, second = (await client.get("/v1/ring-groups")).json()["data"]
    assert (first["number"], [member["user"]["name"] for member in first["members"]]) == ("600", ["Bob", "Carol"])
    assert second == {"number": "601", "name": "hunt", "members": None}
    assert (await client.get("/v1/numbers")).json()["data"] == [{"number": number} for number in acme.numbers]


@pytest.mark.parametrize("path", ["/v1/users", "/v1/numbers"])
async def test_pages(client: httpx.AsyncClient, path: str) -> None:
    whole = (await client.get(path)).json()
    assert (len(whole["data"]), whole["has_more"], "total" in whole) == (3, False, False)
    first = await client.get(f"{path}?limit=2&include=total")
    assert (first.json()["data"], first.json()["total"], first.json()["has_more"]) == (whole["data"][:2], 3, True)
    rest = (await client.get(first.links["next"]["url"])).json()
    assert (rest["data"], rest["has_more"]) == (whole["data"][2:], False)
    assert (await client.get(f"{path}?limit=0&offset=-1")).status_code == 422


async def test_what_asterisk_cannot_be_asked_is_null(client: httpx.AsyncClient, asterisk: AsteriskThatAnswers) -> None:
    asterisk.connected = False
    users = (await client.get("/v1/users")).json()
    assert users["live_at"] is None
    assert [user["presence"] for user in users["data"]] == [None] * 3
    assert [device["state"] for user in users["data"] for device in user["devices"]] == [None] * 4
    queues = (await client.get("/v1/queues")).json()
    assert queues["data"] == [{"number": "700", "name": "support", "members": None, "waiting": None}]
    assert queues["live_at"] is None


async def test_many_who_ask_at_once_are_one_question(client: httpx.AsyncClient, asterisk: AsteriskThatAnswers) -> None:
    asterisk.lists["DeviceStateList"] = [
        {"Event": "DeviceStateChange", "Device": "PJSIP/101-desk", "State": "ONHOLD"},
        {"Event": "DeviceStateChange", "Device": "PJSIP/101-mobile", "State": "RINGING"},
        {"Event": "DeviceStateChange", "Device": "PJSIP/102", "State": "UNKNOWN"},
    ]
    answers = await asyncio.gather(*(client.get("/v1/users") for _ in range(8)))
    assert len({answer.json()["live_at"] for answer in answers}) == 1
    assert len(asterisk.told("DeviceStateList")) == 1
    alice, bob, carol = answers[0].json()["data"]
    assert [device["state"] for device in alice["devices"]] == ["in_use", "ringing"]
    assert (alice["presence"], bob["presence"], carol["presence"]) == ("in_call", None, "offline")


async def test_a_queue_that_two_accounts_name_shows_neither_who_waits_in_it(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    asterisk.lists["QueueStatus"] = [
        {"Event": "QueueParams", "Queue": "support", "Calls": "1"},
        {"Event": "QueueMember", "Queue": "support", "Name": "Bob", "StateInterface": "PJSIP/102", "Status": "6"},
        {"Event": "QueueEntry", "Queue": "support", "Position": "1", "CallerIDNum": "0255501234", "Wait": "7"},
    ]
    await apply(pool, replace(UMBRELLA, nodes=("pbx2",), queues=(Group(None, "support"),)))
    (support,) = (await client.get("/v1/queues")).json()["data"]
    assert [(member["user"]["name"], member["state"]) for member in support["members"]] == [("Bob", "ringing")]
    assert support["waiting"] == [
        {"position": 1, "call_id": None, "caller_id": "+61255501234", "caller_name": None, "wait_duration": 7}
    ]
    await apply(pool, replace(UMBRELLA, queues=(Group(None, "support"),)))
    (support,) = (await client.get("/v1/queues")).json()["data"]
    assert (support["members"], support["waiting"]) == (None, None)
