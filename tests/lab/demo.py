"""The demo: real phones, a real Asterisk, a real Postgres, and two calls told by the API.

    python -m tests.lab.demo [--once] [--journal]

Leaves everything running until Ctrl-C; with --once, or without a terminal, it ends by itself,
exit status 0 only if every claim held, the last line one JSON object with both records.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import ACCOUNT, Gateway
from tests.lab.phones import Phone, carrier, device
from tests.lab.webhook_receiver import WebhookReceiver, receiving

DESTINATION = "+61255501234"
OUTSIDE_CALLER = "+61411000999"
DID = "+61290000002"
STARTED = time.monotonic()


class ClaimFailed(Exception):
    """Something that the demo promises was not so."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def claim(what: str, holds: bool) -> None:
    say(f"{'  ok  ' if holds else 'FAILED'} {what}")
    if not holds:
        raise ClaimFailed(what)


async def main(*, once: bool, journal: bool) -> int:
    data = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    try:
        async with AsyncExitStack() as stack:
            say("starting Asterisk")
            pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=20))
            say("starting the phones: Alice's desk phone and mobile, Bob, Carol, and the world behind the trunk")
            names = ("101-desk", "101-mobile", "102", "103")
            desk, mobile, bob, carol = [await stack.enter_async_context(device(pbx, name)) for name in names]
            outside = await stack.enter_async_context(carrier(pbx, OUTSIDE_CALLER))
            say("starting the gateway with a Postgres of its own" + (", reading Asterisk's journal" if journal else ""))
            gateway = await stack.enter_async_context(Gateway(pbx, data, journal=journal))
            receiver = await stack.enter_async_context(receiving())
            await _subscribe(gateway, receiver)
            placed = await _click_to_call(gateway, receiver, desk, mobile, outside)
            inbound = await _inbound(gateway, receiver, bob, carol, outside)
            if not once:
                await _stay(gateway)
            print(json.dumps({"source": "journal" if journal else "ami", "click_to_call": placed, "inbound": inbound}))
        return 0
    except ClaimFailed as error:
        print(f"demo: not so: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(data, ignore_errors=True)


async def _subscribe(gateway: Gateway, receiver: WebhookReceiver) -> None:
    types = ["call.started", "call.answered", "call.ended"]
    response = await gateway.api.post("/v1/webhooks", json={"url": receiver.url, "event_types": types})
    claim("a webhook endpoint is made", response.status_code == 201)
    receiver.secret = response.json()["secret"]


async def _click_to_call(
    gateway: Gateway, receiver: WebhookReceiver, desk: Phone, mobile: Phone, outside: Phone
) -> dict[str, Any]:
    say(f"click to call: Alice (101, two devices) to {DESTINATION}")
    await desk.behave(answer_after=1.5)
    await outside.behave(answer_after=1.0)
    body = {"user": "101", "to": DESTINATION, "reference": "crm-4711"}
    response = await gateway.api.post("/v1/calls", json=body)
    claim("POST /v1/calls is accepted", response.status_code == 202)
    call_id = response.json()["id"]
    states = [response.json()["state"]]
    say(f"       state {states[-1]}")
    talking = asyncio.create_task(_talk_then_hang_up(outside, 2.0))
    call = await _follow(gateway, call_id, states)
    await talking
    invites = [phone.all("invite")[0] for phone in (desk, mobile)]
    apart = abs(invites[0].at - invites[1].at) * 1000
    claim(f"both devices rang at the same time ({apart:.1f} ms apart)", apart < 50)
    claim("both showed the destination", all(DESTINATION in invite.header("From") for invite in invites))
    cancel = await mobile.wait_for("cancel")
    claim("the other device was told: answered elsewhere", "cause=26" in cancel.message)
    dialled = outside.all("invite")[0]
    claim("the destination saw Alice's own number", "+61290000001" in dialled.header("From"))
    claim("and nothing else of her", "Alice" not in dialled.message and "sip:101" not in dialled.message)
    own = [a["result"] for a in call["attempts"] if a["via"] == "click_to_call"]
    claim("the record: one device answered, one answered elsewhere", sorted(own) == ["answered", "answered_elsewhere"])
    claim("the record: answered, ended by the callee", (call["outcome"], call["hung_up_by"]) == ("answered", "callee"))
    talked = outside.all("over")[0].at - outside.all("talking")[0].at
    claim(f"the record: {call['talk_duration']} s of talk, as the phone saw", abs(call["talk_duration"] - talked) < 0.1)
    claim("the states came in order", _in_order(states))
    await _told(receiver, call_id)
    show(call)
    return call


async def _inbound(
    gateway: Gateway, receiver: WebhookReceiver, bob: Phone, carol: Phone, outside: Phone
) -> dict[str, Any]:
    say(f"an inbound call from {OUTSIDE_CALLER} to {DID}, the ring group of Bob and Carol")
    await bob.behave(answer_after=1.0)
    known = {call["id"] for call in (await gateway.api.get("/v1/calls", params={"state": "all"})).json()["data"]}
    mark = len(bob.seen)
    await outside.call(DID)
    await bob.wait_for("talking", since=mark)
    await asyncio.sleep(1.5)
    await bob.hang_up()
    call = await gateway.next_ended(known)
    claim("Carol rang too", bool(carol.all("invite")))
    claim("the record: inbound, answered by Bob", call["answered_by"]["user"]["name"] == "Bob")
    results = {a["user"]["name"]: a["result"] for a in call["attempts"]}
    claim("the record: Carol did not miss it", results == {"Bob": "answered", "Carol": "answered_elsewhere"})
    rows = (await gateway.api.get("/v1/user-calls", params={"call_id": call["id"]})).json()["data"]
    types = sorted(row["type"] for row in rows)
    claim("user-calls has a row for each", types == ["user_inbound_answered", "user_inbound_answered_elsewhere"])
    await _told(receiver, call["id"])
    show(call)
    return call


async def _talk_then_hang_up(phone: Phone, seconds: float) -> None:
    await phone.wait_for("talking")
    await asyncio.sleep(seconds)
    await phone.hang_up()


async def _follow(gateway: Gateway, call_id: str, states: list[str]) -> dict[str, Any]:
    """Ask until the call is over; note and show each new state."""
    async with asyncio.timeout(60):
        while True:
            call = await gateway.call(call_id)
            if call["state"] != states[-1]:
                states.append(call["state"])
                say(f"       state {call['state']}")
            if call["state"] == "ended":
                return call
            await asyncio.sleep(0.01)


def _in_order(states: Sequence[str]) -> bool:
    order = ["queued", "ringing_user", "user_answered", "ringing_destination", "in_progress", "ended"]
    needed = {"ringing_user", "ringing_destination", "in_progress", "ended"}
    places = [order.index(state) for state in states]
    return places == sorted(places) and needed <= set(states)


async def _told(receiver: WebhookReceiver, call_id: str) -> None:
    with contextlib.suppress(TimeoutError):
        await receiver.wait_for("call.ended", call_id)
    types = receiver.types_of(call_id)
    claim("webhooks arrived, signatures right: " + ", ".join(types), _told_rightly(types) and not receiver.refused)


def _told_rightly(types: Sequence[str]) -> bool:
    return list(types) == ["call.started", "call.answered", "call.ended"]


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


async def _stay(gateway: Gateway) -> None:
    password = (await gateway.command("console", "login", "--account", ACCOUNT, "--quiet")).strip()
    key = gateway.key
    print(
        f"""Everything is running; Ctrl-C stops all of it.

  URL       {gateway.url}
  key       {key}
  console   {gateway.url}/console   login admin, password {password}

For docs/quick-start.md, and whatever else you try:

  export GATEWAY_URL={gateway.url} GATEWAY_KEY={key}

  curl -H 'Authorization: Bearer {key}' {gateway.url}/v1/calls
  curl -H 'Authorization: Bearer {key}' '{gateway.url}/v1/user-calls?user=Alice'
  curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
       -d '{{"user": "101", "to": "{DESTINATION}"}}' {gateway.url}/v1/calls
""",
        flush=True,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    say("stopping")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two calls on a real Asterisk, told by the API.")
    parser.add_argument("--once", action="store_true", help="end after the two calls")
    parser.add_argument("--journal", action="store_true", help="read Asterisk's journal instead of listening over AMI")
    options = parser.parse_args()
    without_terminal = not (sys.stdin.isatty() and sys.stdout.isatty())
    try:
        sys.exit(asyncio.run(main(once=options.once or without_terminal, journal=options.journal)))
    except KeyboardInterrupt:
        sys.exit(130)
