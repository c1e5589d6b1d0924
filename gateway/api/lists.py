"""The four lists of calls: envelope and paging; the rows are the fold's own documents."""

import json

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import Caller, Handler
from gateway.api.context import context_of
from gateway.api.directory_of import directory_of
from gateway.api.parameters import ListParameters, read
from gateway.store import directories, listings


def rows_of(kind: listings.Kind, model: type[ListParameters]) -> Handler:
    """`GET /v1/calls` and its like."""

    async def handler(request: Request, caller: Caller) -> Response:
        context = context_of(request)
        directory = await directory_of(context, caller)
        known = await directories.users_ever(context.pool, caller.account)
        asked, wanted = read(model, request.query_params, directory, known)
        page = await listings.page(
            context.pool,
            kind,
            caller.account,
            wanted,
            asked.sort,
            asked.offset,
            asked.limit,
            total=asked.include == "total",
        )
        headers = _link_to_next(request, asked) if page.has_more else {}
        return Response(_envelope(page), media_type="application/json", headers=headers)

    return handler


def _envelope(page: listings.Page) -> str:
    about: dict[str, object] = {
        "has_more": page.has_more,
        "next_cursor": None,
        "as_of": page.freshness.as_of,
        "settled_until": page.freshness.settled_until,
        "open_calls": page.freshness.open_calls,
    }
    if page.total is not None:
        about["total"] = page.total
    return f'{{"data":[{",".join(page.rows)}],{json.dumps(about)[1:]}'


def _link_to_next(request: Request, asked: ListParameters) -> dict[str, str]:
    following = request.url.include_query_params(offset=asked.offset + asked.limit, limit=asked.limit)
    return {"Link": f'<{following}>; rel="next"'}
