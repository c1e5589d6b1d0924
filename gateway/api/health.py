"""Whether the gateway lives, is ready, and what it knows of its parts."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api import moments
from gateway.api.auth import Caller
from gateway.api.context import ApiContext, context_of
from gateway.api.problems import DATABASE_AWAY
from gateway.store import audited, listings, settled
from gateway.store.settled import SourceState

READY_TIMEOUT_SECONDS = 2.0


async def healthz(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Ready with a database and, where this process keeps records, a running ingest or one that stands by.

    Records can be read while Asterisk is away: the body says so, and no more.
    """
    context = context_of(request)
    database = await _database_answers(context)
    ready = database and _ingest_runs(context)
    return JSONResponse(
        {
            "status": "ready" if ready else "not_ready",
            "database": database,
            "asterisk": asterisk_connected(context),
        },
        200 if ready else 503,
        None if ready else {"Retry-After": "5"},
    )


async def status(request: Request, caller: Caller) -> Response:
    """`GET /v1/status`: any process tells how far the source was read; one that reads it, how it does."""
    context = context_of(request)
    freshness = await listings.freshness(context.pool, caller.account)
    told = context.status()
    return JSONResponse(
        dict(told)
        | {
            "source": _source(await settled.source_state(context.pool, context.node), told.get("source")),
            "node": context.node,
            "asterisk_connected": asterisk_connected(context),
            "open_calls": freshness.open_calls,
            "as_of": moments.told(freshness.as_of),
            "settled_until": freshness.settled_until and moments.told(freshness.settled_until),
            "last_audit": await audited.last_digest(context.pool, caller.account),
        }
    )


def _source(stored: SourceState, own: object) -> dict[str, object]:
    """`own`: what this process tells, whose figures since it started may still be None."""
    known = {
        "read_until": stored.read_until and moments.told(stored.read_until),
        "last_commit_at": stored.last_commit_at and moments.told(stored.last_commit_at),
        "unowned_calls": stored.unowned_calls,
    }
    mine = own if isinstance(own, Mapping) else {}
    told = known | {name: value for name, value in mine.items() if value is not None or name not in known}
    return told | {"lag": stored.lag_seconds}


def asterisk_connected(context: ApiContext) -> bool:
    return context.ami is not None and context.ami.connected


def _ingest_runs(context: ApiContext) -> bool:
    source = context.status().get("source")
    return not isinstance(source, Mapping) or bool(source.get("running")) or source.get("role") == "standby"


async def _database_answers(context: ApiContext) -> bool:
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await context.pool.fetchval("select 1")
    except DATABASE_AWAY:
        return False
    return True
