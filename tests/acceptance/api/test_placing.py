"""Placing calls: what is dialled, and what is refused with nothing dialled and nothing left behind."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from gateway.asterisk.errors import ActionRefused, ActionTimeout, LinkLost, NotConnected
from gateway.calls.directory import Directory, Group, Outbound, User
from gateway.store import audit, calls, directories, keys, networks
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers
from tests.acceptance.api.records import inbound, instant

GOOD = {"user": "101", "to": "+61255501234", "reference": "crm-4711"}


async def state_of(pool: Pool) -> list[str]:
    return [record["state"] for record in await pool.fetch("select state from originations order by id")]


async def test_a_call_is_committed_then_originated_with_its_id(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    response = await client.post("/v1/calls", json=GOOD)
    assert response.status_code == 202
    call = response.json()
    assert response.headers["location"] == f"/v1/calls/{call['id']}"
    assert (call["state"], call["direction"], call["origin"]["reference"]) == ("queued", "outbound", "crm-4711")
    [(headers, variables)] = asterisk.told("Originate")
    assert (headers["ChannelId"], headers["CallerID"]) == (call["id"], "+61255501234")
    assert variables["__GW_DEVICES"] == "101-desk:101-mobile"
    assert variables["__GW_CALLER_ID"] == "+61290000001"
    assert await state_of(pool) == ["accepted"]
    assert (await client.get(response.headers["location"])).json() == call


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls/check"])
async def test_all_that_is_wrong_is_told_at_once_whatever_it_takes_to_see_it(
    client: httpx.AsyncClient, path: str
) -> None:
    """The form of a field, a field that there is not, and what only the directory can tell."""
    body = {"user": "999", "to": "hello", "caller_id": "+61255509999", "ring_timeout": 1, "colour": "red"}
    headers = {"Idempotency-Key": "x" * 256}
    response = await client.post(f"{path}?dry=1", json=body, headers=headers)
    assert response.status_code == 422
    found = {fault.get("pointer") or fault["parameter"]: fault["code"] for fault in response.json()["errors"]}
    key = {"Idempotency-Key": "bad_idempotency_key"} if path == "/v1/calls" else {}
    assert found == key | {
        "dry": "unknown_parameter",
        "/ring_timeout": "too_small",
        "/colour": "unknown_field",
        "/user": "unknown_user",
        "/to": "not_a_number",
        "/caller_id": "not_your_number",
    }
    for odd in (
        b'{"user": ' + b"9" * 4000 + b"}",
        b"[" * 100 + b"]" * 100,
        b"[]",
        b'{"user": null, "to": "+61290000001"}',
    ):
        response = await client.post(path, content=odd, headers={"Content-Type": "application/json"})
        assert response.status_code == 422, response.text


async def test_an_extension_is_called_without_a_public_number(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    response = await client.post("/v1/calls", json={"user": "Alice", "to": "700"})
    assert (response.status_code, response.json()["direction"]) == (202, "internal")
    assert asterisk.told("Originate")[0][1]["__GW_CALLER_ID"] == ""


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (GOOD | {"user": "999"}, "/user", "unknown_user"),
        (GOOD | {"to": "hello"}, "/to", "not_a_number"),
        (GOOD | {"to": "+61000000000000"}, "/to", "not_a_valid_number"),
        (GOOD | {"to": "+9991234567"}, "/to", "not_a_valid_number"),
        (GOOD | {"to": "+610255501234"}, "/to", "not_a_valid_number"),
        (GOOD | {"to": "+61255501234\r\nAction: Command"}, "/to", "not_printable"),
        (GOOD | {"to": "+61255501234&PJSIP/102"}, "/to", "not_a_number"),
        (GOOD | {"to": "102,${SHELL(id)}"}, "/to", "not_a_number"),
        (GOOD | {"to": "+" + "6" * 10_000}, "/to", "too_long"),
        (GOOD | {"to": "\uff0b61255501234"}, "/to", "not_a_number"),
        (GOOD | {"to": "101"}, "/to", "own_extension"),
        (GOOD | {"to": "104"}, "/to", "not_a_number"),
        (GOOD | {"to": 61255501234}, "/to", "wrong_type"),
        (GOOD | {"caller_id": "+61255509999"}, "/caller_id", "not_your_number"),
        (GOOD | {"to": "+61290000001"}, "/caller_id", "caller_id_is_destination"),
        (GOOD | {"ring_timeout": 0}, "/ring_timeout", "too_small"),
        (GOOD | {"reference": "a\nb"}, "/reference", "not_printable"),
        (GOOD | {"colour": "red"}, "/colour", "unknown_field"),
        (GOOD | {"a/b~c": "red"}, "/a~1b~0c", "unknown_field"),
        ({"to": "+61255501234"}, "/user", "required"),
    ],
)
async def test_a_wrong_body_is_told_by_field_and_dials_nobody(
    client: httpx.AsyncClient,
    asterisk: AsteriskThatAnswers,
    pool: Pool,
    body: dict[str, object],
    pointer: str,
    code: str,
) -> None:
    response = await client.post("/v1/calls", json=body)
    assert response.status_code == 422, response.text
    assert (pointer, code) in {(fault["pointer"], fault["code"]) for fault in response.json()["errors"]}
    assert len(response.text) < 2000
    assert (asterisk.told("Originate"), await state_of(pool)) == ([], [])


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b'{"user": "101",', "application/json", 400, "malformed_json"),
        (b"", "application/json", 400, "malformed_json"),
        (b"\xff\xfe", "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"user=101&to=%2B61255501234", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b" " * 70_000, "application/json", 413, "body_too_large"),
    ],
)
async def test_what_is_no_json_object_is_refused(
    client: httpx.AsyncClient,
    asterisk: AsteriskThatAnswers,
    content: bytes,
    content_type: str,
    status: int,
    code: str,
) -> None:
    response = await client.post("/v1/calls", content=content, headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert asterisk.actions == []


async def test_asterisk_down_is_a_503_and_nothing_is_placed(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    asterisk.connected = False
    response = await client.post("/v1/calls", json=GOOD)
    assert (response.status_code, response.json()["code"]) == (503, "asterisk_unavailable")
    assert response.headers["retry-after"]
    asterisk.connected, asterisk.originate_fails = True, NotConnected("gone just now")
    assert (await client.post("/v1/calls", json=GOOD)).status_code == 503
    assert await state_of(pool) == []


async def test_postgres_down_is_a_503_and_nothing_is_dialled(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    pool.terminate()
    response = await client.post("/v1/calls", json=GOOD)
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert asterisk.actions == []


async def test_what_asterisk_refuses_is_a_failed_call(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    asterisk.originate_fails = ActionRefused("Extension does not exist.")
    response = await client.post("/v1/calls", json=GOOD)
    assert (response.status_code, response.json()["state"], response.json()["outcome"]) == (202, "ended", "failed")
    assert await state_of(pool) == ["refused"]


@pytest.mark.parametrize("lost", [LinkLost("gone"), ActionTimeout("late")])
async def test_an_answer_that_was_lost_leaves_the_call_reserved_and_is_never_sent_again(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, lost: LinkLost | ActionTimeout
) -> None:
    asterisk.originate_fails = lost
    headers = {"Idempotency-Key": "k"}
    response = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    again = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_in_progress")
    await pool.execute("update originations set deadline = now() - interval '1 second'")
    assert (await client.post("/v1/calls", json=GOOD, headers=headers)).json() == response.json()
    assert (len(asterisk.told("Originate")), await state_of(pool)) == (1, ["reserved"])


async def test_a_user_without_a_reachable_device_is_told(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    response = await client.post("/v1/calls", json=GOOD | {"user": "103"})
    assert (response.status_code, response.json()["code"]) == (409, "user_unreachable")
    assert (asterisk.told("Originate"), await state_of(pool)) == ([], [])


async def test_devices_of_the_same_name_on_another_node_are_another_accounts(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, nodes=("pbx2",)))
    response = await client.post("/v1/calls", json=GOOD)
    assert (response.status_code, response.json()["code"]) == (409, "other_node")
    assert asterisk.actions == []
    assert await state_of(pool) == []
    [alice, *_] = (await client.get("/v1/users")).json()["data"]
    assert (alice["presence"], alice["devices"][0]["state"]) == (None, None)


async def test_the_same_key_places_one_call(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    headers = {"Idempotency-Key": "crm-1"}
    answers = await asyncio.gather(*(client.post("/v1/calls", json=GOOD, headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len(asterisk.told("Originate")) == 1
    again = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    other = await client.post("/v1/calls", json=GOOD | {"to": "102"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len(await state_of(pool)) == 1


async def test_what_was_refused_frees_its_key_and_a_day_later_it_is_free_anyway(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    headers = {"Idempotency-Key": "k"}
    bob = GOOD | {"user": "102"}
    for refusal, body in ((422, {"to": "hello"}), (403, GOOD | {"to": "+611900123456"}), (409, GOOD | {"user": "103"})):
        assert (await client.post("/v1/calls", json=body, headers=headers)).status_code == refusal
    asterisk.originate_fails = NotConnected("gone just now")
    assert (await client.post("/v1/calls", json=GOOD, headers=headers)).status_code == 503
    asterisk.originate_fails = None
    first = await client.post("/v1/calls", json=bob, headers=headers)
    assert (first.status_code, "idempotent-replayed" in first.headers) == (202, False)
    await pool.execute("update originations set created_at = created_at - interval '23 hours 59 minutes'")
    assert (await client.post("/v1/calls", json=GOOD, headers=headers)).json()["code"] == "idempotency_mismatch"
    await pool.execute("update originations set created_at = created_at - interval '2 minutes'")
    second = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (second.status_code, second.json()["id"] != first.json()["id"]) == (202, True)


async def test_anothers_key_is_another_key(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    """Keys are per account, not per whoever asks for it."""
    headers = {"Idempotency-Key": "k"}
    first = await client.post("/v1/calls", json=GOOD, headers=headers)
    colleague = {"Authorization": "Bearer " + await keys.create(pool, "acme", "colleague", ["calls:write"])}
    again = await client.post("/v1/calls", json=GOOD, headers=headers | colleague)
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first.json()["id"], "true")
    asterisk.contacts["201"] = 1
    zoe = User("", "201", "Zoe", None, ("PJSIP/201",))
    other = Directory("umbrella", "Umbrella", "UTC", "AU", nodes=("pbx1",), numbers=("+61290000020",), users=(zoe,))
    async with pool.acquire() as connection:
        await directories.apply(connection, other)
    await networks.allow(pool, "umbrella", networks.parse_network("192.0.2.0/24"))
    stranger = {"Authorization": "Bearer " + await keys.create(pool, "umbrella", "s", ["calls:write"])}
    theirs = await client.post("/v1/calls", json=GOOD | {"user": "201"}, headers=headers | stranger)
    assert (theirs.status_code, theirs.json()["id"] != first.json()["id"]) == (202, True)


async def test_the_first_answer_stands_though_the_directory_is_another_since(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    first = await client.post("/v1/calls", json=GOOD, headers={"Idempotency-Key": "k"})
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, users=acme.users[1:]))
    again = await client.post("/v1/calls", json=GOOD, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"
    assert len(asterisk.told("Originate")) == 1


async def test_guards(client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory) -> None:
    limited = replace(acme, outbound=Outbound(deny=("+6125550",), calls_per_minute=1))
    async with pool.acquire() as connection:
        await directories.apply(connection, limited)
    for to in ("+61255501234", "+611900123456", "000", "+61000"):
        response = await client.post("/v1/calls", json=GOOD | {"to": to})
        assert (response.status_code, response.json()["code"]) == (403, "destination_blocked"), to
    assert (await client.post("/v1/calls", json={"user": "101", "to": "102"})).status_code == 202
    over = await client.post("/v1/calls", json={"user": "101", "to": "102"})
    assert (over.status_code, over.json()["code"]) == (429, "too_many_calls_per_minute")
    assert over.headers["retry-after"]
    assert len(asterisk.told("Originate")) == 1
    assert [entry.action for entry in await audit.newest(pool, "acme")] == ["call.refused"] * 5


async def test_what_is_blocked_unless_the_directory_says_otherwise(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    """And an emergency number is dialled only where the account has it as an extension."""
    police = replace(acme, ring_groups=(Group("000", "police"),))
    for directory, premium, emergency in (
        (acme, 403, 403),
        (police, 403, 403),
        (replace(acme, outbound=Outbound(premium_rate=True, emergency=True)), 202, 422),
        (replace(police, outbound=Outbound(emergency=True)), 403, 202),
        (replace(acme, outbound=Outbound(premium_rate=True, deny=("+61190",))), 403, 403),
    ):
        async with pool.acquire() as connection:
            await directories.apply(connection, directory)
        asked = [await client.post("/v1/calls", json=GOOD | {"to": to}) for to in ("+611900123456", "000")]
        assert [answer.status_code for answer in asked] == [premium, emergency], directory.outbound
    assert len(asterisk.told("Originate")) == 2


async def test_a_number_of_the_accounts_is_shown_to_a_colleague_only_if_it_is_asked_for(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    for body in ({"user": "101", "to": "102"}, {"user": "101", "to": "102", "caller_id": "+61290000003"}):
        assert (await client.post("/v1/calls", json=body)).status_code == 202
    shown = [variables["__GW_CALLER_ID"] for _, variables in asterisk.told("Originate")]
    assert shown == ["", "+61290000003"]


async def test_simultaneous_calls_are_limited_whatever_comes_at_once(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, replace(acme, outbound=Outbound(simultaneous_calls=3)))
    answers = await asyncio.gather(*(client.post("/v1/calls", json=GOOD) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 5
    assert len(asterisk.told("Originate")) == 3


async def test_hanging_up(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool, acme: Directory
) -> None:
    ended = inbound(acme, instant("2026-11-03T12:00:00+11:00"))
    running = replace(inbound(acme, instant("2026-11-03T13:00:00+11:00")), state="in_progress", ended_at=None)
    async with pool.acquire() as connection:
        await calls.write_records(connection, [ended, running])
    asterisk.channels = [
        {"Event": "CoreShowChannel", "Uniqueid": "1.1", "Linkedid": running.linked_ids[0], "Channel": "PJSIP/101-1"},
        {"Event": "CoreShowChannel", "Uniqueid": "2.1", "Linkedid": "2.1", "Channel": "PJSIP/102-2"},
    ]
    assert (await client.post(f"/v1/calls/{ended.id}/hangup")).status_code == 200
    assert (await client.post(f"/v1/calls/{running.id}/hangup")).status_code == 202
    assert [headers["Channel"] for headers, _ in asterisk.told("Hangup")] == ["1.1"]


async def test_a_call_placed_this_moment_is_hung_up_as_soon_as_it_has_channels(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    placed = await client.post("/v1/calls", json=GOOD)
    call_id = placed.json()["id"]
    asterisk.channels_after = 2
    asterisk.channels = [
        {"Event": "CoreShowChannel", "Uniqueid": call_id, "Linkedid": call_id, "Channel": "Local/101@gw-ring-1;1"}
    ]
    assert (await client.post(f"{placed.headers['location']}/hangup")).status_code == 202
    assert [headers["Channel"] for headers, _ in asterisk.told("Hangup")] == [call_id]


async def test_the_hangup_of_a_call_without_channels_is_confirmed_once_there_can_be_none(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    """Until then it might still ring: to say that it was hung up would not be true."""
    placed = await client.post("/v1/calls", json=GOOD)
    await pool.execute("update originations set deadline = clock_timestamp() + interval '3 seconds'")
    assert (await client.post(f"{placed.headers['location']}/hangup")).status_code == 202
    assert await pool.fetchval("select clock_timestamp() > deadline + interval '1 second' from originations")


async def test_a_call_that_gets_its_channels_late_is_hung_up_all_the_same(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers
) -> None:
    placed = await client.post("/v1/calls", json=GOOD)
    call_id = placed.json()["id"]
    asterisk.channels_after = 22
    asterisk.channels = [
        {"Event": "CoreShowChannel", "Uniqueid": call_id, "Linkedid": call_id, "Channel": "Local/101@gw-ring-1;1"}
    ]
    assert (await client.post(f"{placed.headers['location']}/hangup")).status_code == 202
    assert [headers["Channel"] for headers, _ in asterisk.told("Hangup")] == [call_id]


async def test_a_call_that_is_told_to_be_over_while_its_channels_are_waited_for_is_over(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    placed = await client.post("/v1/calls", json=GOOD)
    asking = asyncio.create_task(client.post(f"{placed.headers['location']}/hangup"))
    async with asyncio.timeout(5):
        while not asterisk.asked:
            await asyncio.sleep(0.02)
        await pool.execute("update originations set state = 'refused', failure = 'refused_by_asterisk'")
        answer = await asking
    assert (answer.status_code, answer.json()["state"], asterisk.told("Hangup")) == (200, "ended", [])


async def test_the_deadline_is_by_the_clock_that_the_dialplan_reads_whatever_ours_shows(
    client: httpx.AsyncClient, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    """And by the database's where the database judges: neither is asked for the other's."""
    asterisk.clock = 1_900_000_000.75
    assert (await client.post("/v1/calls", json=GOOD)).status_code == 202
    [(_, variables)] = asterisk.told("Originate")
    assert variables["__GW_DEADLINE"] == "1900000010"
    assert [name for name, _, _ in asterisk.actions].index("Ping") < len(asterisk.actions) - 1
    left = await pool.fetchval("select extract(epoch from deadline - clock_timestamp()) from originations")
    assert 5 < left <= 10
