"""The API's description: for programs, and as a page that needs neither the internet nor a script. Both are open to
all: they hold nothing of any account.
"""

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.api.openapi import TEMPLATE, document

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

_templates = Environment(loader=PackageLoader("gateway.api"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


async def openapi(request: Request) -> Response:
    """`GET /v1/openapi.json`."""
    return Response(_document(request), media_type="application/json")


async def page(request: Request) -> Response:
    """`GET /docs`."""
    described = json.loads(_document(request))
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            told = {"method": method.upper(), "path": path, **operation}
            by_tag.setdefault(operation["tags"][0], []).append(told)
    template = _templates.get_template("reference.html")
    html = template.render(
        about=described["info"], by_tag=by_tag, schemas=described["components"]["schemas"], kind_of=kind_of
    )
    return HTMLResponse(html, headers=PAGE_HEADERS)


def kind_of(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: `string`, `list of User`, `one of a, b`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(TEMPLATE.format(model=""))
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    told = str(schema.get("type", "anything"))
    return f"{told} ({schema['format']})" if "format" in schema else told


def _document(request: Request) -> str:
    """Made once, when it is first asked for: the routes do not change."""
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = document(request.app.routes)
    made: str = state.openapi
    return made
