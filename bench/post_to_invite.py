"""From `POST /v1/calls` to the first INVITE at a phone, beside the same Originate over a raw AMI socket.

    python -m bench.post_to_invite [ROUNDS]

Both are measured in turn in one run, on one Asterisk and the same phones. Last line: one JSON
object, times in milliseconds (medians), and the ratio.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from gateway.asterisk.originate import OriginateRequest, headers, variables
from gateway.calls.identity import uuid7
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import Gateway
from tests.lab.phones import Phone, device

DESTINATION = "+61255501234"
DECLINED = 603


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


async def first_invite(phones: list[Phone], marks: list[int]) -> float:
    seen = [await phone.wait_for("over", since=mark) for phone, mark in zip(phones, marks, strict=True)]
    assert seen
    return min(
        next(s.at for s in phone.seen[mark:] if s.what == "invite") for phone, mark in zip(phones, marks, strict=True)
    )


async def measure(rounds: int) -> dict[str, float]:
    data = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    try:
        async with AsyncExitStack() as stack:
            pbx = await stack.enter_async_context(AsteriskInstance())
            phones = [await stack.enter_async_context(device(pbx, name)) for name in ("101-desk", "101-mobile")]
            gateway = await stack.enter_async_context(Gateway(pbx, data))
            raw = await RawAmi.sign_in(pbx.ami_url)
            for phone in phones:
                await phone.behave(code=DECLINED)
            through: list[float] = []
            straight: list[float] = []
            for turn in range(rounds + 1):
                began, marks = time.time(), [len(phone.seen) for phone in phones]
                response = await gateway.api.post("/v1/calls", json={"user": "101", "to": DESTINATION})
                response.raise_for_status()
                posted = await first_invite(phones, marks) - began
                await gateway.ended(response.json()["id"])
                began, marks = time.time(), [len(phone.seen) for phone in phones]
                await raw.originate(request())
                originated = await first_invite(phones, marks) - began
                if turn:  # the first of each warms up
                    through.append(posted * 1000)
                    straight.append(originated * 1000)
            api, ami = statistics.median(through), statistics.median(straight)
            return {
                "rounds": rounds,
                "post_to_invite_ms": round(api, 2),
                "raw_originate_to_invite_ms": round(ami, 2),
                "more_ms": round(api - ami, 2),
                "ratio": round(api / ami, 2),
            }
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 12))))
