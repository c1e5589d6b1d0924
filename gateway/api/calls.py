"""One call: as recorded; before Asterisk has told of it, as it was asked for; and ending it."""

import asyncio
from datetime import timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller
from gateway.api.context import CallSession, context_of
from gateway.api.problems import Problem, not_found, unavailable
from gateway.asterisk import calls_control
from gateway.asterisk.errors import AmiError
from gateway.calls.document import call_text
from gateway.calls.instant import from_datetime
from gateway.calls.record import Callee, CallRecord, Origin, UserRef
from gateway.calls.record import Caller as CallingParty
from gateway.store import audit, listings, originations
from gateway.store.originations import PlacedCall

ASK_AGAIN_SECONDS = 0.2


async def get_call(request: Request, caller: Caller) -> Response:
    """`GET /v1/calls/{id}`."""
    found = await find_call(request, caller)
    return json_text(found.document)


async def hang_up(request: Request, caller: Caller) -> Response:
    """`POST /v1/calls/{id}/hangup`: 202 for an open call, 200 for one that is over."""
    context = context_of(request)
    found = await find_call(request, caller)
    if found.ended:
        return json_text(found.document)
    if found.node != context.node:
        raise Problem(409, "other_node", f"The call is on node {found.node}: ask its gateway.")
    session = connected(context.ami)
    await audit.record(context.pool, caller.account, caller.actor, "call.hangup", found.id, caller.ip)
    try:
        found = await _hung_up(request, caller, session, found)
    except AmiError:
        raise unavailable("asterisk_unavailable", "Asterisk did not confirm the hangup; ask again.") from None
    return json_text(found.document, 200 if found.ended else 202)


async def _hung_up(
    request: Request, caller: Caller, session: CallSession, call: listings.ListedCall
) -> listings.ListedCall:
    """The call once nobody is rung by it any more: its channels are hung up, or it is over, or it can get none.

    One that was placed may get its first channel until its deadline, which is waited for: 11 seconds at most.
    """
    pool = context_of(request).pool
    while not call.ended:
        left = await originations.may_begin_for(pool, caller.account, UUID(call.id))
        if await calls_control.hang_up(session, {*call.linked_ids, call.id}) or call.linked_ids or left <= timedelta():
            break
        await asyncio.sleep(ASK_AGAIN_SECONDS)
        call = await find_call(request, caller)
    return call


def connected(session: CallSession | None) -> CallSession:
    """Raises: Problem 503."""
    if session is None or not session.connected:
        raise unavailable("asterisk_unavailable", "Asterisk is not connected; nothing was done.")
    return session


def json_text(document: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(document, status, headers, media_type="application/json")


async def find_call(request: Request, caller: Caller) -> listings.ListedCall:
    """The call of the path. Raises: Problem 404, for another account's call as well."""
    pool = context_of(request).pool
    try:
        call_id = UUID(request.path_params["id"])
    except ValueError:
        raise not_found() from None
    found = await listings.call(pool, caller.account, call_id)
    if found is not None:
        return found
    placed = await originations.by_id(pool, caller.account, call_id)
    if placed is None:
        raise not_found()
    return listings.ListedCall(placed.id, placed.node, (), placed.failure is not None, as_asked_for(placed))


def as_asked_for(placed: PlacedCall) -> str:
    """The call's document before any channel was seen: queued, or failed where Asterisk refused it."""
    failed = placed.failure is not None
    user = UserRef(placed.user_id, placed.user_number, placed.user_name)
    created_at = from_datetime(placed.created_at)
    record = CallRecord(
        account=None,
        id=placed.id,
        node=placed.node,
        linked_ids=(),
        merged_ids=(),
        state="ended" if failed else "queued",
        direction="outbound" if placed.destination.startswith("+") else "internal",
        outcome="failed" if failed else None,
        caller=CallingParty(placed.user_number, placed.user_name, user),
        callee=Callee(placed.destination),
        answered_by=None,
        started_at=created_at,
        answered_at=None,
        ended_at=created_at if failed else None,
        duration_ms=0 if failed else None,
        ring_ms=0,
        talk_ms=0,
        hung_up_by="system" if failed else None,
        hangup_cause=None,
        end_reason=placed.failure,
        origin=Origin("click_to_call", user, placed.reference),
        attempts=(),
        visits=(),
        segments=(),
        voicemail=None,
        complete=True,
        settled=failed,
    )
    return listings.spliced(call_text(record), 1, placed.created_at)
