"""Click to call for integrations written against the hosted product: golden pairs, and one call for each."""

import httpx
import pytest

from gateway.asterisk.errors import ActionRefused
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers
from tests.acceptance.api.drop_in import pairs


@pytest.mark.parametrize("name", pairs.names("call-to-number"))
async def test_the_answer_is_the_golden_one(
    anybody: httpx.AsyncClient, key: str, asterisk: AsteriskThatAnswers, name: str
) -> None:
    pair = pairs.read("call-to-number", name)
    response = await pair.ask(anybody, key)
    assert (response.status_code, response.json()) == (pair.status, pair.answer)
    assert list(response.json()) == ["code", "status", "message", "data"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    placed = [variables["__GW_DESTINATION"] for _, variables in asterisk.told("Originate")]
    assert placed == ([pair.answer["data"]["dest_number"]] if pair.status == 200 else [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number_to_call", "12\n34"),
        ("number_to_call", "\u200e102"),
        ("number_to_call", "a\u0000b"),
        ("number_to_call", "1\u00a02"),
        ("caller_id", "\u0007"),
    ],
)
async def test_what_cannot_be_printed_is_no_number(
    anybody: httpx.AsyncClient, key: str, asterisk: AsteriskThatAnswers, field: str, value: str
) -> None:
    body = {"user_number": "101", "number_to_call": "102", field: value}
    response = await anybody.post("/api/integration/v2/call-to-number", headers={"token": key}, json=body)
    assert (response.status_code, response.json()["status"]) == (422, "error")
    assert response.json()["message"].startswith(f"{field}: ")
    assert not asterisk.told("Originate")


async def test_errors_of_every_depth_have_the_envelope(
    anybody: httpx.AsyncClient, key: str, asterisk: AsteriskThatAnswers, pool: Pool
) -> None:
    call = pairs.read("call-to-number", "json")
    asterisk.originate_fails = ActionRefused("Extension does not exist.")
    refused = await call.ask(anybody, key)
    assert (refused.status_code, refused.json()["status"]) == (502, "error")
    asterisk.connected = False
    away = await call.ask(anybody, key)
    assert (away.status_code, away.json()["code"], away.json()["data"]) == (503, 503, [])
    assert away.headers["retry-after"]
    pool.terminate()
    assert (await call.ask(anybody, key)).json()["message"] == "The database cannot be reached; nothing was done."


async def test_the_same_request_with_an_idempotency_key_places_one_call(
    anybody: httpx.AsyncClient, key: str, asterisk: AsteriskThatAnswers
) -> None:
    anybody.headers["Idempotency-Key"] = "k"
    call = pairs.read("call-to-number", "json")
    first, second = await call.ask(anybody, key), await call.ask(anybody, key)
    assert first.json() == second.json()
    assert len(asterisk.told("Originate")) == 1
