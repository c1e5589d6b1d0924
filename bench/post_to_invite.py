"""From `POST /v1/calls` to the first INVITE at a phone, beside the same Originate over a raw AMI socket.

    python -m bench.post_to_invite [ROUNDS]

Both are measured in turn in one run, on one Asterisk and the same phones, each over an open connection
by the least client that can ask, from the moment its bytes are written; which of the two is first changes
from round to round. Last line: one JSON object, times in milliseconds: the medians, their difference and
ratio, and the median of the differences within a round.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from gateway.asterisk.originate import OriginateRequest, headers, variables
from gateway.calls.identity import uuid7
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, device

DESTINATION = "+61255501234"
DECLINED = 603
WARM_UP = 2
SETTLE_SECONDS = 0.3
"""Between two calls, for what the one before still has to do in Asterisk and in the gateway."""

T = TypeVar("T")


class RawHttp:
    """The least that can ask the gateway: an open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    @classmethod
    async def connect(cls, gateway: Gateway) -> "RawHttp":
        return cls(*await asyncio.open_connection("127.0.0.1", gateway.port), gateway.key)

    async def place(self) -> str:
        """The call's id."""
        body = json.dumps({"user": "101", "to": DESTINATION})
        self._writer.write(
            (
                f"POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        answer = json.loads(await self._reader.readexactly(int(length.split(":")[1])))
        if not head.startswith("http/1.1 202"):
            raise RuntimeError(f"{head}{answer}")
        placed: str = answer["id"]
        return placed


class RawAmi:
    """The least that can place a call: a socket that is signed in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def sign_in(cls, url: str) -> "RawAmi":
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        await reader.readline()
        self = cls(reader, writer)
        await self._send(
            [("Action", "Login"), ("Username", parts.username), ("Secret", parts.password), ("Events", "off")]
        )
        return self

    async def originate(self, request: OriginateRequest) -> None:
        named = [("Variable", f"{name}={value}") for name, value in variables(request)]
        await self._send([("Action", "Originate"), *headers(request).items(), *named])

    async def _send(self, lines: list[tuple[str, str | None]]) -> None:
        self._writer.write("".join(f"{name}: {value}\r\n" for name, value in lines).encode() + b"\r\n")
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if b"Response: Success" not in answer:
            raise RuntimeError(answer.decode())


def request() -> OriginateRequest:
    call_id = uuid7(int(time.time() * 1000), uuid4().bytes)
    return OriginateRequest(
        id=call_id,
        other_id=f"{call_id}-2",
        devices=("PJSIP/101-desk", "PJSIP/101-mobile"),
        destination=DESTINATION,
        destination_context="from-internal",
        user_number="101",
        user_name="Alice",
        caller_id="+61290000001",
        account="acme",
        ring_timeout=30,
        answer_timeout=60,
        deadline_epoch=int(time.time()) + 10,
    )


async def to_first_invite(phones: list[Phone], ask: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    """What came of asking, and after how many milliseconds the first phone had its INVITE; all phones' calls over."""
    marks = [len(phone.seen) for phone in phones]
    began = time.time()
    answer = await ask()
    for phone, mark in zip(phones, marks, strict=True):
        await phone.wait_for("over", since=mark)
    invites = [
        next(s.at for s in phone.seen[mark:] if s.what == "invite") for phone, mark in zip(phones, marks, strict=True)
    ]
    return answer, (min(invites) - began) * 1000


async def measure(rounds: int) -> dict[str, float]:
    data = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    try:
        async with AsyncExitStack() as stack:
            pbx = await stack.enter_async_context(AsteriskInstance())
            phones = [await stack.enter_async_context(device(pbx, name)) for name in ("101-desk", "101-mobile")]
            gateway = await stack.enter_async_context(Gateway(pbx, data))
            api, ami = await RawHttp.connect(gateway), await RawAmi.sign_in(pbx.ami_url)
            for phone in phones:
                await phone.behave(code=DECLINED)

            async def through() -> float:
                call_id, took = await to_first_invite(phones, api.place)
                await gateway.ended(call_id)
                return took

            async def straight() -> float:
                return (await to_first_invite(phones, lambda: ami.originate(request())))[1]

            posted: list[float] = []
            originated: list[float] = []
            for turn in range(rounds + WARM_UP):
                pair = [(posted, through), (originated, straight)]
                for times, kind in pair if turn % 2 else reversed(pair):
                    await asyncio.sleep(SETTLE_SECONDS)
                    times.append(await kind())
            return figures(posted[WARM_UP:], originated[WARM_UP:])
    finally:
        shutil.rmtree(data, ignore_errors=True)


def figures(posted: list[float], originated: list[float]) -> dict[str, float]:
    api, ami = statistics.median(posted), statistics.median(originated)
    more = [one - other for one, other in zip(posted, originated, strict=True)]
    return {
        "rounds": len(posted),
        "post_to_invite_ms": round(api, 2),
        "raw_originate_to_invite_ms": round(ami, 2),
        "more_ms": round(api - ami, 2),
        "more_ms_within_rounds": round(statistics.median(more), 2),
        "ratio": round(api / ami, 2),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20))))
