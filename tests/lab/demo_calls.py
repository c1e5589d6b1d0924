"""The demo's two calls: what the phones themselves saw is claimed of each record that the API gives."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.gateway import Gateway
from tests.lab.phones import Phone
from tests.lab.webhook_receiver import WebhookReceiver

DESTINATION = "+61255501234"
OUTSIDE_CALLER = "+61411000999"
ALICES_NUMBER = "+61290000001"
DID = "+61290000002"
AT_ONCE_MS = 50.0
SAME_SECONDS = 0.1
"""By how much a record's talk may differ from what the phones had."""

FOLLOW_SECONDS = 60.0
EVENTS = ("call.started", "call.answered", "call.ended")
STARTED = time.monotonic()


class ClaimFailed(Exception):
    """Something that the demo promises was not so."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def claim(what: str, holds: bool) -> None:
    say(f"{'  ok  ' if holds else 'FAILED'} {what}")
    if not holds:
        raise ClaimFailed(what)


@dataclass(frozen=True, slots=True)
class World:
    """What the demo runs: Alice has two devices; `outside` is everybody behind the trunk."""

    gateway: Gateway
    receiver: WebhookReceiver
    desk: Phone
    mobile: Phone
    bob: Phone
    carol: Phone
    outside: Phone

    def phones(self) -> tuple[Phone, ...]:
        return self.desk, self.mobile, self.bob, self.carol, self.outside


async def subscribe(world: World) -> None:
    response = await world.gateway.api.post(
        "/v1/webhooks", json={"url": world.receiver.url, "event_types": list(EVENTS)}
    )
    claim("a webhook endpoint is made", response.status_code == 201)
    world.receiver.secret = response.json()["secret"]


async def click_to_call(world: World) -> tuple[dict[str, Any], dict[str, float]]:
    """The call's record, and by how much it was measured to be right: `rang_apart_ms`, `talk_differs_seconds`."""
    gateway, desk, mobile, outside = world.gateway, world.desk, world.mobile, world.outside
    say(f"click to call: Alice (101, two devices) to {DESTINATION}")
    since = _marks(world)
    await desk.behave(answer_after=1.5)
    await outside.behave(answer_after=1.0)
    body = {"user": "101", "to": DESTINATION, "reference": "crm-4711"}
    response = await gateway.api.post("/v1/calls", json=body)
    claim("POST /v1/calls is accepted", response.status_code == 202)
    states = [response.json()["state"]]
    say(f"       state {states[-1]}")
    talking = asyncio.create_task(_talk_then_hang_up(outside, 2.0))
    call = await _follow(gateway, response.json()["id"], states)
    await talking
    invites = [await phone.wait_for("invite") for phone in (desk, mobile)]
    apart = abs(invites[0].at - invites[1].at) * 1000
    claim(f"both devices rang at the same time ({apart:.1f} ms apart)", apart <= AT_ONCE_MS)
    claim("both showed the destination", all(f"sip:{DESTINATION}@" in invite.header("From") for invite in invites))
    cancel = await mobile.wait_for("cancel")
    claim("the other device was told: answered elsewhere", "Q.850;cause=26" in cancel.headers("Reason"))
    dialled = await outside.wait_for("invite")
    shown = [dialled.header(name) for name in ("From", "P-Asserted-Identity")]
    claim("the destination saw Alice's own number", all(f"sip:{ALICES_NUMBER}@" in header for header in shown))
    claim("and nothing else of her", "alice" not in dialled.message.lower() and "sip:101" not in dialled.message)
    claim("the record: answered, ended by the callee", (call["outcome"], call["hung_up_by"]) == ("answered", "callee"))
    differs = await _as_the_phones_saw(world, since, call, outside)
    order = ("ringing_user", "ringing_destination", "in_progress", "ended")
    claim("the states came in order", _in_order(states, needed=order))
    await _told(world.receiver, call["id"])
    show(call)
    return call, {"rang_apart_ms": round(apart, 1), "talk_differs_seconds": differs}


async def inbound(world: World) -> tuple[dict[str, Any], dict[str, float]]:
    """The call's record, and by how much its talk differs from the phones'."""
    gateway, bob, carol = world.gateway, world.bob, world.carol
    say(f"an inbound call from {OUTSIDE_CALLER} to {DID}, the ring group of Bob and Carol")
    since = _marks(world)
    await bob.behave(answer_after=1.0)
    known = await _ids(gateway)
    await world.outside.call(DID)
    talking = asyncio.create_task(_talk_then_hang_up(bob, 1.5))
    states: list[str] = []
    call = await _follow(gateway, await _next_of(gateway, known), states)
    await talking
    claim("the states came in order", _in_order(states, needed=("ringing", "in_progress", "ended")))
    await carol.wait_for("cancel")
    claim("Carol's phone rang too", len(carol.all("invite")) == 1)
    claim("the record: inbound, answered by Bob", call["answered_by"]["user"]["name"] == "Bob")
    differs = await _as_the_phones_saw(world, since, call, bob)
    rows = (await gateway.api.get("/v1/user-calls", params={"call_id": call["id"]})).json()["data"]
    types = sorted(row["type"] for row in rows)
    claim("user-calls has a row for each", types == ["user_inbound_answered", "user_inbound_answered_elsewhere"])
    await _told(world.receiver, call["id"])
    show(call)
    return call, {"talk_differs_seconds": differs}


def _marks(world: World) -> dict[str, int]:
    return {phone.name: len(phone.seen) for phone in world.phones()}


async def _as_the_phones_saw(
    world: World, since: Mapping[str, int], call: Mapping[str, Any], answering: Phone
) -> float:
    """Claims that the record says of each phone what it saw; by how many seconds the talk differs."""
    seen = {
        f"PJSIP/{phone.name}" if phone is not world.outside else DESTINATION: {
            one.what for one in phone.seen[since[phone.name] :]
        }
        for phone in world.phones()
    }
    results = {
        name: "answered" if "talking" in what else "answered_elsewhere" if "cancel" in what else "?"
        for name, what in seen.items()
        if "invite" in what
    }
    recorded = {one["device"] or one["number"]: one["result"] for one in call["attempts"]}
    told = ", ".join(f"{name.removeprefix('PJSIP/')} {result}" for name, result in recorded.items())
    claim(f"the record: {told}, as the phones saw", recorded == results)
    talking = await answering.wait_for("talking", since=since[answering.name])
    over = await answering.wait_for("over", since=since[answering.name])
    differs: float = abs(call["talk_duration"] - (over.at - talking.at))
    claim(f"the record: {call['talk_duration']} s of talk, as the phone had it", differs <= SAME_SECONDS)
    return round(differs, 3)


async def _talk_then_hang_up(phone: Phone, seconds: float) -> None:
    await phone.wait_for("talking")
    await asyncio.sleep(seconds)
    await phone.hang_up()


async def _ids(gateway: Gateway) -> set[str]:
    """Of every call that there is, open or over."""
    return {call["id"] for call in (await gateway.api.get("/v1/calls", params={"state": "all"})).json()["data"]}


async def _next_of(gateway: Gateway, known: set[str]) -> str:
    """The id of a call that is not among these, once there is one."""
    async with asyncio.timeout(FOLLOW_SECONDS):
        while not (new := await _ids(gateway) - known):
            await asyncio.sleep(0.01)
    return new.pop()


async def _follow(gateway: Gateway, call_id: str, states: list[str]) -> dict[str, Any]:
    """Ask until the call is over; note and show each new state."""
    async with asyncio.timeout(FOLLOW_SECONDS):
        while True:
            call = await gateway.call(call_id)
            if call["state"] not in states[-1:]:
                states.append(call["state"])
                say(f"       state {call['state']}")
            if call["state"] == "ended":
                return call
            await asyncio.sleep(0.01)


def _in_order(states: Sequence[str], needed: Sequence[str]) -> bool:
    """All that is needed was seen, and nothing went back; a state of a moment may pass unseen."""
    order = ("queued", "ringing", "ringing_user", "user_answered", "ringing_destination", "in_progress", "ended")
    places = [order.index(state) for state in states]
    return places == sorted(places) and set(needed) <= set(states)


async def _told(receiver: WebhookReceiver, call_id: str) -> None:
    with contextlib.suppress(TimeoutError):
        await receiver.wait_for("call.ended", call_id)
    types = receiver.types_of(call_id)
    claim("webhooks arrived, signatures right: " + ", ".join(types), tuple(types) == EVENTS and not receiver.refused)


def show(call: Mapping[str, Any]) -> None:
    """The record as a table."""
    rows = [
        ("direction, outcome", f"{call['direction']}, {call['outcome']}, hung up by {call['hung_up_by']}"),
        ("caller", f"{call['caller']['number']} {call['caller']['name'] or ''}"),
        ("callee", str(call["callee"]["number"])),
        ("started, answered, ended", f"{call['started_at']}  {call['answered_at']}  {call['ended_at']}"),
        ("rang, talked, in all", f"{call['ring_duration']} s, {call['talk_duration']} s, {call['duration']} s"),
    ]
    rows += [
        ("attempt", f"{attempt['device'] or attempt['number']}: {attempt['result']} (via {attempt['via']})")
        for attempt in call["attempts"]
    ]
    rows += [
        ("segment", " with ".join(str(party["name"] or party["number"]) for party in segment["parties"]))
        for segment in call["segments"]
    ]
    print()
    for name, text in rows:
        print(f"    {name:<26}{text}")
    print(flush=True)
