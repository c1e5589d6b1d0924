"""Calls played on the demo PBX by real phones, and what must be recorded of them.

Each scenario acts, and says what is true by what the phones did; the same list is played with
either source of rows. A new scenario is a function here and its line in `SCENARIOS`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.lab.gateway import Gateway
from tests.lab.phones import Phone

MOBILE = "+61411000999"
OUTSIDE = "+61255501234"


@dataclass(frozen=True, slots=True)
class Phones:
    desk: Phone
    mobile: Phone
    bob: Phone
    carol: Phone
    carrier: Phone

    def everyone(self) -> list[Phone]:
        return [self.desk, self.mobile, self.bob, self.carol, self.carrier]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the record must say; `attempts`: (device or number, result), in any order."""

    outcome: str
    direction: str
    caller: str | None
    callee: str | None
    attempts: frozenset[tuple[str, str]]
    hung_up_by: str | None = None
    visit: tuple[str, str] | None = None
    end_reason: str | None = None


Play = Callable[[Phones, Gateway], Awaitable[Expected]]


def _attempts(*pairs: tuple[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(pairs)


async def _talk_a_little(seconds: float = 0.6) -> None:
    await asyncio.sleep(seconds)


async def internal(phones: Phones, *, caller_ends: bool) -> Expected:
    await phones.carol.behave(answer_after=0.4)
    mark = len(phones.carol.seen)
    await phones.bob.call("103")
    await phones.carol.wait_for("talking", since=mark)
    await _talk_a_little()
    await (phones.bob if caller_ends else phones.carol).hang_up()
    by = "caller" if caller_ends else "callee"
    return Expected("answered", "internal", "102", "103", _attempts(("PJSIP/103", "answered")), by)


async def internal_caller_ends(phones: Phones, _: Gateway) -> Expected:
    return await internal(phones, caller_ends=True)


async def internal_callee_ends(phones: Phones, _: Gateway) -> Expected:
    return await internal(phones, caller_ends=False)


async def internal_no_answer(phones: Phones, _: Gateway) -> Expected:
    await phones.bob.call("103")
    return Expected("no_answer", "internal", "102", "103", _attempts(("PJSIP/103", "no_answer")), "system")


async def internal_busy(phones: Phones, _: Gateway) -> Expected:
    await phones.carol.behave(code=486)
    await phones.bob.call("103")
    return Expected("busy", "internal", "102", "103", _attempts(("PJSIP/103", "busy")), "callee")


async def internal_declined(phones: Phones, _: Gateway) -> Expected:
    await phones.carol.behave(code=603)
    await phones.bob.call("103")
    return Expected("declined", "internal", "102", "103", _attempts(("PJSIP/103", "declined")), "callee")


async def internal_cancelled(phones: Phones, _: Gateway) -> Expected:
    mark = len(phones.carol.seen)
    await phones.bob.call("103")
    await phones.carol.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.bob.hang_up()
    return Expected("cancelled", "internal", "102", "103", _attempts(("PJSIP/103", "cancelled")), "caller")


async def internal_unreachable(phones: Phones, _: Gateway) -> Expected:
    await phones.bob.call("105")
    return Expected("failed", "internal", "102", "105", _attempts(("PJSIP/105", "unreachable")), "system")


async def outbound_answered(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.behave(answer_after=0.4)
    mark = len(phones.carrier.seen)
    await phones.bob.call(OUTSIDE)
    await phones.carrier.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.carrier.hang_up()
    return Expected("answered", "outbound", "102", OUTSIDE, _attempts((OUTSIDE, "answered")), "callee")


async def outbound_no_answer(phones: Phones, _: Gateway) -> Expected:
    await phones.bob.call(OUTSIDE)
    return Expected("no_answer", "outbound", "102", OUTSIDE, _attempts((OUTSIDE, "no_answer")), "system")


async def outbound_busy(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.behave(code=486)
    await phones.bob.call(OUTSIDE)
    return Expected("busy", "outbound", "102", OUTSIDE, _attempts((OUTSIDE, "busy")), "callee")


async def outbound_failed(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.behave(code=503)
    await phones.bob.call(OUTSIDE)
    return Expected("failed", "outbound", "102", OUTSIDE, _attempts((OUTSIDE, "failed")), "system")


async def outbound_cancelled(phones: Phones, _: Gateway) -> Expected:
    mark = len(phones.carrier.seen)
    await phones.bob.call(OUTSIDE)
    await phones.carrier.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.bob.hang_up()
    return Expected("cancelled", "outbound", "102", OUTSIDE, _attempts((OUTSIDE, "cancelled")), "caller")


async def inbound_to_two_devices(phones: Phones, _: Gateway) -> Expected:
    await phones.mobile.behave(answer_after=0.4)
    mark = len(phones.mobile.seen)
    await phones.carrier.call("+61290000001")
    await phones.mobile.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.carrier.hang_up()
    attempts = _attempts(("PJSIP/101-mobile", "answered"), ("PJSIP/101-desk", "answered_elsewhere"))
    return Expected("answered", "inbound", MOBILE, "+61290000001", attempts, "caller")


async def inbound_callee_ends(phones: Phones, _: Gateway) -> Expected:
    await phones.desk.behave(answer_after=0.4)
    mark = len(phones.desk.seen)
    await phones.carrier.call("+61290000001")
    await phones.desk.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.desk.hang_up()
    return Expected("answered", "inbound", MOBILE, "+61290000001", _attempts(*DESK_ANSWERED), "callee")


async def inbound_no_answer(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.call("+61290000001")
    attempts = _attempts(("PJSIP/101-mobile", "no_answer"), ("PJSIP/101-desk", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000001", attempts, "system")


async def inbound_cancelled(phones: Phones, _: Gateway) -> Expected:
    mark = len(phones.desk.seen)
    await phones.carrier.call("+61290000001")
    await phones.desk.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.carrier.hang_up()
    attempts = _attempts(("PJSIP/101-mobile", "cancelled"), ("PJSIP/101-desk", "cancelled"))
    return Expected("cancelled", "inbound", MOBILE, "+61290000001", attempts, "caller")


async def group_answered(phones: Phones, _: Gateway) -> Expected:
    await phones.bob.behave(answer_after=0.4)
    mark = len(phones.bob.seen)
    await phones.carrier.call("+61290000002")
    await phones.bob.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.bob.hang_up()
    attempts = _attempts(("PJSIP/102", "answered"), ("PJSIP/103", "answered_elsewhere"))
    visit = ("sales", "answered")
    return Expected("answered", "inbound", MOBILE, "+61290000002", attempts, "callee", visit)


async def group_nobody(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.call("+61290000002")
    attempts = _attempts(("PJSIP/102", "no_answer"), ("PJSIP/103", "no_answer"))
    return Expected("no_answer", "inbound", MOBILE, "+61290000002", attempts, "system", ("sales", "no_answer"))


async def group_given_up(phones: Phones, _: Gateway) -> Expected:
    mark = len(phones.bob.seen)
    await phones.carrier.call("+61290000002")
    await phones.bob.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.carrier.hang_up()
    attempts = _attempts(("PJSIP/102", "cancelled"), ("PJSIP/103", "cancelled"))
    return Expected("cancelled", "inbound", MOBILE, "+61290000002", attempts, "caller", ("sales", "cancelled"))


async def queue_answered(phones: Phones, _: Gateway) -> Expected:
    await phones.carol.behave(answer_after=0.4)
    mark = len(phones.carol.seen)
    await phones.carrier.call("+61290000003")
    await phones.carol.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.carrier.hang_up()
    attempts = _attempts(("PJSIP/103", "answered"), ("PJSIP/102", "answered_elsewhere"))
    return Expected("answered", "inbound", MOBILE, "+61290000003", attempts, "caller", ("support", "answered"))


async def queue_abandoned(phones: Phones, _: Gateway) -> Expected:
    mark = len(phones.bob.seen)
    await phones.carrier.call("+61290000003")
    await phones.bob.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.carrier.hang_up()
    attempts = _attempts(("PJSIP/102", "cancelled"), ("PJSIP/103", "cancelled"))
    return Expected("abandoned", "inbound", MOBILE, "+61290000003", attempts, "caller", ("support", "abandoned"))


async def queue_timed_out(phones: Phones, _: Gateway) -> Expected:
    await phones.carrier.call("+61290000003")
    attempts = _attempts(("PJSIP/102", "no_answer"), ("PJSIP/103", "no_answer"))
    return Expected("timed_out", "inbound", MOBILE, "+61290000003", attempts, "system", ("support", "timed_out"))


async def _click(gateway: Gateway, to: str = OUTSIDE, **more: Any) -> str:
    response = await gateway.api.post("/v1/calls", json={"user": "101", "to": to, **more})
    assert response.status_code == 202, response.text
    placed: str = response.json()["id"]
    return placed


DESK_ANSWERED = (("PJSIP/101-desk", "answered"), ("PJSIP/101-mobile", "answered_elsewhere"))


async def click_to_call(phones: Phones, gateway: Gateway, *, user_ends: bool) -> Expected:
    await phones.desk.behave(answer_after=0.4)
    await phones.carrier.behave(answer_after=0.4)
    mark = len(phones.carrier.seen)
    await _click(gateway)
    await phones.carrier.wait_for("talking", since=mark)
    await _talk_a_little()
    await (phones.desk if user_ends else phones.carrier).hang_up()
    attempts = _attempts(*DESK_ANSWERED, (OUTSIDE, "answered"))
    by = "caller" if user_ends else "callee"
    return Expected("answered", "outbound", "101", OUTSIDE, attempts, by, end_reason="hangup")


async def click_user_ends(phones: Phones, gateway: Gateway) -> Expected:
    return await click_to_call(phones, gateway, user_ends=True)


async def click_destination_ends(phones: Phones, gateway: Gateway) -> Expected:
    return await click_to_call(phones, gateway, user_ends=False)


async def click_user_no_answer(_: Phones, gateway: Gateway) -> Expected:
    await _click(gateway, ring_timeout=5)
    attempts = _attempts(("PJSIP/101-desk", "no_answer"), ("PJSIP/101-mobile", "no_answer"))
    return Expected("no_answer", "outbound", "101", OUTSIDE, attempts, "system", end_reason="user_no_answer")


async def click_user_declines(phones: Phones, gateway: Gateway) -> Expected:
    await phones.desk.behave(code=603)
    await phones.mobile.behave(code=603)
    await _click(gateway)
    attempts = _attempts(("PJSIP/101-desk", "declined"), ("PJSIP/101-mobile", "declined"))
    return Expected("declined", "outbound", "101", OUTSIDE, attempts, end_reason="user_declined")


async def _click_refused(phones: Phones, gateway: Gateway, code: int, outcome: str) -> Expected:
    await phones.desk.behave(answer_after=0.3)
    await phones.carrier.behave(code=code)
    await _click(gateway)
    attempts = _attempts(*DESK_ANSWERED, (OUTSIDE, outcome))
    return Expected(outcome, "outbound", "101", OUTSIDE, attempts, end_reason=f"destination_{outcome}")


async def click_destination_busy(phones: Phones, gateway: Gateway) -> Expected:
    return await _click_refused(phones, gateway, 486, "busy")


async def click_destination_declines(phones: Phones, gateway: Gateway) -> Expected:
    return await _click_refused(phones, gateway, 603, "declined")


async def click_trunk_fails(phones: Phones, gateway: Gateway) -> Expected:
    return await _click_refused(phones, gateway, 503, "failed")


async def click_destination_no_answer(phones: Phones, gateway: Gateway) -> Expected:
    await phones.desk.behave(answer_after=0.3)
    await _click(gateway, answer_timeout=5)
    attempts = _attempts(*DESK_ANSWERED, (OUTSIDE, "no_answer"))
    return Expected("no_answer", "outbound", "101", OUTSIDE, attempts, end_reason="destination_no_answer")


async def click_user_gives_up(phones: Phones, gateway: Gateway) -> Expected:
    await phones.desk.behave(answer_after=0.3)
    mark = len(phones.carrier.seen)
    await _click(gateway)
    await phones.carrier.wait_for("invite", since=mark)
    await _talk_a_little(0.3)
    await phones.desk.hang_up()
    attempts = _attempts(*DESK_ANSWERED, (OUTSIDE, "cancelled"))
    return Expected("cancelled", "outbound", "101", OUTSIDE, attempts, "caller", end_reason="destination_cancelled")


async def click_to_an_extension(phones: Phones, gateway: Gateway) -> Expected:
    await phones.desk.behave(answer_after=0.3)
    await phones.carol.behave(answer_after=0.3)
    mark = len(phones.carol.seen)
    await _click(gateway, "103")
    invite = await phones.carol.wait_for("invite", since=mark)
    assert "Alice" in invite.header("From"), invite.message
    await phones.carol.wait_for("talking", since=mark)
    await _talk_a_little()
    await phones.carol.hang_up()
    attempts = _attempts(*DESK_ANSWERED, ("PJSIP/103", "answered"))
    return Expected("answered", "internal", "101", "103", attempts, "callee")


SCENARIOS: tuple[Play, ...] = (
    internal_caller_ends,
    internal_callee_ends,
    internal_no_answer,
    internal_busy,
    internal_declined,
    internal_cancelled,
    internal_unreachable,
    outbound_answered,
    outbound_no_answer,
    outbound_busy,
    outbound_failed,
    outbound_cancelled,
    inbound_to_two_devices,
    inbound_callee_ends,
    inbound_no_answer,
    inbound_cancelled,
    group_answered,
    group_nobody,
    group_given_up,
    queue_answered,
    queue_abandoned,
    queue_timed_out,
    click_user_ends,
    click_destination_ends,
    click_user_no_answer,
    click_user_declines,
    click_destination_busy,
    click_destination_declines,
    click_trunk_fails,
    click_destination_no_answer,
    click_user_gives_up,
    click_to_an_extension,
)
