"""What the OpenAPI document says of each operation beyond what its models say themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from gateway.api.answers import access, calls, events, people, placing, service, timeline

WHOLE_RANGE = ("text/csv", "application/x-ndjson")


@dataclass(frozen=True, slots=True)
class Documented:
    """`answers`: the model of each status, None where there is no body; the usual one first, which is the one that
    some generated clients know. `problems`: the errors that are its own.

    `also`: in which other forms a page's rows leave. `parameters`, `body`: examples, which the tests send.
    `leads_to`: the ids of the operations whose path is completed by what the usual answer holds.
    `headers`: of each status, those that not every answer of its kind has.
    """

    id: str
    tag: str
    summary: str
    answers: Mapping[int, type[BaseModel] | None]
    problems: tuple[int, ...] = ()
    also: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    idempotent: bool = False
    leads_to: tuple[str, ...] = ()
    headers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


_LIST = {
    200: ("Vary", "Link", "ETag", "X-As-Of", "X-Settled-Until", "Content-Disposition"),
    304: ("Vary", "Link", "ETag"),
}
_PAGE = {200: ("Link",)}
_MADE = {201: ("Location",)}
_NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30", "limit": 30}

DOCUMENTED: dict[tuple[str, str], Documented] = {
    ("GET", "/v1/calls"): Documented(
        "list_calls",
        "Calls",
        "Calls, one row each",
        {200: calls.CallPage, 304: None},
        (406, 409),
        WHOLE_RANGE,
        {**_NOVEMBER, "outcome": "answered"},
        headers=_LIST,
    ),
    ("GET", "/v1/user-calls"): Documented(
        "list_user_calls",
        "Calls",
        "Calls, one row for each user who took part",
        {200: calls.UserCallPage, 304: None},
        (406, 409),
        WHOLE_RANGE,
        {**_NOVEMBER, "type": "user_inbound_missed"},
        headers=_LIST,
    ),
    ("GET", "/v1/queue-calls"): Documented(
        "list_queue_calls",
        "Calls",
        "Visits of callers to queues",
        {200: calls.QueueCallPage, 304: None},
        (406, 409),
        WHOLE_RANGE,
        {**_NOVEMBER, "status": "abandoned"},
        headers=_LIST,
    ),
    ("GET", "/v1/ring-group-calls"): Documented(
        "list_ring_group_calls",
        "Calls",
        "Visits of callers to ring groups",
        {200: calls.RingGroupCallPage, 304: None},
        (406, 409),
        WHOLE_RANGE,
        {**_NOVEMBER, "status": "no_answer"},
        headers=_LIST,
    ),
    ("GET", "/v1/calls/{id}"): Documented("get_call", "Calls", "The whole call", {200: calls.Call}),
    ("GET", "/v1/calls/{id}/timeline"): Documented(
        "get_timeline",
        "Calls",
        "What Asterisk told of the call, and what was told of it, in order",
        {200: timeline.Timeline},
    ),
    ("POST", "/v1/calls"): Documented(
        "place_call",
        "Placing calls",
        "Ring a user's devices, then the destination",
        {202: calls.Call},
        (409,),
        body={"user": "101", "to": "+61255501234", "reference": "crm-4711"},
        idempotent=True,
        leads_to=("get_call", "get_timeline", "hang_up"),
        headers={202: ("Location", "Idempotent-Replayed"), 409: ("Retry-After",)},
    ),
    ("POST", "/v1/calls/check"): Documented(
        "check_call",
        "Placing calls",
        "Whether a call could be placed now, and what would ring; nobody is rung",
        {200: placing.CallCheck},
        (409,),
        body={"user": "101", "to": "+61255501234"},
    ),
    ("POST", "/v1/calls/{id}/hangup"): Documented(
        "hang_up", "Placing calls", "End an open call", {202: calls.Call, 200: calls.Call}, (409,)
    ),
    ("GET", "/v1/users"): Documented(
        "list_users", "Directory", "Users, with each device's state now", {200: people.UserPage}, (409,), headers=_PAGE
    ),
    ("GET", "/v1/queues"): Documented(
        "list_queues",
        "Directory",
        "Queues, who is in them and who waits",
        {200: people.QueuePage},
        (409,),
        headers=_PAGE,
    ),
    ("GET", "/v1/ring-groups"): Documented(
        "list_ring_groups",
        "Directory",
        "Ring groups and their members",
        {200: people.RingGroupPage},
        (409,),
        headers=_PAGE,
    ),
    ("GET", "/v1/numbers"): Documented(
        "list_numbers", "Directory", "The account's public numbers", {200: people.NumberPage}, (409,), headers=_PAGE
    ),
    ("GET", "/v1/api-keys"): Documented("list_keys", "Access", "Keys, without their secrets", {200: access.KeyList}),
    ("POST", "/v1/api-keys"): Documented(
        "create_key",
        "Access",
        "Make a key, which is shown this once",
        {201: access.MadeKey},
        (409,),
        body={"name": "CRM", "scopes": ["calls:read", "calls:write"]},
        leads_to=("revoke_key",),
        headers=_MADE,
    ),
    ("DELETE", "/v1/api-keys/{id}"): Documented("revoke_key", "Access", "Revoke a key", {204: None}),
    ("GET", "/v1/allowed-networks"): Documented(
        "list_networks", "Access", "From where keys may be used", {200: access.NetworkList}
    ),
    ("POST", "/v1/allowed-networks"): Documented(
        "allow_network",
        "Access",
        "Let an address or network in",
        {201: access.AllowedNetwork, 200: access.AllowedNetwork},
        (409,),
        body={"network": "192.0.2.0/24", "note": "office"},
        leads_to=("remove_network",),
        headers={200: ("Location",), 201: ("Location",)},
    ),
    ("DELETE", "/v1/allowed-networks/{network}"): Documented(
        "remove_network", "Access", "Let a network in no more", {204: None}
    ),
    ("GET", "/v1/audit-log"): Documented(
        "list_audit_log",
        "Access",
        "What was made, changed and refused, youngest first",
        {200: access.AuditPage},
        parameters={"limit": 20},
        headers=_PAGE,
    ),
    ("GET", "/v1/events"): Documented(
        "list_events",
        "Events",
        "What happened, in order",
        {200: events.EventPage},
        parameters={"after": 0, "type": ["call.ended"]},
    ),
    ("GET", "/v1/webhooks"): Documented("list_webhooks", "Webhooks", "Endpoints", {200: events.WebhookList}),
    ("POST", "/v1/webhooks"): Documented(
        "create_webhook",
        "Webhooks",
        "Have events sent",
        {201: events.MadeWebhook},
        body={"url": "https://crm.example/hooks", "event_types": ["call.ended"]},
        leads_to=("get_webhook", "change_webhook", "delete_webhook", "list_deliveries"),
        headers=_MADE,
    ),
    ("GET", "/v1/webhooks/{id}"): Documented("get_webhook", "Webhooks", "One endpoint", {200: events.Webhook}),
    ("PATCH", "/v1/webhooks/{id}"): Documented(
        "change_webhook", "Webhooks", "Change an endpoint", {200: events.Webhook}, body={"enabled": False}
    ),
    ("DELETE", "/v1/webhooks/{id}"): Documented("delete_webhook", "Webhooks", "Remove an endpoint", {204: None}),
    ("GET", "/v1/webhooks/{id}/deliveries"): Documented(
        "list_deliveries", "Webhooks", "How sending went, youngest first", {200: events.DeliveryList}
    ),
    ("GET", "/v1/status"): Documented(
        "get_status", "Service", "How far records can be relied upon", {200: service.Status}
    ),
    ("GET", "/healthz"): Documented("healthz", "Service", "The process answers", {200: service.Health}),
    ("GET", "/readyz"): Documented(
        "readyz",
        "Service",
        "Whether requests can be served",
        {200: service.Readiness, 503: service.Readiness},
        headers={503: ("Retry-After",)},
    ),
}
