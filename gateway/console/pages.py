"""The console's pages as answers: escaped templates, and headers that let nothing foreign in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    name: str, values: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The template `name` filled with `values`; everything in them is escaped."""
    return HTMLResponse(_templates.get_template(name).render(values), status, headers={**HEADERS, **(headers or {})})


def sorry(status: int, what: str, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that says what is wrong."""
    return page("sorry.html", {"title": "Not done", "what": what}, status, headers)
