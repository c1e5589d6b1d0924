"""Placing a call: checked, committed, handed to Asterisk, in this order, and handed to it once.

Whatever fails before the commit leaves no trace but the audit log; whatever is lost after the
hand-over may still ring until the deadline, so it is answered 202 and ingest tells how it went.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller
from gateway.api.call_limits import limits
from gateway.api.calls import as_asked_for, connected, json_text
from gateway.api.codes import ProblemCode
from gateway.api.context import ApiContext, CallSession, context_of
from gateway.api.destinations import blocked
from gateway.api.directory_of import directory_of
from gateway.api.problems import DATABASE_AWAY, Fault, Problem, invalid, unavailable
from gateway.api.wanted_call import PlaceCall, WantedCall, read_call, wanted_call
from gateway.asterisk import calls_control, devices, originate
from gateway.asterisk.errors import ActionRefused, ActionTimeout, AmiError, LinkLost, UnsafeValue
from gateway.asterisk.originate import OriginateRequest
from gateway.calls.directory import Directory, User
from gateway.calls.identity import uuid7
from gateway.store import audit, originations
from gateway.store.originations import NewOrigination, PlacedCall

log = structlog.get_logger()

DEADLINE = timedelta(seconds=10)
MOST_KEY_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Answered:
    """The call as it was answered; `replayed` where an earlier request with the same key placed it."""

    call: PlacedCall
    replayed: bool = False


async def place_call(request: Request, caller: Caller) -> Response:
    """`POST /v1/calls`."""
    key = idempotency_key(request, request.state.faults)
    asked = await read_call(request, caller)
    answered = await place(context_of(request), caller, asked, key)
    headers = {"Location": f"/v1/calls/{answered.call.id}"}
    if answered.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_text(as_asked_for(answered.call), 202, headers)


def idempotency_key(request: Request, faults: list[Fault]) -> str | None:
    """The key; where it is none, `faults` grows."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        faults.append(Fault("Idempotency-Key", "bad_idempotency_key", "1 to 255 printable ASCII characters."))
    return key


async def place(context: ApiContext, caller: Caller, asked: PlaceCall, key: str | None) -> Answered:
    """Places the call, once for an idempotency key.

    Raises: Problem 403, 409, 422, 429 or 503 where nothing was placed.
    """
    digest = hashlib.sha256(asked.model_dump_json().encode()).digest()
    now = datetime.now(UTC)
    # Before the directory is asked, which may be another since.
    if key is not None and (first := await originations.by_key(context.pool, caller.account, key, now)):
        return _replayed(first, digest, now)
    directory = await directory_of(context, caller)
    wanted = wanted_call(directory, asked, context.node)
    await _refuse_blocked(context, caller, directory, wanted)
    session = connected(context.ami)
    new = new_origination(context, caller, wanted, asked, key, digest)
    # Both ask Asterisk, and nothing rings before both have answered.
    _, deadline = await asyncio.gather(_refuse_unreachable(session, wanted.user), _deadline(session, new))
    action = originate_request(new, caller.account, directory, deadline)
    first = await _reserve(context, caller, directory, new)
    if first is not None:
        return _replayed(first, digest, now)
    return Answered(await _hand_over(context, session, caller, new, action))


def _replayed(first: PlacedCall, digest: bytes, now: datetime) -> Answered:
    """The first answer again, once it is known what it was."""
    if first.request_sha256 != digest:
        raise Problem(422, "idempotency_mismatch", "This Idempotency-Key was used with another body.")
    if first.state == "reserved" and now < first.deadline:
        raise _in_progress()
    return Answered(first, replayed=True)


def _in_progress() -> Problem:
    return Problem(
        409, "idempotency_in_progress", "The first request is still being placed.", headers={"Retry-After": "1"}
    )


async def _refuse_blocked(context: ApiContext, caller: Caller, directory: Directory, wanted: WantedCall) -> None:
    reason = blocked(directory, wanted.to)
    if reason is not None:
        await _note_refusal(context, caller, "destination_blocked", wanted.to)
        raise Problem(403, "destination_blocked", reason)


async def _refuse_unreachable(session: CallSession, user: User) -> None:
    refuse_unreachable(await contacts_of(session, user))


async def contacts_of(session: CallSession, user: User) -> Mapping[str, int]:
    """How many contacts of each device could ring now. Raises: Problem 503."""
    try:
        return await devices.contacts(session, user.devices)
    except UnsafeValue:
        return {}
    except AmiError:
        raise unavailable("asterisk_unavailable", "Asterisk did not answer; nothing was placed.") from None


def refuse_unreachable(contacts: Mapping[str, int]) -> None:
    """Raises: Problem 409."""
    if not any(contacts.values()):
        raise Problem(409, "user_unreachable", "None of the user's devices is registered.")


def new_origination(
    context: ApiContext, caller: Caller, wanted: WantedCall, asked: PlaceCall, key: str | None, digest: bytes
) -> NewOrigination:
    now = datetime.now(UTC)
    return NewOrigination(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        node=context.node,
        user_id=wanted.user.id,
        user_number=wanted.user.number,
        user_name=wanted.user.name,
        destination=wanted.to,
        caller_id=wanted.caller_id,
        reference=asked.reference,
        ring_timeout=asked.ring_timeout,
        answer_timeout=asked.answer_timeout,
        devices=wanted.user.devices,
        deadline=now + DEADLINE,
        idempotency_key=key,
        request_sha256=digest,
        actor=caller.actor,
        created_at=now,
    )


async def _deadline(session: CallSession, new: NewOrigination) -> int:
    """Epoch seconds by Asterisk's clock, which the dialplan reads. It is asked before the call is reserved: so the
    deadline by which the database judges comes later, whatever our three clocks show.
    """
    try:
        there = await calls_control.clock(session)
    except AmiError:
        raise unavailable("asterisk_unavailable", "Asterisk did not answer; nothing was placed.") from None
    if there is None:
        return int(new.deadline.timestamp())
    return there // 1_000_000 + int(DEADLINE.total_seconds())


def originate_request(new: NewOrigination, account: str, directory: Directory, deadline_epoch: int) -> OriginateRequest:
    """Raises: Problem 422 where it holds what must not reach Asterisk."""
    request = OriginateRequest(
        id=new.id,
        other_id=f"{new.id}-2",
        devices=new.devices,
        destination=new.destination,
        destination_context=directory.outbound.context,
        user_number=new.user_number,
        user_name=new.user_name,
        caller_id=new.caller_id,
        account=account,
        ring_timeout=new.ring_timeout,
        answer_timeout=new.answer_timeout,
        deadline_epoch=deadline_epoch,
    )
    try:
        originate.headers(request)
        originate.variables(request)
    except UnsafeValue as error:
        raise invalid([Fault(f"/{error.field}", "unsafe_value", f"The {error.field} {error.reason}.")]) from None
    return request


async def _reserve(context: ApiContext, caller: Caller, directory: Directory, new: NewOrigination) -> PlacedCall | None:
    """Commits the origination; gives the first one instead where another request was faster with the same key.

    Raises: Problem 409, 429.
    """
    # A transaction of its own: one who died while waiting for the account's lock has reserved nothing.
    async with context.pool.acquire() as connection, connection.transaction():
        reservation = await originations.reserve(connection, caller.account, new, directory.outbound)
    if reservation.reserved:
        return None
    if reservation.placed_before and new.idempotency_key is not None:
        first = await originations.by_key(context.pool, caller.account, new.idempotency_key, new.created_at)
        if first is None:
            raise _in_progress()  # Withdrawn this moment: its key is free.
        return first
    over = next(limit for limit in limits(directory.outbound, reservation.usage) if limit.reached)
    await _note_refusal(context, caller, over.code, new.destination)
    raise over.problem


async def _hand_over(
    context: ApiContext, session: CallSession, caller: Caller, new: NewOrigination, action: OriginateRequest
) -> PlacedCall:
    """Sends the Originate, once; the origination as the client shall see it."""
    failure: str | None = None
    try:
        await originate.place(session, action)
        await _noted(originations.accepted(context.pool, caller.account, new.id))
    except (LinkLost, ActionTimeout):
        pass  # Stays reserved: it may ring until the deadline, and ingest tells.
    except ActionRefused:
        failure = "refused_by_asterisk"
        await _noted(originations.refused(context.pool, caller.account, new.id, failure))
    except AmiError:
        await _noted(originations.withdraw(context.pool, caller.account, new.id))
        raise unavailable("asterisk_unavailable", "Asterisk is not connected; nothing was placed.") from None
    return PlacedCall(
        new.id,
        new.node,
        new.user_id,
        new.user_number,
        new.user_name,
        new.destination,
        new.caller_id,
        new.reference,
        new.deadline,
        new.request_sha256,
        "reserved" if failure is None else "refused",
        failure,
        new.created_at,
    )


async def _noted(outcome: Awaitable[None]) -> None:
    """What Asterisk answered stays true when the database has just gone; the row stays reserved, ingest ends it."""
    try:
        await outcome
    except DATABASE_AWAY as error:
        log.warning("placing.outcome_not_noted", error=type(error).__name__)


async def _note_refusal(context: ApiContext, caller: Caller, code: ProblemCode, destination: str) -> None:
    await audit.record(
        context.pool, caller.account, caller.actor, "call.refused", destination, caller.ip, {"code": code}
    )
