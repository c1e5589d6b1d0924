"""Placing a call: checked, committed, handed to Asterisk, in this order, and handed to it once.

Whatever fails before the commit leaves no trace but the audit log; whatever is lost after the
hand-over may still ring until the deadline, so it is answered 202 and ingest tells how it went.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller
from gateway.api.bodies import read_body
from gateway.api.calls import as_asked_for, connected, json_text
from gateway.api.codes import ProblemCode
from gateway.api.context import ApiContext, CallSession, context_of
from gateway.api.destinations import blocked, fault_of_destination
from gateway.api.directory_of import directory_of
from gateway.api.problems import DATABASE_AWAY, Fault, Problem, invalid, unavailable
from gateway.api.who import Unresolved, user_of
from gateway.asterisk import calls_control, devices, originate
from gateway.asterisk.errors import ActionRefused, ActionTimeout, AmiError, LinkLost, UnsafeValue
from gateway.asterisk.originate import OriginateRequest
from gateway.calls.directory import Directory, User
from gateway.calls.identity import uuid7
from gateway.store import audit, originations
from gateway.store.directories import is_on
from gateway.store.originations import NewOrigination, PlacedCall

log = structlog.get_logger()

DEADLINE = timedelta(seconds=10)
MOST_KEY_CHARACTERS = 255


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("not_printable", "Control characters are not allowed.")
    return text


Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
RingTimeout: TypeAlias = Annotated[int, Field(ge=5, le=120)]
AnswerTimeout: TypeAlias = Annotated[int, Field(ge=5, le=180)]


class PlaceCall(BaseModel):
    """The body of `POST /v1/calls`. Timeouts in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user: Line
    to: Line
    caller_id: Line | None = None
    ring_timeout: RingTimeout = 30
    answer_timeout: AnswerTimeout = 60
    reference: Line | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The call as it was answered; `replayed` where an earlier request with the same key placed it."""

    call: PlacedCall
    replayed: bool = False


async def place_call(request: Request, caller: Caller) -> Response:
    """`POST /v1/calls`."""
    key = idempotency_key(request)
    asked = await read_body(request, PlaceCall)
    answered = await place(context_of(request), caller, asked, key)
    headers = {"Location": f"/v1/calls/{answered.call.id}"}
    if answered.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_text(as_asked_for(answered.call), 202, headers)


def idempotency_key(request: Request) -> str | None:
    """Raises: Problem 422."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise invalid([Fault("Idempotency-Key", "bad_idempotency_key", "1 to 255 printable ASCII characters.")])
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
    if not is_on(directory, context.node):
        # Under the names of this account's devices, others may ring here.
        raise Problem(409, "other_node", f"The account is not on node {context.node}: ask its gateway.")
    user, caller_id = _checked(directory, asked)
    await _refuse_blocked(context, caller, directory, asked)
    session = connected(context.ami)
    new = _new(context, caller, user, asked, caller_id, key, digest)
    # Both ask Asterisk, and nothing rings before both have answered.
    _, deadline = await asyncio.gather(_refuse_unreachable(session, user), _deadline(session, new))
    action = _originate(new, caller.account, directory, deadline)
    _refuse_unsafe(action)
    first = await _reserve(context, caller, directory, new)
    if first is not None:
        return _replayed(first, digest, now)
    return Answered(await _hand_over(context, session, caller, new, action))


def _checked(directory: Directory, asked: PlaceCall) -> tuple[User, str | None]:
    """The user, and the caller ID that the outside shall see (None for an extension).

    Raises: Problem 422 with all faults.
    """
    faults: list[Fault] = []
    user: User | None = None
    try:
        user = user_of(directory, asked.user)
    except Unresolved as error:
        faults.append(error.fault("/user"))
    destination = fault_of_destination(directory, user or User("", "", ""), asked.to)
    if destination is not None:
        faults.append(destination)
    if asked.caller_id is not None and asked.caller_id not in directory.numbers:
        faults.append(Fault("/caller_id", "not_your_number", "The caller ID must be one of the account's numbers."))
    caller_id = asked.caller_id or (user and user.caller_id) or next(iter(directory.numbers), None)
    outside = asked.to.startswith("+")
    if outside and caller_id is None:
        faults.append(Fault("/caller_id", "no_caller_id", "Neither the user nor the account has a number to show."))
    if outside and caller_id == asked.to:
        faults.append(Fault("/caller_id", "caller_id_is_destination", "A number is not called from itself."))
    if faults or user is None:
        raise invalid(faults)
    return user, caller_id if outside else None


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


async def _refuse_blocked(context: ApiContext, caller: Caller, directory: Directory, asked: PlaceCall) -> None:
    reason = blocked(directory, asked.to)
    if reason is not None:
        await _note_refusal(context, caller, "destination_blocked", asked.to)
        raise Problem(403, "destination_blocked", reason)


async def _refuse_unreachable(session: CallSession, user: User) -> None:
    try:
        contacts = await devices.contacts(session, user.devices)
    except UnsafeValue:
        contacts = {}
    except AmiError:
        raise unavailable("asterisk_unavailable", "Asterisk did not answer; nothing was placed.") from None
    if not any(contacts.values()):
        raise Problem(409, "user_unreachable", "None of the user's devices is registered.")


def _new(
    context: ApiContext,
    caller: Caller,
    user: User,
    asked: PlaceCall,
    caller_id: str | None,
    key: str | None,
    digest: bytes,
) -> NewOrigination:
    now = datetime.now(UTC)
    return NewOrigination(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        node=context.node,
        user_id=user.id,
        user_number=user.number,
        user_name=user.name,
        destination=asked.to,
        caller_id=caller_id,
        reference=asked.reference,
        ring_timeout=asked.ring_timeout,
        answer_timeout=asked.answer_timeout,
        devices=user.devices,
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


def _originate(new: NewOrigination, account: str, directory: Directory, deadline_epoch: int) -> OriginateRequest:
    return OriginateRequest(
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


def _refuse_unsafe(action: OriginateRequest) -> None:
    """What must not reach Asterisk is refused before anything is reserved."""
    try:
        originate.headers(action)
        originate.variables(action)
    except UnsafeValue as error:
        raise invalid([Fault(f"/{error.field}", "unsafe_value", f"The {error.field} {error.reason}.")]) from None


async def _reserve(context: ApiContext, caller: Caller, directory: Directory, new: NewOrigination) -> PlacedCall | None:
    """Commits the origination; gives the first one instead where another request was faster with the same key.

    Raises: Problem 409, 429.
    """
    limits = directory.outbound
    # A transaction of its own: one who died while waiting for the account's lock has reserved nothing.
    async with context.pool.acquire() as connection, connection.transaction():
        reservation = await originations.reserve(connection, caller.account, new, limits)
    if reservation.reserved:
        return None
    if reservation.placed_before and new.idempotency_key is not None:
        first = await originations.by_key(context.pool, caller.account, new.idempotency_key, new.created_at)
        if first is None:
            raise _in_progress()  # Withdrawn this moment: its key is free.
        return first
    over: tuple[ProblemCode, int] = (
        ("too_many_calls_per_minute", 60)
        if reservation.usage.last_minute >= limits.calls_per_minute
        else ("too_many_simultaneous_calls", 10)
    )
    code, seconds = over
    await _note_refusal(context, caller, code, new.destination)
    raise Problem(429, code, "The account's limit is reached.", headers={"Retry-After": str(seconds)})


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
