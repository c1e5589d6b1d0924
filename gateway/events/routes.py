"""The routes of events: the log, and the webhooks that are told of it."""

import json
import secrets
from typing import Annotated, Any, TypeAlias

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.api.auth import Caller, needs
from gateway.api.bodies import read_body
from gateway.api.context import context_of
from gateway.api.parameters import validated
from gateway.api.problems import Fault, Problem, invalid, not_found
from gateway.calls.instant import datetime_text
from gateway.events.envelope import event_text
from gateway.events.event_types import EVENT_TYPES
from gateway.events.secrets import SecretBox, new_secret
from gateway.store import audit, event_log, webhooks

DELIVERIES_SHOWN = 100
MOST_SEQUENCE = 2**63 - 1
MOST_WEBHOOKS = 100
"""Each event is written once for each of them; those who ask at the same moment may pass it by a few."""


def webhook_routes(box: SecretBox) -> list[BaseRoute]:
    """`/v1/events` and `/v1/webhooks`. `box` seals the secrets of new endpoints."""

    async def create(request: Request, caller: Caller) -> Response:
        return await create_webhook(request, caller, box)

    scope = "webhooks:write"
    one = "/v1/webhooks/{id}"
    return [
        Route("/v1/events", needs("events:read", list_events, query=EventParameters), methods=["GET"]),
        Route("/v1/webhooks", needs(scope, list_webhooks), methods=["GET"]),
        Route("/v1/webhooks", needs(scope, create, body=NewWebhook), methods=["POST"]),
        Route(one, needs(scope, get_webhook), methods=["GET"]),
        Route(one, needs(scope, change_webhook, body=WebhookChange), methods=["PATCH"]),
        Route(one, needs(scope, delete_webhook), methods=["DELETE"]),
        Route(one + "/deliveries", needs(scope, list_deliveries), methods=["GET"]),
    ]


def _endpoint_url(text: str) -> str:
    """An absolute http(s) URL without credentials. Whether its address may be reached is judged at each connect."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise PydanticCustomError("invalid_url", "This is no URL.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise PydanticCustomError("invalid_url", "The URL must begin with https:// or http:// and name a host.")
    if url.port is not None and not 0 < url.port < 65_536:
        raise PydanticCustomError("invalid_url", "There is no such port.")
    if url.userinfo or url.fragment:
        raise PydanticCustomError("invalid_url", "The URL may hold neither credentials nor a fragment.")
    return text


def _known_type(text: str) -> str:
    if text not in EVENT_TYPES:
        raise PydanticCustomError("unknown_event_type", "There is no such event type.")
    return text


EndpointUrl: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"pattern": "^https?://"}),
    AfterValidator(_endpoint_url),
]
EventType: TypeAlias = Annotated[str, AfterValidator(_known_type), Field(json_schema_extra={"enum": [*EVENT_TYPES]})]
EventTypes: TypeAlias = Annotated[list[EventType], Field(max_length=len(EVENT_TYPES))]


class NewWebhook(BaseModel):
    """`event_types` empty: all."""

    model_config = ConfigDict(extra="forbid")

    url: EndpointUrl
    event_types: EventTypes = []


def _something_and_no_null(schema: dict[str, Any]) -> None:
    """That a field may be left out is not that it may be null."""
    schema["minProperties"] = 1
    for name, field in schema["properties"].items():
        (schema["properties"][name],) = [kind for kind in field["anyOf"] if kind != {"type": "null"}]


class WebhookChange(BaseModel):
    """What is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_something_and_no_null)

    url: EndpointUrl | None = None
    event_types: EventTypes | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "WebhookChange":
        if not self.model_fields_set or any(getattr(self, name) is None for name in self.model_fields_set):
            raise PydanticCustomError("nothing_to_change", "Send url, event_types or enabled, none of them null.")
        return self


class EventParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=MOST_SEQUENCE)
    limit: int = Field(100, ge=1, le=1000)
    type: EventTypes = []


async def list_events(request: Request, caller: Caller) -> Response:
    """`GET /v1/events?after=<sequence>&limit=&type=`: in order of sequence; `type` may be repeated."""
    faults: list[Fault] = []
    asked = validated(EventParameters, request.query_params, ("type",), faults)
    if asked is None:
        raise invalid(faults)
    pool = context_of(request).pool
    events = await event_log.after(pool, caller.account, asked.after, asked.limit + 1, asked.type)
    shown = events[: asked.limit]
    about = {
        "has_more": len(events) > asked.limit,
        "last_sequence": shown[-1].sequence if shown else asked.after,
    }
    data = ",".join(event_text(event.id, event) for event in shown)
    return Response(f'{{"data":[{data}],{json.dumps(about)[1:]}', media_type="application/json")


async def list_webhooks(request: Request, caller: Caller) -> Response:
    """`GET /v1/webhooks`."""
    found = await webhooks.list_webhooks(context_of(request).pool, caller.account)
    return JSONResponse({"data": [_document(one) for one in found]})


async def create_webhook(request: Request, caller: Caller, box: SecretBox) -> Response:
    """`POST /v1/webhooks`: the answer alone holds the secret."""
    wanted = await read_body(request, NewWebhook)
    pool = context_of(request).pool
    webhook_id = f"wh_{secrets.token_hex(8)}"
    secret = new_secret()
    async with pool.acquire() as connection, connection.transaction():
        if await webhooks.count(connection, caller.account) >= MOST_WEBHOOKS:
            raise Problem(409, "too_many_webhooks", f"The account has {MOST_WEBHOOKS} webhooks: delete some.")
        await webhooks.create(
            connection, caller.account, webhook_id, wanted.url, box.seal(secret), sorted(set(wanted.event_types))
        )
        await audit.record(connection, caller.account, caller.actor, "webhook.created", webhook_id, caller.ip)
    made = await webhooks.get(pool, caller.account, webhook_id)
    if made is None:
        raise not_found()
    return JSONResponse(
        _document(made) | {"secret": secret},
        201,
        {"Location": f"/v1/webhooks/{webhook_id}", "Cache-Control": "no-store"},
    )


async def get_webhook(request: Request, caller: Caller) -> Response:
    """`GET /v1/webhooks/{id}`."""
    return JSONResponse(_document(await _find(request, caller)))


async def change_webhook(request: Request, caller: Caller) -> Response:
    """`PATCH /v1/webhooks/{id}`."""
    change = await read_body(request, WebhookChange)
    async with context_of(request).pool.acquire() as connection, connection.transaction():
        changed = await webhooks.update(
            connection,
            caller.account,
            request.path_params["id"],
            url=change.url,
            event_types=None if change.event_types is None else sorted(set(change.event_types)),
            enabled=change.enabled,
        )
        if changed is None:
            raise not_found()
        await audit.record(connection, caller.account, caller.actor, "webhook.changed", changed.id, caller.ip)
    return JSONResponse(_document(changed))


async def delete_webhook(request: Request, caller: Caller) -> Response:
    """`DELETE /v1/webhooks/{id}`."""
    webhook_id = request.path_params["id"]
    async with context_of(request).pool.acquire() as connection, connection.transaction():
        if not await webhooks.delete(connection, caller.account, webhook_id):
            raise not_found()
        await audit.record(connection, caller.account, caller.actor, "webhook.deleted", webhook_id, caller.ip)
    return Response(status_code=204)


async def list_deliveries(request: Request, caller: Caller) -> Response:
    """`GET /v1/webhooks/{id}/deliveries`: the youngest, youngest first."""
    endpoint = await _find(request, caller)
    found = await webhooks.list_deliveries(context_of(request).pool, caller.account, endpoint.id, DELIVERIES_SHOWN)
    return JSONResponse({"data": [_delivery_document(one) for one in found]})


async def _find(request: Request, caller: Caller) -> webhooks.Webhook:
    """Raises: Problem 404, for another account's endpoint as well."""
    found = await webhooks.get(context_of(request).pool, caller.account, request.path_params["id"])
    if found is None:
        raise not_found()
    return found


def _document(webhook: webhooks.Webhook) -> dict[str, object]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "event_types": list(webhook.event_types),
        "enabled": webhook.enabled,
        "created_at": datetime_text(webhook.created_at),
    }


def _delivery_document(delivery: webhooks.DeliveryState) -> dict[str, object]:
    pending = delivery.state == "pending"
    return {
        "event_id": delivery.event_id,
        "sequence": delivery.sequence,
        "type": delivery.type,
        "state": delivery.state,
        "tries": delivery.tries,
        "next_try_at": datetime_text(delivery.next_try_at) if pending else None,
        "status": delivery.last_status,
        "error": delivery.last_error,
        "latency_ms": delivery.last_latency_ms,
        "delivered_at": None if delivery.delivered_at is None else datetime_text(delivery.delivered_at),
    }
