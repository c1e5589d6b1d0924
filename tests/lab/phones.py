"""Softphones as tests and the demo see them: each a real SIP stack in a process and on an address of its own.

What a phone saw is the truth that records are held against: `Phone.seen`, in order, each with its
time (epoch seconds) and, for INVITE, CANCEL and BYE, the message as it came.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.lab.asterisk import SECRET, AsteriskInstance
from tests.lab.processes import before_others

WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """`what`: ready, registered, calling, invite, ringing, talking, cancel, bye, over; held, unheld; dialled (digits);
    referring, refer_accepted, refer_refused, notify (of a transfer; `code`); update (re-INVITE or UPDATE received)."""

    at: float
    what: str
    call: str
    code: int
    message: str

    def header(self, name: str) -> str:
        """The value of the message's header; "" where it has none, the first where it has several."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """The values of the message's headers of this name, in order."""
        lines = re.findall(rf"^{re.escape(name)}\s*:(.*?)\r?$", self.message, re.MULTILINE | re.IGNORECASE)
        return [value.strip() for value in lines]


class Phone:
    """`async with Phone(name, address, registrar, secret) as phone:`; an empty secret registers nowhere.

    `name`: the endpoint's; "102/2" is another phone of endpoint 102. It sends no RTP, unless `behave(media=True)`.
    Where one of several calls is meant, `call` is its Call-ID (as `call()` and `Seen.call` give it); else the latest.
    """

    def __init__(self, name: str, address: str, registrar: str, secret: str = "", number: str = "") -> None:
        self.name = name
        self.address = address
        self.seen: list[Seen] = []
        self._setup = {
            "name": name,
            "address": address,
            "registrar": registrar,
            "user": name.split("/")[0],
            "secret": secret,
        }
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
            preexec_fn=before_others,
            start_new_session=True,
            limit=1 << 20,
        )
        self._reader = asyncio.create_task(self._read())
        try:
            await self.wait_for("registered" if self._setup["secret"] else "ready")
        except BaseException:
            self._process.kill()
            await self._process.wait()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self.resume()
            try:
                if "/" in self.name:  # the endpoint stays, with its other phone: this one must not be rung any more
                    await self.sign_off()
                await self._tell({"do": "quit"})
                await asyncio.wait_for(self._process.wait(), 5)
            except (TimeoutError, AssertionError, ConnectionError):
                self._process.kill()
                await self._process.wait()
        await self._reader

    async def sign_off(self) -> None:
        """Be none of the endpoint's contacts any more."""
        await self._do("unregister", "unregistered")

    async def behave(
        self,
        *,
        answer_after: float | None = None,
        code: int = 200,
        ring_code: int = 180,
        redirect_to: str = "",
        media: bool = False,
    ) -> None:
        """What to do when called: ring and answer with `code` after seconds, or (None) ring on, or refuse at once.

        `redirect_to`: where a 302 sends the caller. `media`: send RTP on this phone's calls from now on.
        """
        behaviour = {"answer_after": answer_after, "code": code, "ring_code": ring_code}
        await self._do("behave", "behaving", **behaviour, redirect_to=redirect_to, media=media)

    async def call(self, to: str, *, caller: str | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Dial an extension or number at the PBX; the Call-ID.

        `caller`: a whole From, `"name" <sip:number@host>`, of at most 255 bytes, where it is not the phone's own.
        """
        more = {"from": caller} if caller else {}
        return (await self._do("call", "calling", to=to, headers=dict(headers or {}), **more)).call

    async def hang_up(self, call: str = "") -> None:
        """End one call, or (no call given) every call of this phone."""
        await self._tell({"do": "hang_up", "call": call})

    async def answer(self, call: str = "", *, code: int = 200) -> None:
        """Answer a ringing call now, or refuse it."""
        await self._tell({"do": "answer", "call": call, "code": code})

    async def hold(self, call: str = "") -> Seen:
        return await self._do("hold", "held", call=call)

    async def unhold(self, call: str = "") -> Seen:
        return await self._do("unhold", "unheld", call=call)

    async def dtmf(self, digits: str, call: str = "") -> Seen:
        """Press keys: RFC 2833, or SIP INFO on a call without media."""
        return await self._do("dtmf", "dialled", digits=digits, call=call)

    async def refer(self, to: str, call: str = "") -> Seen:
        """Blind transfer; the phone leaves when it hears that it worked. Returns the moment it was accepted."""
        return await self._do("refer", "refer_accepted", to=to, call=call)

    async def refer_replaces(self, call: str, other: str) -> Seen:
        """Attended transfer of this phone's `call` to its `other`, which may still ring; when it was accepted."""
        return await self._do("refer_replaces", "refer_accepted", call=call, other=other)

    async def join(self) -> None:
        """Mix this phone's first two calls: its own conference."""
        await self._do("join", "joined")

    async def packets(self, call: str = "") -> dict[str, int]:
        """RTP packets of a call by now: sent, received."""
        told: dict[str, int] = json.loads((await self._do("statistics", "statistics", call=call)).message)
        return told

    def pause(self) -> None:
        """A phone that is registered and never says a word, until it is resumed."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGCONT)

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

    async def _do(self, command: str, done: str, **more: object) -> Seen:
        """Have a command carried out; the first thing seen of its being `done`."""
        mark = len(self.seen)
        await self._tell({"do": command} | more)
        seen = await self.wait_until(
            lambda: next((s for s in self.seen[mark:] if s.what in (done, "refused", "refer_refused")), None), done
        )
        if seen.what != done:
            raise AssertionError(f"phone {self.name} could not {command}: {seen.code} {seen.message}")
        return seen

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
    """A phone for one of the demo PBX's endpoints, on the next free address; "102/2": one more of 102's."""
    return Phone(name, pbx.phone_addresses.pop(), pbx.sip_address, SECRET)


def carrier(pbx: AsteriskInstance, number: str = "+61411000999") -> Phone:
    """The outside world behind the trunk, known to the PBX by its address."""
    return Phone("carrier", pbx.trunk_address, pbx.sip_address, number=number)
