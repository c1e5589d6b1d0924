"""The main job from outside: real phones call over a real Asterisk, the API tells the truth, in either mode."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from gateway.asterisk.ami import AmiSession
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import carrier, device
from tests.lab.scenarios import MAIN_JOB
from tests.lab.scenarios.model import DEVICES, Expected, Lab, Play, marks
from tests.lab.scenarios.verdict import differences

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["ami", "journal"])
async def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=3))
        phones = [await stack.enter_async_context(device(pbx, name)) for name in DEVICES]
        phones.append(await stack.enter_async_context(carrier(pbx)))
        data = tmp_path_factory.mktemp(request.param)
        gateway = await stack.enter_async_context(Gateway(pbx, data, journal=request.param == "journal"))
        session = AmiSession(pbx.operator_url, events=False)
        await session.start()
        stack.push_async_callback(session.close)
        await session.wait_connected(10)
        yield Lab(pbx, gateway, session, *phones)


@pytest.mark.parametrize("play", MAIN_JOB, ids=lambda play: play.__name__)
async def test_the_record_is_what_the_phones_saw(lab: Lab, play: Play) -> None:
    for phone in lab.everyone():
        await phone.behave()
    before = {call["id"] for call in (await lab.gateway.api.get("/v1/calls")).json()["data"]}
    since = marks(lab)

    expected = await play(lab)
    assert isinstance(expected, Expected)
    call = await lab.gateway.next_ended(before)

    assert not differences(expected, call), call
    _holds_against_the_phones(call, lab, since)
    await _is_told_once(lab.gateway, call["id"])


def _holds_against_the_phones(call: dict[str, Any], lab: Lab, since: dict[str, int]) -> None:
    """Who rang, by the phones' own logs."""
    rang = {p.name for p in lab.everyone() if any(s.what == "invite" for s in p.seen[since[p.name] :])}
    recorded = {
        "carrier" if attempt["number"] else attempt["device"].removeprefix("PJSIP/")
        for attempt in call["attempts"]
        if attempt["result"] != "unreachable"
    }
    assert recorded == rang


async def _is_told_once(gateway: Gateway, call_id: str) -> None:
    """The event log holds one start and one end of the call, the end last; the sequence is dense."""
    response = await gateway.api.get("/v1/events", params={"limit": 1000})
    assert response.status_code == 200, response.text
    events = response.json()["data"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    own = [event["type"] for event in events if event["data"]["id"] == call_id]
    assert own[0] == "call.started"
    assert own[-1] == "call.ended"
    assert own.count("call.started") == own.count("call.ended") == 1
    assert own.count("call.answered") <= 1
