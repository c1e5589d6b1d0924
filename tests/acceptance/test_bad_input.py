"""What should not be asked, and what is down, on the real thing: a clear error, nobody rung, nothing lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.store.embedded import EmbeddedDatabase
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, carrier, device
from tests.lab.scenarios.model import talk_a_little

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

DESTINATION = "+61255501234"
GOOD = {"user": "101", "to": DESTINATION}
JSON = {"Content-Type": "application/json"}
REFUSED_ADDRESS = "127.0.0.2"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lab:
    pbx: AsteriskInstance
    database: EmbeddedDatabase
    gateway: Gateway
    desk: Phone
    bob: Phone
    outside: Phone

    def rung(self) -> int:
        return sum(len(phone.all("invite")) for phone in (self.desk, self.bob, self.outside))

    async def placed(self) -> int:
        """How many calls were ever to be dialled."""
        connection = await asyncpg.connect(self.database.url)
        try:
            return int(await connection.fetchval("select count(*) from originations"))
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    directory = tmp_path_factory.mktemp("bad")
    database = EmbeddedDatabase(directory / "database")
    await database.__aenter__()
    try:
        async with AsyncExitStack() as stack:
            pbx = await stack.enter_async_context(AsteriskInstance())
            desk, bob = [await stack.enter_async_context(device(pbx, name)) for name in ("101-desk", "102")]
            outside = await stack.enter_async_context(carrier(pbx))
            gateway = Gateway(pbx, directory / "gateway", database_url=database.url)
            await stack.enter_async_context(gateway)
            yield Lab(pbx, database, gateway, desk, bob, outside)
            assert await gateway.stop() == 0, gateway.log
            assert "Traceback" not in gateway.log
    finally:
        await database.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("asked", "status", "code", "fault"),
    [
        ({"json": GOOD, "headers": {"token": "gw_live_nobody_nothing"}}, 401, "not_authorised", None),
        ({"json": GOOD, "headers": {"Authorization": "Bearer gw_live_nobody_nothing"}}, 401, "not_authorised", None),
        ({"json": GOOD | {"user": "999"}}, 422, "invalid_request", ("/user", "unknown_user")),
        ({"json": GOOD | {"to": "hello"}}, 422, "invalid_request", ("/to", "not_a_number")),
        ({"json": GOOD | {"to": "+61000000000000"}}, 422, "invalid_request", ("/to", "not_a_valid_number")),
        (
            {"json": GOOD | {"to": f"{DESTINATION}\r\nAction: Command"}},
            422,
            "invalid_request",
            ("/to", "not_printable"),
        ),
        ({"json": GOOD | {"to": f"{DESTINATION}&PJSIP/102"}}, 422, "invalid_request", ("/to", "not_a_number")),
        ({"json": GOOD | {"to": "+" + "6" * 10_000}}, 422, "invalid_request", ("/to", "too_long")),
        ({"content": b'{"user": "101", "to"', "headers": JSON}, 400, "malformed_json", None),
        ({"data": GOOD}, 415, "unsupported_media_type", None),
    ],
    ids=[
        "another key beside the right one",
        "wrong key",
        "unknown user",
        "a number that is no number",
        "a number of no plan",
        "another AMI header",
        "another channel to dial",
        "ten thousand digits",
        "broken JSON",
        "wrong content type",
    ],
)
async def test_what_should_not_be_asked(
    lab: Lab, asked: dict[str, Any], status: int, code: str, fault: tuple[str, str] | None
) -> None:
    before = lab.rung(), await lab.placed()
    answer = await lab.gateway.api.post("/v1/calls", **asked)
    _is_a_clear_error(answer, status, code)
    if fault:
        assert fault in {(one["pointer"], one["code"]) for one in answer.json()["errors"]}
    assert (lab.rung(), await lab.placed()) == before


async def test_an_address_that_is_not_allowed(lab: Lab) -> None:
    before = lab.rung(), await lab.placed()
    from_elsewhere = httpx.AsyncHTTPTransport(local_address=REFUSED_ADDRESS)
    headers = {"Authorization": f"Bearer {lab.gateway.key}"}
    async with httpx.AsyncClient(base_url=lab.gateway.url, transport=from_elsewhere, headers=headers) as stranger:
        answer = await stranger.post("/v1/calls", json=GOOD)
    _is_a_clear_error(answer, 401, "ip_not_allowed")
    assert answer.json()["ip"] == REFUSED_ADDRESS
    assert (lab.rung(), await lab.placed()) == before


async def test_asterisk_down(lab: Lab) -> None:
    before = lab.rung(), await lab.placed()
    await lab.pbx.stop()
    await _until(lambda: _is_connected(lab, False))
    answer = await lab.gateway.api.post("/v1/calls", json=GOOD)
    _is_a_clear_error(answer, 503, "asterisk_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (lab.rung(), await lab.placed()) == before
    await lab.pbx.start()
    await _until(lambda: _is_connected(lab, True))
    assert lab.rung() == before[0]
    await _a_call_goes_through(lab)


async def test_postgres_down_while_people_talk(lab: Lab) -> None:
    before = lab.rung(), await lab.placed()
    known = {call["id"] for call in (await lab.gateway.api.get("/v1/calls", params={"state": "all"})).json()["data"]}
    await lab.outside.behave(answer_after=0.2)
    mark = len(lab.outside.seen)
    await lab.bob.call(DESTINATION)
    await lab.outside.wait_for("talking", since=mark)
    await lab.database.__aexit__(None, None, None)
    try:
        answer = await lab.gateway.api.post("/v1/calls", json=GOOD)
        _is_a_clear_error(answer, 503, "database_unavailable")
        assert (await lab.gateway.api.get("/v1/calls")).status_code == 503
        assert (await lab.gateway.api.get("/healthz")).status_code == 200
        await talk_a_little()
        await lab.bob.hang_up()
        over = await lab.outside.wait_for("over", since=mark)
    finally:
        await lab.database.__aenter__()
    call = await lab.gateway.next_ended(known, PATIENCE_SECONDS)
    assert (call["outcome"], call["hung_up_by"], call["complete"]) == ("answered", "caller", True)
    talking = await lab.outside.wait_for("talking", since=mark)
    assert abs(call["talk_duration"] - (over.at - talking.at)) < 0.1
    assert (lab.rung(), await lab.placed()) == (before[0] + 1, before[1])
    await _a_call_goes_through(lab)


def _is_a_clear_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert len(answer.text) < 2000


async def _a_call_goes_through(lab: Lab) -> None:
    """As if nothing had been: it rings each of the two once, and is recorded."""
    await lab.desk.behave(answer_after=0.2)
    await lab.outside.behave(answer_after=0.2)
    mark, before = len(lab.outside.seen), lab.rung()
    answer = await lab.gateway.api.post("/v1/calls", json=GOOD)
    assert answer.status_code == 202, answer.text
    await lab.outside.wait_for("talking", since=mark)
    await talk_a_little()
    await lab.outside.hang_up()
    call = await lab.gateway.ended(answer.json()["id"])
    assert (call["outcome"], call["hung_up_by"]) == ("answered", "callee")
    assert lab.rung() == before + 2


async def _is_connected(lab: Lab, wanted: bool) -> bool:
    """What places calls, and what hears of them."""
    told = (await lab.gateway.api.get("/v1/status")).json()
    return {told["asterisk_connected"], told["asterisk"]["connected"]} == {wanted}


async def _until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():
            await asyncio.sleep(0.05)
