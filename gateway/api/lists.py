"""The four lists of calls: paging, form, and whether what a client has is still right; the rows are the fold's own."""

import hashlib
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import csv_rows, cursors, moments, next_page
from gateway.api.auth import Caller, Handler, is_let_in
from gateway.api.context import ApiContext, context_of
from gateway.api.directory_of import in_version
from gateway.api.formats import MEDIA_TYPES, Format, chosen
from gateway.api.openings import ReadOpening
from gateway.api.parameters import MOST_OFFSET, ListParameters, read
from gateway.api.problems import Fault, invalid
from gateway.api.streams import Stream
from gateway.store import listings
from gateway.store.connection import Connection
from gateway.store.list_query import Filter, Kind

ONE_PAGE = ("offset", "limit", "cursor", "include")
PAGING = frozenset({*ONE_PAGE, "format"})
"""What no cursor is bound to."""

CURSORS_OF_A_KEPT_PAGE = timedelta(hours=12)
"""How long a page that is asked for again may be said to be unchanged, if a cursor is in it."""


def rows_of(kind: Kind, model: type[ListParameters]) -> Handler:
    """`GET /v1/calls` and its like."""

    async def handler(request: Request, caller: Caller) -> Response:
        context, openings = context_of(request), request.app.state.openings
        form = chosen(_form_asked(request), request.headers.getlist("accept"))
        async with context.pool.acquire() as connection:
            recent: ReadOpening | None = openings.recent(caller.account)
            if recent is not None and form == "json":
                asked = _asked(request, form, kind, model, recent)
                if not asked.faults:
                    page = await _page(connection, recent, kind, caller.account, asked)
                    if page.directory == recent.version:
                        return _answer(request, kind, page, asked)
            opening = await _opening(context, connection, caller.account)
            openings.note(caller.account, opening)
            asked = _asked(request, form, kind, model, opening)
            if asked.faults:
                raise invalid(asked.faults)
            if form == "json":
                return _answer(request, kind, await _page(connection, opening, kind, caller.account, asked), asked)
        return await _whole(request, kind, caller, asked, form)

    return handler


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, if there are no `faults`; `walk`: where its cursor leads."""

    parameters: ListParameters
    wanted: Filter
    walk: listings.Walk | None
    faults: list[Fault]


async def _opening(context: ApiContext, connection: Connection, account: str) -> ReadOpening:
    """Raises: Problem 409."""
    opening = await listings.opening(connection, account)
    known = await in_version(context, connection, opening.directory)
    assert opening.directory is not None
    return ReadOpening(opening.at, opening.directory, known)


def _asked(request: Request, form: Format, kind: Kind, model: type[ListParameters], opening: ReadOpening) -> _Asked:
    faults: list[Fault] = []
    parameters, wanted = read(model, request.query_params, opening.known, faults)
    walk = _walk(request.query_params, form, kind, parameters, wanted, opening.at, faults)
    return _Asked(parameters, wanted, walk, faults)


def _form_asked(request: Request) -> Format | None:
    """What `format` says, if it can be read; that it cannot is told with all the other faults."""
    asked = request.query_params.get("format")
    return next((form for form in MEDIA_TYPES if form == asked), "json" if asked is not None else None)


def _walk(
    query: QueryParams,
    form: Format,
    kind: Kind,
    asked: ListParameters,
    wanted: Filter,
    at: datetime,
    faults: list[Fault],
) -> listings.Walk | None:
    """Where the cursor leads, if there is one. What does not go together makes `faults` grow, and a wrong cursor."""
    if form != "json":
        not_here = [name for name in ONE_PAGE if name in query]
        faults += [Fault(name, "not_with_format", f"{form} gives the whole range.") for name in not_here]
        return None
    readable = all(fault.where in PAGING or fault.code == "unknown_parameter" for fault in faults)
    if "cursor" in query and "offset" in query:
        faults.append(Fault("offset", "not_with_cursor", "A cursor says where to go on: there is no offset beside it."))
    if asked.cursor is None:
        return None
    try:
        if readable:
            return cursors.read(asked.cursor, kind, asked.sort, wanted, at)
        cursors.check(asked.cursor, kind, at)
    except cursors.Unusable as error:
        faults.append(Fault("cursor", error.code, str(error)))
    return None


async def _page(connection: Connection, opening: ReadOpening, kind: Kind, account: str, asked: _Asked) -> listings.Page:
    parameters, wanted = asked.parameters, asked.wanted
    sort, limit, total = parameters.sort, parameters.limit, parameters.include == "total"
    if asked.walk is not None:
        return await listings.next_page(connection, asked.walk, kind, account, wanted, sort, limit, total=total)
    nodes, offset = opening.known.directory.nodes, parameters.offset
    return await listings.first_page(
        connection, opening.at, nodes, kind, account, wanted, sort, offset, limit, total=total
    )


def _answer(request: Request, kind: Kind, page: listings.Page, asked: _Asked) -> Response:
    parameters, wanted = asked.parameters, asked.wanted
    cursor = None if page.next is None else cursors.write(page.next, kind, parameters.sort, wanted)
    about: dict[str, object] = {
        "has_more": cursor is not None,
        "next_cursor": cursor,
        "as_of": moments.told(page.freshness.as_of),
        "settled_until": _told(page.freshness.settled_until),
        "open_calls": page.freshness.open_calls,
    }
    if page.total is not None:
        about["total"] = page.total
    headers = {"Vary": "Accept"}
    if cursor is not None:
        headers |= _next(request, parameters, cursor)
    rows = ",".join(page.rows)
    if parameters.cursor is None and _is_closed(page.freshness, wanted):
        headers |= {"ETag": _tag(page, rows), "Cache-Control": "private, no-cache"}
        if _has(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    return Response(f'{{"data":[{rows}],{json.dumps(about)[1:]}', 200, headers, "application/json")


def _next(request: Request, asked: ListParameters, cursor: str) -> dict[str, str]:
    """Who counts goes on counting, as far as that goes; who does not is led by the cursor."""
    further = asked.offset + asked.limit
    if "offset" in asked.model_fields_set and further <= MOST_OFFSET:
        return next_page.link(request, offset=further, limit=asked.limit)
    return next_page.link(request, offset=None, cursor=cursor)


def _is_closed(freshness: listings.Freshness, wanted: Filter) -> bool:
    """Whether all calls that began in this time are over and here: what follows can only be an amendment."""
    until, settled_until, oldest_open = wanted.until, freshness.settled_until, freshness.oldest_open
    if until is None or settled_until is None or until > settled_until:
        return False
    return oldest_open is None or oldest_open >= until


def _tag(page: listings.Page, rows: str) -> str:
    """Weak, as the freshness beside the rows does not count. Rows bear their own revision and time."""
    until = "" if page.next is None else str(page.freshness.as_of.timestamp() // CURSORS_OF_A_KEPT_PAGE.total_seconds())
    return f'W/"{hashlib.sha256(f"{page.total} {until} {rows}".encode()).hexdigest()[:32]}"'


def _has(request: Request, tag: str) -> bool:
    known = [one.strip() for value in request.headers.getlist("if-none-match") for one in value.split(",")]
    return "*" in known or tag.removeprefix("W/") in (one.removeprefix("W/") for one in known)


async def _whole(request: Request, kind: Kind, caller: Caller, asked: _Asked, form: Format) -> Response:
    """The whole range as a stream. Its first rows are read before anything is said, so that a fault can be told."""
    async with AsyncExitStack() as stack:
        stack.enter_context(request.app.state.exports.one_more(caller.account))
        whole = listings.whole(context_of(request).pool, kind, caller.account, asked.wanted, asked.parameters.sort)
        freshness, batches = await stack.enter_async_context(whole)
        first = await anext(batches, None)
        headers = {
            "Vary": "Accept",
            "X-As-Of": moments.told(freshness.as_of),
            "X-Settled-Until": _told(freshness.settled_until) or "",
            "Content-Disposition": f'attachment; filename="{kind.replace("_", "-")}.{form}"',
        }
        write = csv_rows.Writer(kind) if form == "csv" else JsonLines()
        let_in = partial(is_let_in, request, caller)
        return Stream(write, first, batches, stack.pop_all(), let_in, MEDIA_TYPES[form], headers)
    raise AssertionError("unreachable")


class JsonLines:
    """A row a line; the last says that it is the last, and how many there were."""

    head = ""

    def __init__(self) -> None:
        self._rows = 0

    def lines(self, rows: list[str]) -> str:
        self._rows += len(rows)
        return "".join(f"{row}\n" for row in rows)

    def foot(self) -> str:
        return json.dumps({"end": True, "rows": self._rows}) + "\n"


def _told(moment: datetime | None) -> str | None:
    return None if moment is None else moments.told(moment)
