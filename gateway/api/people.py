"""Who is who, as the account's directory says: users, queues, ring groups, numbers."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Caller
from gateway.api.context import ApiContext, context_of
from gateway.api.lists import directory_of
from gateway.asterisk import devices
from gateway.asterisk.errors import AmiError
from gateway.store.directories import is_on

PRESENCE = (
    ("ringing", {"RINGING", "RINGINUSE"}),
    ("in_call", {"INUSE", "ONHOLD", "BUSY"}),
    ("available", {"NOT_INUSE"}),
)


async def list_users(request: Request, caller: Caller) -> Response:
    """`GET /v1/users`. Device states and presence are null where the account's Asterisk cannot be asked."""
    context = context_of(request)
    directory = await directory_of(context, caller.account)
    states = await _states(context) if is_on(directory, context.node) else None
    return _data(
        [
            {
                "id": user.id,
                "number": user.number,
                "name": user.name,
                "email": user.email,
                "external_id": user.external_id,
                "caller_id": user.caller_id,
                "devices": [
                    {"device": device, "state": None if states is None else states.get(device, "UNKNOWN").lower()}
                    for device in user.devices
                ],
                "presence": None if states is None else _presence(user.devices, states),
            }
            for user in directory.users
        ]
    )


async def list_queues(request: Request, caller: Caller) -> Response:
    """`GET /v1/queues`."""
    directory = await directory_of(context_of(request), caller.account)
    return _data([{"number": queue.number, "name": queue.name} for queue in directory.queues])


async def list_ring_groups(request: Request, caller: Caller) -> Response:
    """`GET /v1/ring-groups`."""
    directory = await directory_of(context_of(request), caller.account)
    return _data([{"number": group.number, "name": group.name} for group in directory.ring_groups])


async def list_numbers(request: Request, caller: Caller) -> Response:
    """`GET /v1/numbers`."""
    directory = await directory_of(context_of(request), caller.account)
    return _data([{"number": number} for number in directory.numbers])


def _data(rows: list[dict[str, object]]) -> Response:
    return JSONResponse({"data": rows})


async def _states(context: ApiContext) -> Mapping[str, str] | None:
    if context.ami is None or not context.ami.connected:
        return None
    try:
        return await devices.states(context.ami)
    except AmiError:
        return None


def _presence(of_devices: tuple[str, ...], states: Mapping[str, str]) -> str:
    found = {states.get(device, "UNKNOWN") for device in of_devices}
    return next((presence for presence, meant in PRESENCE if found & meant), "offline")
