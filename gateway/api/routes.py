"""The table of contents: every path, the scope it needs, the function that answers it."""

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Route

from gateway.api import allowed_networks, api_keys, audit_log, calls, health, people, reference
from gateway.api.auth import Endpoint, needs
from gateway.api.checking import check_call
from gateway.api.directory_page import PageParameters
from gateway.api.drop_in.routes import DROP_IN_ROUTES
from gateway.api.lists import rows_of
from gateway.api.parameters import (
    CallParameters,
    ListParameters,
    QueueCallParameters,
    RingGroupCallParameters,
    UserCallParameters,
)
from gateway.api.placing import place_call
from gateway.api.timeline import get_timeline
from gateway.api.wanted_call import PlaceCall
from gateway.store.list_query import Kind


class _CallConvertor(StringConvertor):
    """A call in a path. `/v1/calls/check` is none: who gets it is told which method it has."""

    regex = "(?!check(?:/|$))[^/]+"


register_url_convertor("call", _CallConvertor())


def _list(kind: Kind, model: type[ListParameters]) -> Endpoint:
    return needs("calls:read", rows_of(kind, model), query=model)


ROUTES = [
    Route("/healthz", health.healthz, methods=["GET"]),
    Route("/readyz", health.readyz, methods=["GET"]),
    Route("/v1/openapi.json", reference.openapi, methods=["GET"]),
    Route("/docs", reference.page, methods=["GET"]),
    Route("/v1/status", needs("calls:read", health.status), methods=["GET"]),
    Route("/v1/calls", _list("calls", CallParameters), methods=["GET"]),
    Route("/v1/calls", needs("calls:write", place_call, body=PlaceCall), methods=["POST"]),
    Route("/v1/calls/check", needs("calls:write", check_call, body=PlaceCall), methods=["POST"]),
    Route("/v1/calls/{id:call}", needs("calls:read", calls.get_call), methods=["GET"]),
    Route("/v1/calls/{id:call}/timeline", needs("calls:read", get_timeline), methods=["GET"]),
    Route("/v1/calls/{id:call}/hangup", needs("calls:write", calls.hang_up), methods=["POST"]),
    Route("/v1/user-calls", _list("user_calls", UserCallParameters), methods=["GET"]),
    Route("/v1/queue-calls", _list("queue_calls", QueueCallParameters), methods=["GET"]),
    Route("/v1/ring-group-calls", _list("ring_group_calls", RingGroupCallParameters), methods=["GET"]),
    Route("/v1/users", needs("directory:read", people.list_users, query=PageParameters), methods=["GET"]),
    Route("/v1/queues", needs("directory:read", people.list_queues, query=PageParameters), methods=["GET"]),
    Route("/v1/ring-groups", needs("directory:read", people.list_ring_groups, query=PageParameters), methods=["GET"]),
    Route("/v1/numbers", needs("directory:read", people.list_numbers, query=PageParameters), methods=["GET"]),
    Route("/v1/api-keys", needs("admin", api_keys.list_keys, query=api_keys.KeyParameters), methods=["GET"]),
    Route("/v1/api-keys", needs("admin", api_keys.create_key, body=api_keys.NewKey), methods=["POST"]),
    Route("/v1/api-keys/{id}", needs("admin", api_keys.revoke_key), methods=["DELETE"]),
    Route("/v1/allowed-networks", needs("admin", allowed_networks.list_networks), methods=["GET"]),
    Route(
        "/v1/allowed-networks",
        needs("admin", allowed_networks.allow_network, body=allowed_networks.NewNetwork),
        methods=["POST"],
    ),
    Route("/v1/allowed-networks/{network:path}", needs("admin", allowed_networks.remove_network), methods=["DELETE"]),
    Route("/v1/audit-log", needs("admin", audit_log.list_entries, query=audit_log.AuditParameters), methods=["GET"]),
    *DROP_IN_ROUTES,
]
