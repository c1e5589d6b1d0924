"""How a call's record came about: what Asterisk told, what was told of it, and who asked for it, in order of time."""

import json
from collections.abc import Iterator
from heapq import merge
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api import moments
from gateway.api.auth import Caller
from gateway.api.calls import find_call
from gateway.api.context import context_of
from gateway.calls.instant import to_text
from gateway.calls.rows import CelRow, ClockStep, Gap, QueueRow, Row
from gateway.store import originations, timeline
from gateway.store.event_log import LoggedEvent
from gateway.store.originations import PlacedCall


async def get_timeline(request: Request, caller: Caller) -> Response:
    """`GET /v1/calls/{id}/timeline`."""
    call = await find_call(request, caller)
    call_id = UUID(call.id)
    async with context_of(request).pool.acquire() as connection:
        placed = await originations.by_id(connection, caller.account, call_id)
        found = await timeline.rows_of(connection, caller.account, call_id)
        events = await timeline.events_of(connection, caller.account, call_id)
        rows = found.rows if found else []
        named = {endpoint for row in rows for endpoint in _endpoints(row)}
        of_others = await timeline.of_others(connection, caller.account, call.node, named)
    told = [entry for row in rows for entry in _of_row(row, of_others)]
    # Texts of one form order as their times do; what is of one moment stays as it is: rows, then what they led to.
    entries = merge([_placed(placed)] if placed else [], told, [_of_event(event) for event in events], key=_at)
    return JSONResponse({"id": call.id, "rows_complete": found is None or found.all_kept, "data": list(entries)})


def _at(entry: dict[str, Any]) -> str:
    at: str = entry["at"]
    return at


def _placed(call: PlacedCall) -> dict[str, Any]:
    return {
        "at": moments.told(call.created_at),
        "kind": "placed",
        "user": {"id": call.user_id, "number": call.user_number, "name": call.user_name},
        "to": call.destination,
        "caller_id": call.caller_id,
        "reference": call.reference,
    }


def _of_event(event: LoggedEvent) -> dict[str, Any]:
    return {
        "at": moments.told(event.occurred_at),
        "kind": "event",
        "id": event.id,
        "sequence": event.sequence,
        "type": event.type,
        "data": json.loads(event.data),
    }


def _of_row(row: Row, of_others: frozenset[str]) -> Iterator[dict[str, Any]]:
    match row:
        case CelRow():
            yield {"at": to_text(row.at), "kind": "row", "event": row.event} | _of_channel(row, of_others)
        case QueueRow():
            yield {
                "at": to_text(row.at),
                "kind": "queue",
                "event": row.event,
                "unique_id": row.unique_id,
                "queue": row.queue,
                "member": row.member or None,
                "position": row.position,
                "original_position": row.original_position,
            }
        case Gap():
            yield {"at": to_text(row.at), "kind": "gap"}
        case ClockStep():
            yield {"at": to_text(row.at), "kind": "clock_step"}


def _of_channel(row: CelRow, of_others: frozenset[str]) -> dict[str, Any]:
    """Without applications' arguments, which may be PINs, and without what names another account's endpoints."""
    theirs = _endpoint(row.channel) in of_others
    peers = [peer for peer in row.peer.split(",") if peer and _endpoint(peer) not in of_others]
    extra = {name: value for name, value in row.extra.items() if _endpoint(value) not in of_others}
    return {
        "unique_id": row.unique_id,
        "linked_id": row.linked_id,
        "channel": None if theirs else row.channel,
        "caller": {
            "number": None if theirs else row.caller_number or None,
            "name": None if theirs else row.caller_name or None,
        },
        "extension": None if theirs else row.exten or None,
        "application": row.app or None,
        "peers": peers,
        "user_event": row.user_type or None,
        "extra": {} if theirs else extra,
    }


def _endpoints(row: Row) -> Iterator[str]:
    if isinstance(row, CelRow):
        yield from map(_endpoint, (row.channel, *row.peer.split(","), *row.extra.values()))


def _endpoint(channel: str) -> str:
    """`PJSIP/101-desk` of `PJSIP/101-desk-0000002a`."""
    return channel.rsplit("-", 1)[0]
