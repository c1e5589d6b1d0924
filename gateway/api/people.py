"""Who is who, as the account's directory says, and what they do now, as far as Asterisk can be asked.

What it cannot be asked is null: all that is live while Asterisk is away, or where the account is on other
nodes than this gateway's.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller
from gateway.api.context import context_of
from gateway.api.directory_of import directory_of
from gateway.api.directory_page import DirectoryPage
from gateway.asterisk.devices import DeviceState
from gateway.asterisk.live import Live
from gateway.asterisk.queues import Member, Queue, Waiting
from gateway.calls.directory import Directory, Group, User
from gateway.numbering import to_e164
from gateway.store import directories, open_calls

Presence: TypeAlias = Literal["available", "ringing", "in_call", "offline"]
States: TypeAlias = Mapping[str, DeviceState | None]

# The first that any of a user's devices shows.
PRESENCE: tuple[tuple[DeviceState, Presence], ...] = (
    ("in_use", "in_call"),
    ("ringing", "ringing"),
    ("registered", "available"),
    ("unreachable", "offline"),
)


async def list_users(request: Request, caller: Caller) -> Response:
    """`GET /v1/users`."""
    directory = await directory_of(context_of(request), caller)
    page = DirectoryPage(request, directory.users)
    live = await live_of(request, directory).devices()
    rows = [_user(user, live.shown if live else None) for user in page.items]
    return page.answer(rows, live.at if live else None)


async def list_ring_groups(request: Request, caller: Caller) -> Response:
    """`GET /v1/ring-groups`."""
    directory = await directory_of(context_of(request), caller)
    page = DirectoryPage(request, directory.ring_groups)
    live = await live_of(request, directory).devices()
    users = {user.number: user for user in directory.users}
    rows = [_ring_group(group, users, live.shown if live else None) for group in page.items]
    return page.answer(rows, live.at if live else None)


async def list_numbers(request: Request, caller: Caller) -> Response:
    """`GET /v1/numbers`."""
    directory = await directory_of(context_of(request), caller)
    page = DirectoryPage(request, directory.numbers)
    return page.answer([{"number": number} for number in page.items])


async def list_queues(request: Request, caller: Caller) -> Response:
    """`GET /v1/queues`. What is live of a queue that another account has too is nobody's to see."""
    context = context_of(request)
    directory = await directory_of(context, caller)
    page = DirectoryPage(request, directory.queues)
    live = await live_of(request, directory).queues()
    if live is None:
        return page.answer([_queue(queue, None, {}, {}, directory) for queue in page.items])
    of_others = await directories.queues_of_others(context.pool, caller.account, context.node)
    shown = {queue.name: live.shown.get(queue.name) for queue in page.items if queue.name not in of_others}
    waiting = [one.unique_id for queue in shown.values() if queue for one in queue.waiting]
    calls = await open_calls.by_linked_id(context.pool, caller.account, waiting)
    users = {device: user for user in directory.users for device in user.devices}
    rows = [_queue(queue, shown.get(queue.name), users, calls, directory) for queue in page.items]
    return page.answer(rows, live.at)


def presence(devices: Sequence[str], states: States) -> Presence | None:
    """Of a user with these devices; None where nothing is known of any."""
    if not devices:
        return "offline"
    found = {state_of(device, states) for device in devices}
    return next((presence for state, presence in PRESENCE if state in found), None)


def state_of(device: str, states: States) -> DeviceState | None:
    """Asterisk tells of every endpoint that it has."""
    return states.get(device, "unreachable")


def live_of(request: Request, directory: Directory) -> Live:
    """Under the names of this account's devices and queues, another node has somebody else's: it is not asked."""
    live = request.app.state.live if directories.is_on(directory, context_of(request).node) else Live(None)
    assert isinstance(live, Live)
    return live


def _user(user: User, states: States | None) -> dict[str, object]:
    return _ref(user) | {
        "email": user.email,
        "external_id": user.external_id,
        "caller_id": user.caller_id,
        "devices": [
            {"device": device, "state": None if states is None else state_of(device, states)} for device in user.devices
        ],
        "presence": None if states is None else presence(user.devices, states),
    }


def _ring_group(group: Group, users: Mapping[str, User], states: States | None) -> dict[str, object]:
    known = None if group.members is None else [users[number] for number in group.members if number in users]
    return {
        "number": group.number,
        "name": group.name,
        "members": known
        and [
            {"user": _ref(user), "presence": None if states is None else presence(user.devices, states)}
            for user in known
        ],
    }


def _queue(
    group: Group, queue: Queue | None, users: Mapping[str, User], calls: Mapping[str, str], directory: Directory
) -> dict[str, object]:
    return {
        "number": group.number,
        "name": group.name,
        "members": queue and [_member(member, users.get(member.device)) for member in queue.members],
        "waiting": queue and [_waiting(one, calls, directory.country) for one in queue.waiting],
    }


def _member(member: Member, user: User | None) -> dict[str, object]:
    return {
        "user": user and _ref(user),
        "name": member.name,
        "device": member.device,
        "state": member.state,
        "paused": member.paused,
    }


def _waiting(one: Waiting, calls: Mapping[str, str], country: str) -> dict[str, object]:
    number = one.caller_number
    return {
        "position": one.position,
        "call_id": calls.get(one.unique_id),
        "caller_id": number and (to_e164(number, country) or number),
        "caller_name": one.caller_name,
        "wait_duration": one.wait_seconds,
    }


def _ref(user: User) -> dict[str, object]:
    return {"id": user.id, "number": user.number, "name": user.name}
