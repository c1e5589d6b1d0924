"""Whether a call could be placed now, and what would ring: asked of the same rules that place it, and rings nobody."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Caller
from gateway.api.call_limits import Limit, limits
from gateway.api.calls import connected
from gateway.api.context import ApiContext, context_of
from gateway.api.destinations import blocked
from gateway.api.directory_of import directory_of
from gateway.api.people import live_of, state_of
from gateway.api.placing import contacts_of, new_origination, originate_request, refuse_unreachable
from gateway.api.problems import Problem
from gateway.api.wanted_call import WantedCall, read_call, wanted_call
from gateway.asterisk.devices import DeviceState
from gateway.calls.directory import User
from gateway.store import originations


async def check_call(request: Request, caller: Caller) -> Response:
    """`POST /v1/calls/check`: 200 with every refusal. What cannot be asked for at any time is a fault here, too."""
    context = context_of(request)
    asked = await read_call(request, caller)
    directory = await directory_of(context, caller)
    wanted = wanted_call(directory, asked, context.node)
    originate_request(new_origination(context, caller, wanted, asked, None, b""), caller.account, directory, 1)
    usage = await originations.usage(context.pool, caller.account)
    of_account = limits(directory.outbound, usage)
    contacts, unreachable = await _contacts(context, wanted.user)
    reason = blocked(directory, wanted.to)
    refusals = [
        *([Problem(403, "destination_blocked", reason)] if reason else []),
        *([unreachable] if unreachable else []),
        *(limit.problem for limit in of_account if limit.reached),
    ]
    live = await live_of(request, directory).devices()
    return JSONResponse(
        {
            "placeable": not refusals,
            "refusals": [{"status": one.status, "code": one.code, "detail": one.detail} for one in refusals],
            "user": {"id": wanted.user.id, "number": wanted.user.number, "name": wanted.user.name},
            "to": wanted.to,
            "caller_ids": _caller_ids(wanted),
            "devices": [
                _device(device, None if live is None else state_of(device, live.shown), contacts)
                for device in wanted.user.devices
            ],
            "limits": [_limit(one) for one in of_account],
        }
    )


async def _contacts(context: ApiContext, user: User) -> tuple[Mapping[str, int] | None, Problem | None]:
    """Of each device, None where Asterisk cannot be asked; and what keeps the user from being rung."""
    try:
        contacts = await contacts_of(connected(context.ami), user)
    except Problem as problem:
        return None, problem
    try:
        refuse_unreachable(contacts)
    except Problem as problem:
        return contacts, problem
    return contacts, None


def _caller_ids(wanted: WantedCall) -> dict[str, str | None]:
    """What either side's screen shows: the user's the destination, the destination's a number, or who calls inside."""
    return {
        "user": wanted.to,
        "destination": wanted.caller_id or wanted.user.number,
        "destination_name": None if wanted.caller_id else wanted.user.name,
    }


def _device(device: str, state: DeviceState | None, contacts: Mapping[str, int] | None) -> dict[str, object]:
    """`contacts`: how many of its phones would ring."""
    return {"device": device, "state": state, "contacts": None if contacts is None else contacts.get(device, 0)}


def _limit(limit: Limit) -> dict[str, object]:
    return {"name": limit.name, "limit": limit.most, "used": limit.used, "reached": limit.reached}
