"""The demo: real phones, a real Asterisk, a real Postgres, and two calls told by the API.

    python -m tests.lab.demo [--once] [--journal]

Leaves everything running until Ctrl-C; with --once, or without a terminal, it ends by itself,
exit status 0 only if every claim held, the last line one JSON object with both records and what
was measured of them. Ctrl-C before that: whatever was started is ended, exit status 130.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.lab.asterisk import AsteriskInstance
from tests.lab.demo_calls import (
    DESTINATION,
    OUTSIDE_CALLER,
    ClaimFailed,
    World,
    click_to_call,
    inbound,
    say,
    subscribe,
)
from tests.lab.gateway import ACCOUNT, Gateway
from tests.lab.phones import carrier, device
from tests.lab.webhook_receiver import receiving

INTERRUPTED = 130
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def main(*, once: bool, journal: bool) -> int:
    working = asyncio.current_task()
    assert working is not None
    interrupted = _once(working.cancel)
    _on_stop(interrupted)
    data = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    try:
        async with _running(data, journal=journal) as world:
            await subscribe(world)
            placed, measured = await click_to_call(world)
            came_in, measured_in = await inbound(world)
            if not once:
                await _stay(world.gateway)
    except ClaimFailed as error:
        print(f"demo: not so: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        say("stopped")
        return INTERRUPTED
    finally:
        shutil.rmtree(data, ignore_errors=True)
    differs = max(measured["talk_differs_seconds"], measured_in["talk_differs_seconds"])
    figures = {
        "rang_apart_ms": measured["rang_apart_ms"],
        "talk_differs_seconds": differs,
        "webhooks": [event["type"] for event in world.receiver.arrived],
        "webhooks_refused": world.receiver.refused,
    }
    source = "journal" if journal else "ami"
    print(json.dumps({"source": source, "click_to_call": placed, "inbound": came_in, "figures": figures}))
    return 0


@asynccontextmanager
async def _running(data: Path, *, journal: bool) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        say("starting Asterisk")
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=20))
        say("starting the phones: Alice's desk phone and mobile, Bob, Carol, and the world behind the trunk")
        names = ("101-desk", "101-mobile", "102", "103")
        desk, mobile, bob, carol = [await stack.enter_async_context(device(pbx, name)) for name in names]
        outside = await stack.enter_async_context(carrier(pbx, OUTSIDE_CALLER))
        say("starting the gateway with a Postgres of its own" + (", reading Asterisk's journal" if journal else ""))
        gateway = await stack.enter_async_context(Gateway(pbx, data, journal=journal))
        say("the directory is applied, an API key made, 127.0.0.1 let in")
        receiver = await stack.enter_async_context(receiving(_arrived))
        yield World(gateway, receiver, desk, mobile, bob, carol, outside)


def _arrived(event: dict[str, Any]) -> None:
    say(f"       webhook {event['type']} of {event['data']['id']}, signature right")


async def _stay(gateway: Gateway) -> None:
    """Until Ctrl-C, which from here on is no interruption."""
    password = (await gateway.command("console", "login", "--account", ACCOUNT, "--quiet")).strip()
    stop = asyncio.Event()
    _on_stop(stop.set)
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
    await stop.wait()
    say("stopping")


def _on_stop(do: Callable[[], object]) -> None:
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, do)


def _once(do: Callable[[], object]) -> Callable[[], None]:
    """Pressing again must not cut short what the first time set going: the cleaning up."""
    done = False

    def first_time() -> None:
        nonlocal done
        if not done:
            done = True
            do()

    return first_time


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two calls on a real Asterisk, told by the API.")
    parser.add_argument("--once", action="store_true", help="end after the two calls")
    parser.add_argument("--journal", action="store_true", help="read Asterisk's journal instead of listening over AMI")
    options = parser.parse_args()
    without_terminal = not (sys.stdin.isatty() and sys.stdout.isatty())
    try:
        sys.exit(asyncio.run(main(once=options.once or without_terminal, journal=options.journal)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
