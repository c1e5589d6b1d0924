"""The drop-in path's table of contents: the same under each version of the hosted product's path."""

from pydantic import BaseModel, ConfigDict
from starlette.routing import Route

from gateway.api.auth import needs
from gateway.api.drop_in import PREFIX
from gateway.api.drop_in.call_to_number import call_to_number

VERSIONS = ("v1", "v2")


class Whatever(BaseModel):
    """Parameters that nobody reads are ignored here."""

    model_config = ConfigDict(extra="ignore")


DROP_IN_ROUTES = [
    Route(f"{PREFIX}{version}/{name}", needs(scope, handler, query=Whatever), methods=[method])
    for version in VERSIONS
    for method, name, scope, handler in (("POST", "call-to-number", "calls:write", call_to_number),)
]
