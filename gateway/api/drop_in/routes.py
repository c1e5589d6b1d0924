"""The drop-in path's table of contents: the same under each version of the hosted product's path."""

from pydantic import BaseModel, ConfigDict
from starlette.routing import Route

from gateway.api.auth import Endpoint, Handler, needs
from gateway.api.drop_in import PREFIX
from gateway.api.drop_in.call_to_number import call_to_number
from gateway.api.drop_in.parameters import QueueReadParameters, RingGroupReadParameters, UserReadParameters
from gateway.api.drop_in.reads import get_system_status, rows_of
from gateway.api.drop_in.rows import queue_row, ring_group_row, user_row

VERSIONS = ("v1", "v2")


class Whatever(BaseModel):
    """Parameters that nobody reads are ignored here."""

    model_config = ConfigDict(extra="ignore")


def _needs(scope: str, handler: Handler, query: type[BaseModel] = Whatever) -> Endpoint:
    return needs(scope, handler, query=query)


_USER_CALLS = rows_of("user_calls", UserReadParameters, user_row)
_QUEUE_CALLS = rows_of("queue_calls", QueueReadParameters, queue_row)
_RING_GROUP_CALLS = rows_of("ring_group_calls", RingGroupReadParameters, ring_group_row)

OPERATIONS = (
    ("GET", "get-user-calls", _needs("calls:read", _USER_CALLS, UserReadParameters)),
    ("GET", "get-queue-calls", _needs("calls:read", _QUEUE_CALLS, QueueReadParameters)),
    ("GET", "get-ringgroup-calls", _needs("calls:read", _RING_GROUP_CALLS, RingGroupReadParameters)),
    ("GET", "get-system-status", _needs("calls:read", get_system_status)),
    ("POST", "call-to-number", _needs("calls:write", call_to_number)),
)

DROP_IN_ROUTES = [
    Route(f"{PREFIX}{version}/{name}", endpoint, methods=[method])
    for version in VERSIONS
    for method, name, endpoint in OPERATIONS
]
