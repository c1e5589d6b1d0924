"""The account's keys: listed without their secrets, made, revoked. None gives what the one that asks lacks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Caller
from gateway.api.bodies import DateTime, Line, read_body
from gateway.api.context import context_of
from gateway.api.parameters import validated
from gateway.api.problems import Fault, Problem, invalid, not_found
from gateway.calls.instant import datetime_text
from gateway.store import audit, keys
from gateway.store.connection import Pool

MOST_LIVING_KEYS = 1000
"""So that nobody fills the table; those who ask at the same moment may pass it by a few."""

Scope: TypeAlias = Literal["calls:read", "calls:write", "events:read", "webhooks:write", "directory:read", "admin"]


def _to_come(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise PydanticCustomError("in_the_past", "This moment is over.")
    return moment


class KeyParameters(BaseModel):
    """`include=ended`: the revoked and expired too."""

    model_config = ConfigDict(extra="forbid")

    include: Literal["ended"] | None = None


class NewKey(BaseModel):
    """The body of `POST /v1/api-keys`. Without `expires_at` the key lives until it is revoked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Line
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(keys.SCOPES))]
    expires_at: Annotated[DateTime, AfterValidator(_to_come)] | None = None


async def list_keys(request: Request, caller: Caller) -> Response:
    """`GET /v1/api-keys`: oldest first."""
    faults: list[Fault] = []
    asked = validated(KeyParameters, request.query_params, (), faults)
    if asked is None:
        raise invalid(faults)
    found = await keys.list_keys(context_of(request).pool, caller.account, ended=asked.include == "ended")
    return JSONResponse({"data": [_document(key) for key in found]})


async def create_key(request: Request, caller: Caller) -> Response:
    """`POST /v1/api-keys`: the answer alone holds the key."""

    async def lacked(fields: Mapping[str, object]) -> list[Fault]:
        scopes, name = fields.get("scopes"), fields.get("name")
        if not isinstance(scopes, list):
            return []
        return await _refused(pool, caller, name if isinstance(name, str) else "", scopes)

    pool = context_of(request).pool
    wanted = await read_body(request, NewKey, lacked)
    faults = await _refused(pool, caller, wanted.name, wanted.scopes)
    if faults:
        raise Problem(403, "scope_not_held", "A key cannot give a scope that it lacks.", faults=faults)
    scopes = [scope for scope in keys.SCOPES if scope in wanted.scopes]
    async with pool.acquire() as connection, connection.transaction():
        if await keys.count_living(connection, caller.account) >= MOST_LIVING_KEYS:
            raise Problem(409, "too_many_keys", f"The account has {MOST_LIVING_KEYS} keys that live: revoke some.")
        key = await keys.create(connection, caller.account, wanted.name, scopes, wanted.expires_at)
        made = await keys.made(connection, key)
        details: dict[str, object] = {"name": made.name, "scopes": scopes, "expires_at": _moment(made.expires_at)}
        await audit.record(connection, caller.account, caller.actor, "key.created", made.id, caller.ip, details)
    return JSONResponse(
        {**_document(made), "key": key},
        201,
        {"Location": f"/v1/api-keys/{made.id}", "Cache-Control": "no-store"},
    )


async def _refused(pool: Pool, caller: Caller, name: str, scopes: Sequence[object]) -> list[Fault]:
    """Scopes that are not the caller's to give; the audit log hears of them. What is no scope is another fault."""
    lacking = {index: str(scope) for index, scope in enumerate(scopes) if _lacks(caller, scope)}
    if lacking:
        details: dict[str, object] = {"name": name, "scopes": list(lacking.values())}
        await audit.record(pool, caller.account, caller.actor, "key.not_created", name, caller.ip, details)
    return [
        Fault(f"/scopes/{index}", "scope_not_held", f"The key that asks lacks {scope}.")
        for index, scope in lacking.items()
    ]


def _lacks(caller: Caller, scope: object) -> bool:
    return scope in keys.SCOPES and scope not in caller.scopes


async def revoke_key(request: Request, caller: Caller) -> Response:
    """`DELETE /v1/api-keys/{id}`: the key opens nothing anywhere within a second."""
    key_id = request.path_params["id"]
    async with context_of(request).pool.acquire() as connection, connection.transaction():
        if not await keys.revoke(connection, key_id, caller.account):
            raise not_found()
        await audit.record(connection, caller.account, caller.actor, "key.revoked", key_id, caller.ip)
    return Response(status_code=204)


def _document(key: keys.ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
        "last_used_at": _moment(key.last_used_at),
        "last_used_ip": key.last_used_ip,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else datetime_text(moment)
