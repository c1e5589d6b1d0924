"""`GET /api/integration/v2/get-user-calls` and its like: the lists of `/v1`, under the hosted product's names."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import moments
from gateway.api.auth import Caller, Handler
from gateway.api.context import context_of
from gateway.api.directory_of import in_version
from gateway.api.drop_in import envelope
from gateway.api.drop_in.parameters import ReadParameters, read
from gateway.api.drop_in.rows import Row, of_text
from gateway.api.health import asterisk_connected
from gateway.store import listings
from gateway.store.list_query import Kind

ROWS_AT_ONCE = 500
"""Made into this form before others have their turn."""


def rows_of(kind: Kind, model: type[ReadParameters], shape: Callable[[Row], dict[str, Any]]) -> Handler:
    """The calls that are over, of one kind of row."""

    async def handler(request: Request, caller: Caller) -> Response:
        context = context_of(request)
        async with context.pool.acquire() as connection:
            opening = await listings.opening(connection, caller.account)
            known = await in_version(context, connection, opening.directory)
            asked, wanted = read(model, request.query_params, known)
            if wanted is None:
                return envelope.success([])
            if wanted.call_id is not None and (call := await listings.call(connection, caller.account, wanted.call_id)):
                wanted = replace(wanted, call_id=UUID(call.id))  # It may have merged.
            page = await listings.first_page(
                connection,
                opening.at,
                known.directory.nodes,
                kind,
                caller.account,
                wanted,
                asked.sort_by,
                asked.offset,
                asked.limit,
            )
        return envelope.success(await _shaped(page.rows, shape))

    return handler


async def _shaped(texts: list[str], shape: Callable[[Row], dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for start in range(0, len(texts), ROWS_AT_ONCE):
        rows += [of_text(shape, text) for text in texts[start : start + ROWS_AT_ONCE]]
        await asyncio.sleep(0)
    return rows


async def get_system_status(request: Request, caller: Caller) -> Response:
    """Whether the PBX answers, and how far the lists are final."""
    context = context_of(request)
    freshness = await listings.freshness(context.pool, caller.account)
    settled_until = freshness.settled_until
    return envelope.success(
        {
            "asterisk_connected": asterisk_connected(context),
            "open_calls": freshness.open_calls,
            "settled_until": "" if settled_until is None else moments.told(settled_until),
        }
    )
