"""Scripted SIP user agents, many in one process: what each did and saw is the truth that the record is held against.

An agent is an address; a leg is one dialog of it. A leg belongs to an *identity*, the number that is
this call's alone: on the trunk the number dialled, else the number that calls.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import sip
from tests.chaos.sip import Message

RESEND_SECONDS = (0.5, 1.0, 2.0, 4.0)
ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY")
RECEIVE_BUFFER = 4 << 20


@dataclass(slots=True)
class Leg:
    """`seen`: (epoch seconds, what) in order. What: sent-invite, trying, ringing, answered, refused-486, sent-cancel,
    cancelled, sent-bye, bye, sent-ring, sent-200, sent-486, ack, sent-refer, referred, gone, cut, silence.
    """

    agent: "Agent"
    call_id: str
    identity: str
    caller: bool
    local: str
    remote: str
    target: str
    began: float
    seen: list[tuple[float, str]] = field(default_factory=list)
    sequence: int = 1
    final: int = 0
    over: bool = False
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    invite: Message | None = None
    branch: str = ""
    last_answer: bytes = b""
    cancelling: bool = False

    def note(self, what: str) -> None:
        self.seen.append((time.time(), what))

    def at(self, what: str) -> float | None:
        return next((at for at, seen in self.seen if seen == what), None)

    def saw(self, *whats: str) -> bool:
        return any(seen in whats for _, seen in self.seen)

    @property
    def last_at(self) -> float:
        return self.seen[-1][0] if self.seen else self.began

    def finish(self, what: str) -> None:
        if not self.over:
            self.note(what)
            self.over = True
            self.decided.set()
            self.ended.set()

    def came_with(self, message: Message) -> bool:
        """It is the INVITE of this leg, again."""
        return not self.caller and self.invite is not None and message.sequence == self.invite.sequence

    # What the script of a call asks for.

    def cancel(self) -> None:
        """Give up ringing."""
        if self.decided.is_set() or self.cancelling:
            return
        self.cancelling = True
        self.note("sent-cancel")
        self.agent.request(self, "CANCEL", branch=self.branch, sequence=1, in_dialog=False)

    def bye(self) -> None:
        if not self.over:
            self.note("sent-bye")
            self.agent.request(self, "BYE")

    def refer(self, to: str) -> None:
        self.note("sent-refer")
        target = f"<sip:{to}@{self.agent.registrar}>"
        self.agent.request(self, "REFER", more=[("Refer-To", target), ("Referred-By", self.local)])

    def ring(self) -> None:
        self.note("sent-ring")
        self.agent.answer(self, 180, "Ringing")

    def refuse(self, code: int) -> None:
        if not self.over:
            self.note(f"sent-{code}")
            self.agent.answer(self, code, "No")
            self.agent.again(self.last_answer, lambda: self.acked.is_set() or self.over)
            self.finish("gone")

    def accept(self) -> None:
        if not self.over:
            self.note("sent-200")
            self.agent.answer(self, 200, "OK", sip.offer(self.agent.address))
            self.agent.again(self.last_answer, lambda: self.acked.is_set() or self.over)


Script = Callable[[Leg], Coroutine[Any, Any, None]]


class Agent(asyncio.DatagramProtocol):
    """`on_call` is run for each call that comes in. `by_dialled`: its identity is the number dialled."""

    def __init__(self, crowd: "Crowd", name: str, address: str, registrar: str, *, by_dialled: bool = False) -> None:
        self.name, self.address, self.registrar = name, address, registrar
        self.crowd = crowd
        self._by_dialled = by_dialled
        self._legs: dict[str, Leg] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._branches = (f"z9hG4bK{name}{number}x{random.getrandbits(32):x}" for number in itertools.count())
        self._answered: dict[tuple[str, int, str], bytes] = {}

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, (self.address, 5060))
        self._transport = transport

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def cut(self) -> None:
        """Asterisk died: nothing that was under way goes on."""
        for leg in self._legs.values():
            leg.finish("cut")
        self._legs.clear()
        self._answered.clear()

    def call(self, identity: str, to: str, caller: str) -> Leg:
        """Dial `to` as `caller`, a number."""
        number = f"{random.getrandbits(64):x}"
        leg = Leg(
            agent=self,
            call_id=f"{number}@{self.address}",
            identity=identity,
            caller=True,
            local=f"<sip:{caller}@{self.address}>;tag={number}",
            remote=f"<sip:{to}@{self.registrar}>",
            target=f"sip:{to}@{self.registrar}:5060",
            began=time.time(),
            branch=next(self._branches),
        )
        self._legs[leg.call_id] = leg
        self.crowd.legs.append(leg)
        leg.note("sent-invite")
        self.request(leg, "INVITE", branch=leg.branch, sequence=1, body=sip.offer(self.address))
        return leg

    # ── writing ─────────────────────────────────────────────────────────────

    def request(
        self,
        leg: Leg,
        method: str,
        *,
        branch: str = "",
        sequence: int | None = None,
        body: str = "",
        in_dialog: bool = True,
        more: list[tuple[str, str]] | None = None,
    ) -> None:
        if sequence is None:
            leg.sequence += 1
            sequence = leg.sequence
        branch = branch or next(self._branches)
        data = sip.build(
            f"{method} {leg.target} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {self.address}:5060;branch={branch}"),
                ("Max-Forwards", "70"),
                ("From", leg.local),
                ("To", leg.remote),
                ("Call-ID", leg.call_id),
                ("CSeq", f"{sequence} {method}"),
                ("Contact", f"<sip:{self.name}@{self.address}:5060>"),
                ALLOW,
                *(more or []),
            ],
            body,
        )
        if method == "ACK":
            self._send(data)
            return
        key = (leg.call_id, sequence, method)
        self.crowd.unanswered.add(key)
        self._send(data)
        task = self.again(data, lambda: key not in self.crowd.unanswered or (leg.over and method != "BYE"))
        task.add_done_callback(lambda _: self._gave_up(leg, key, method))

    def _gave_up(self, leg: Leg, key: tuple[str, int, str], method: str) -> None:
        if key in self.crowd.unanswered:
            self.crowd.unanswered.discard(key)
            if method in ("INVITE", "BYE"):
                leg.finish("silence")

    def answer(self, leg: Leg, code: int, reason: str, body: str = "") -> None:
        assert leg.invite is not None
        leg.last_answer = self._response(leg.invite, code, reason, leg.local, body)
        self._send(leg.last_answer)

    def _response(self, request: Message, code: int, reason: str, to: str, body: str = "") -> bytes:
        return sip.build(
            f"SIP/2.0 {code} {reason}",
            [
                *(("Via", via) for via in request.all("via")),
                *(("Record-Route", route) for route in request.all("record-route")),
                ("From", request["from"]),
                ("To", to),
                ("Call-ID", request["call-id"]),
                ("CSeq", request["cseq"]),
                ("Contact", f"<sip:{self.name}@{self.address}:5060>"),
                ALLOW,
            ],
            body,
        )

    def again(self, data: bytes, done: Callable[[], bool]) -> asyncio.Task[None]:
        """Send it again, as UDP needs it, until it is answered."""
        return self.crowd.go(self._again(data, done))

    async def _again(self, data: bytes, done: Callable[[], bool]) -> None:
        for seconds in RESEND_SECONDS:
            await asyncio.sleep(seconds)
            if done():
                return
            self._send(data)
        await asyncio.sleep(RESEND_SECONDS[-1])

    def _send(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, (self.registrar, 5060))

    # ── reading ─────────────────────────────────────────────────────────────

    def error_received(self, error: Exception) -> None:
        """Nobody listens there at the moment: what matters is sent again."""

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        message = sip.parse(data)
        if message is None:
            return
        leg = self._legs.get(message["call-id"])
        if message.is_response:
            if leg is not None:
                self._take_response(leg, message)
        elif message.method == "INVITE" and leg is None:
            self._take_call(message)
        else:
            self._take_request(leg, message)

    def _take_call(self, message: Message) -> None:
        identity = sip.user(message.first[1] if self._by_dialled else message["from"])
        to = message["to"]
        leg = Leg(
            agent=self,
            call_id=message["call-id"],
            identity=identity,
            caller=False,
            local=f"{to};tag={random.getrandbits(64):x}",
            remote=message["from"],
            target=sip.uri(message["contact"]),
            began=time.time(),
            invite=message,
        )
        self._legs[leg.call_id] = leg
        self.crowd.legs.append(leg)
        self.crowd.go(self.crowd.on_call(leg))

    def _take_request(self, leg: Leg | None, message: Message) -> None:
        method = message.method
        if method == "ACK":
            if leg is not None:
                if not leg.acked.is_set():
                    leg.note("ack")
                leg.acked.set()
            return
        if method == "INVITE" and leg is not None and leg.came_with(message):
            self._send(leg.last_answer)
            return
        if leg is None:
            code = 200 if method == "OPTIONS" else 481
            self._send(self._response(message, code, "-", f"{message['to']};tag=none"))
            return
        if method in ("INVITE", "UPDATE"):
            leg.invite = leg.invite if not leg.caller else message
            body = sip.offer(self.address) if method == "INVITE" or message.body else ""
            self._send(self._response(message, 200, "OK", message["to"], body))
            return
        self._send(self._response(message, 200, "OK", leg.local if method == "CANCEL" else message["to"]))
        if method == "CANCEL" and not leg.over and not leg.saw("sent-200"):
            leg.note("cancelled")
            self.answer(leg, 487, "Request Terminated")
            self.again(leg.last_answer, leg.acked.is_set)
            leg.finish("gone")
        elif method == "CANCEL":
            leg.note("cancelled-late")
        elif method == "BYE":
            leg.finish("bye")
        elif method == "NOTIFY" and " 200" in message.body.split("\n")[0]:
            leg.note("referred")
            leg.bye()

    def _take_response(self, leg: Leg, message: Message) -> None:
        method, status = message.method, message.status
        if status >= 200 or method == "INVITE":
            self.crowd.unanswered.discard((leg.call_id, message.sequence, method))
        if method == "BYE" and status >= 200:
            leg.finish("gone")
        if method != "INVITE":
            return
        if status < 200:
            what = "trying" if status == 100 else "ringing"
            if not leg.saw(what) and not leg.decided.is_set():
                leg.note(what)
            return
        leg.remote = message["to"]
        if status < 300:
            leg.target = sip.uri(message["contact"]) or leg.target
            self.request(leg, "ACK", sequence=message.sequence)
        else:
            self.request(leg, "ACK", sequence=message.sequence, branch=leg.branch)
        if leg.decided.is_set():
            return
        leg.final = status
        if status < 300:
            leg.note("answered")
            leg.decided.set()
            if leg.cancelling:  # it was answered before they heard
                leg.bye()
        else:
            leg.finish(f"refused-{status}")


class Crowd:
    """All agents. `behave` says what an agent does with a call that comes in."""

    def __init__(self, behave: Script) -> None:
        self.on_call = behave
        self.legs: list[Leg] = []
        self.agents: dict[str, Agent] = {}
        self.unanswered: set[tuple[str, int, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, name: str, address: str, registrar: str, *, by_dialled: bool = False) -> Agent:
        agent = self.agents[name] = Agent(self, name, address, registrar, by_dialled=by_dialled)
        await agent.open()
        return agent

    def go(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cut(self) -> None:
        for agent in self.agents.values():
            agent.cut()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for agent in self.agents.values():
            agent.close()
