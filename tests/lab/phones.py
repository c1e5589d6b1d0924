"""Softphones as tests and the demo see them: each a real SIP stack in a process and on an address of its own.

What a phone saw is the truth that records are held against: `Phone.seen`, in order, each with its
time (epoch seconds) and, for INVITE, CANCEL and BYE, the message as it came.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.lab.asterisk import SECRET, AsteriskInstance, die_with_parent

WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """`what`: ready, registered, invite, ringing, talking, cancel, bye, over, calling …"""

    at: float
    what: str
    call: str
    code: int
    message: str

    def header(self, name: str) -> str:
        """The value of the message's header; "" where it has none."""
        match = re.search(rf"^{re.escape(name)}\s*:\s*(.*?)\r?$", self.message, re.MULTILINE | re.IGNORECASE)
        return match[1].strip() if match else ""


class Phone:
    """`async with Phone(name, address, registrar, secret) as phone:`; an empty secret registers nowhere."""

    def __init__(self, name: str, address: str, registrar: str, secret: str = "", number: str = "") -> None:
        self.name = name
        self.address = address
        self.seen: list[Seen] = []
        self._setup = {"name": name, "address": address, "registrar": registrar, "user": name, "secret": secret}
        if number:
            self._setup["id"] = f"sip:{number}@{address}"
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    async def __aenter__(self) -> "Phone":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.lab.phone_process",
            json.dumps(self._setup),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=die_with_parent,
            start_new_session=True,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read())
        await self.wait_for("registered" if self._setup["secret"] else "ready")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            try:
                await self._tell({"do": "quit"})
                await asyncio.wait_for(self._process.wait(), 5)
            except (TimeoutError, ConnectionError):
                self._process.kill()
                await self._process.wait()
        await self._reader

    async def behave(self, *, answer_after: float | None = None, code: int = 200, ring_code: int = 180) -> None:
        """What to do when called: ring and answer with `code` after seconds, or (None) ring on, or refuse at once."""
        mark = len(self.seen)
        await self._tell({"do": "behave", "answer_after": answer_after, "code": code, "ring_code": ring_code})
        await self.wait_for("behaving", since=mark)

    async def call(self, to: str, *, caller: str | None = None) -> None:
        """Dial an extension or number at the PBX; `caller`: a whole From URI, where it is not the phone's own."""
        mark = len(self.seen)
        await self._tell({"do": "call", "to": to} | ({"from": caller} if caller else {}))
        await self.wait_for("calling", since=mark)

    async def hang_up(self) -> None:
        """End every call of this phone."""
        await self._tell({"do": "hang_up"})

    async def wait_for(self, what: str, *, since: int = 0, seconds: float = WAIT_SECONDS) -> Seen:
        """The first thing of this kind seen after the first `since` things."""
        return await self.wait_until(
            lambda: next((s for s in self.seen[since:] if s.what == what), None), what, seconds
        )

    async def wait_until(
        self, found: Callable[[], Seen | None], what: str = "it", seconds: float = WAIT_SECONDS
    ) -> Seen:
        try:
            async with asyncio.timeout(seconds), self._news:
                while (one := found()) is None:
                    assert self._process is not None
                    if self._process.returncode is not None:
                        raise RuntimeError(f"phone {self.name} ended")
                    await self._news.wait()
                return one
        except TimeoutError:
            told = [seen.what for seen in self.seen]
            raise AssertionError(f"phone {self.name} never saw {what} in {seconds} s; it saw {told}") from None

    def all(self, what: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.what == what]

    async def _tell(self, command: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if not line.startswith(b"{"):
                continue
            told = json.loads(line)
            seen = Seen(told["at"], told["what"], told.get("call", ""), told.get("code", 0), told.get("message", ""))
            async with self._news:
                self.seen.append(seen)
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


def device(pbx: AsteriskInstance, name: str) -> Phone:
    """A phone for one of the demo PBX's endpoints, on the next free address."""
    return Phone(name, pbx.phone_addresses.pop(), pbx.sip_address, SECRET)


def carrier(pbx: AsteriskInstance, number: str = "+61411000999") -> Phone:
    """The outside world behind the trunk, known to the PBX by its address."""
    return Phone("carrier", pbx.trunk_address, pbx.sip_address, number=number)
