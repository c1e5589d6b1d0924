"""The drop-in path's table of contents: the same under each version of the hosted product's path."""

from starlette.routing import Route

from gateway.api.auth import needs
from gateway.api.drop_in import PREFIX
from gateway.api.drop_in.call_to_number import call_to_number

VERSIONS = ("v1", "v2")

# Unknown parameters are ignored here: each function reads those of the query itself.
DROP_IN_ROUTES = [
    Route(f"{PREFIX}{version}/{name}", needs(scope, handler, parameters=True), methods=[method])
    for version in VERSIONS
    for method, name, scope, handler in (("POST", "call-to-number", "calls:write", call_to_number),)
]
