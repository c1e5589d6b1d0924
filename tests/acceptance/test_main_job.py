"""The main job from outside: real phones call over a real Asterisk, the API tells the truth, in either mode."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import carrier, device
from tests.lab.scenarios import SCENARIOS, Phones, Play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]
TOLERANCE = 0.1
"""Seconds by which a record may differ from what the phones saw."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["ami", "journal"])
async def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Phones, Gateway]]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=3))
        names = ("101-desk", "101-mobile", "102", "103")
        phones = [await stack.enter_async_context(device(pbx, name)) for name in names]
        outside = await stack.enter_async_context(carrier(pbx))
        data = tmp_path_factory.mktemp(request.param)
        gateway = await stack.enter_async_context(Gateway(pbx, data, journal=request.param == "journal"))
        yield Phones(*phones, outside), gateway


@pytest.mark.parametrize("play", SCENARIOS, ids=lambda play: play.__name__)
async def test_the_record_is_what_the_phones_saw(world: tuple[Phones, Gateway], play: Play) -> None:
    phones, gateway = world
    for phone in phones.everyone():
        await phone.behave()
    before = {call["id"] for call in (await gateway.api.get("/v1/calls")).json()["data"]}
    marks = {phone.name: len(phone.seen) for phone in phones.everyone()}

    expected = await play(phones, gateway)
    call = await gateway.next_ended(before)

    assert call["outcome"] == expected.outcome, call
    assert call["direction"] == expected.direction
    assert (call["caller"]["number"], call["callee"]["number"]) == (expected.caller, expected.callee)
    rung = {(attempt["device"] or attempt["number"], attempt["result"]) for attempt in call["attempts"]}
    assert rung == expected.attempts
    if expected.hung_up_by:
        assert call["hung_up_by"] == expected.hung_up_by, call
    if expected.end_reason:
        assert call["end_reason"] == expected.end_reason
    visits = call["queue_visits"] + call["ring_group_visits"]
    told = [((visit.get("queue") or visit.get("ring_group"))["name"], visit["status"]) for visit in visits]
    assert told == ([expected.visit] if expected.visit else [])
    assert call["complete"]
    assert call["settled"]
    _holds_against_the_phones(call, phones, marks)
    await _is_told_once(gateway, call["id"])


def _holds_against_the_phones(call: dict[str, Any], phones: Phones, marks: dict[str, int]) -> None:
    """Who rang, and how long they talked, by the phones' own clocks and logs."""
    rang = {p.name for p in phones.everyone() if any(s.what == "invite" for s in p.seen[marks[p.name] :])}
    recorded = {
        "carrier" if attempt["number"] else attempt["device"].removeprefix("PJSIP/")
        for attempt in call["attempts"]
        if attempt["result"] != "unreachable"
    }
    assert recorded == rang
    for attempt in call["attempts"]:
        if attempt["result"] != "answered":
            continue
        name = "carrier" if attempt["number"] else attempt["device"].removeprefix("PJSIP/")
        (phone,) = [p for p in phones.everyone() if p.name == name]
        seen = phone.seen[marks[name] :]
        talking = next(s.at for s in seen if s.what == "talking")
        over = next((s.at for s in seen if s.what == "over"), None)
        if over is None or (len(call["attempts"]) > 1 and attempt["via"] == "click_to_call"):
            continue
        assert abs(call["talk_duration"] - (over - talking)) <= TOLERANCE, (call["talk_duration"], over - talking)


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
