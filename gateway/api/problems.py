"""What goes wrong, as `application/problem+json` (RFC 9457) with stable codes.

A Problem is raised wherever it is known; the middleware here, the outermost layer, answers it,
turns a database that is away into 503, and lets nothing else out: neither a stack trace nor SQL.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import asyncpg
import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.codes import FaultCode, ProblemCode, of_pydantic
from gateway.store.connection import DRIVER_ERRORS

log = structlog.get_logger()

DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    *DRIVER_ERRORS,
    OSError,
    TimeoutError,
)
RETRY_AFTER_SECONDS = 5
MOST_NAMES = 200
"""Different parameters in one query."""
TITLES = {401: "Not authorised", 413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's names, which Python knows since 3.13, and ours for what concerns keys."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `where`: a parameter's name, or the JSON pointer of a field."""

    where: str
    code: FaultCode
    detail: str

    def document(self) -> dict[str, str]:
        kind = "pointer" if self.where.startswith("/") or not self.where else "parameter"
        return {kind: self.where, "code": self.code, "detail": self.detail}


class Problem(Exception):
    """An answer that is an error. `extra` members stand beside the standard ones."""

    def __init__(
        self,
        status: int,
        code: ProblemCode,
        detail: str,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self, request_id: str) -> Response:
        document: dict[str, object] = {
            "type": f"urn:gateway:problem:{self.code}",
            "title": TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.extra,
        }
        if self.faults:
            document["errors"] = [fault.document() for fault in self.faults]
        return JSONResponse(document, self.status, self.headers, media_type="application/problem+json")


def invalid(faults: Iterable[Fault]) -> Problem:
    """422 with all the faults of a request."""
    return Problem(422, "invalid_request", "The request cannot be read as it is.", faults=faults)


def unknown_parameter(name: str) -> Fault:
    return Fault(name, "unknown_parameter", "There is no such parameter here.")


def too_many_parameters(names: Sequence[str]) -> Fault | None:
    """One fault for all, else the answer would be many times the request. `names`: each once."""
    if len(names) <= MOST_NAMES:
        return None
    detail = f"At most {MOST_NAMES} different parameters may be given."
    return Fault(names[MOST_NAMES], "too_many_parameters", detail)


def unknown_parameters(names: Sequence[str]) -> list[Fault]:
    """Those of a query where there is none to be given. `names`: each once."""
    too_many = too_many_parameters(names)
    return [too_many] if too_many else [unknown_parameter(name) for name in names]


def not_found() -> Problem:
    return Problem(404, "not_found", "There is no such resource.")


def unavailable(code: ProblemCode, detail: str) -> Problem:
    return Problem(503, code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def faults_of(error: ValidationError) -> list[Fault]:
    """The faults of a body, by JSON pointer; what was sent is not repeated."""
    return [
        Fault(
            "".join(f"/{_escaped(str(part))}" for part in one["loc"]),
            "unknown_field" if one["type"] == "extra_forbidden" else of_pydantic(one["type"]),
            "There is no such field here." if one["type"] == "extra_forbidden" else _detail(one),
        )
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def parameter_faults_of(error: ValidationError) -> list[Fault]:
    """The same of a query, by the parameters' names."""
    return [
        unknown_parameter(str(one["loc"][0]))
        if one["type"] == "extra_forbidden"
        else Fault(str(one["loc"][0]) if one["loc"] else "", of_pydantic(one["type"]), _detail(one))
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _detail(error: ErrorDetails) -> str:
    """pydantic's words, but for those with which it repeats a part of what was sent."""
    return "This is no UUID." if error["type"] == "uuid_parsing" else error["msg"]


def _escaped(name: str) -> str:
    """As a JSON pointer has it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, no such method, a form that is none."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = {"Allow": ", ".join(sorted(_methods(request)))}
        raise Problem(405, "method_not_allowed", "The resource has no such method.", headers=allowed)
    if error.status_code == 404:
        raise not_found()
    raise Problem(400, "malformed_form", "The form cannot be read.", headers=error.headers)


def _methods(request: Request) -> set[str]:
    """Of all routes of the path: Starlette's own refusal tells those of the first."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    found = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in found for method in route.methods or ()}


Form: TypeAlias = Callable[[Problem, str], Response]
"""How an error leaves; the text is the request's id."""


class ProblemMiddleware:
    """Gives each exception its answer.

    `forms`: of errors below a path that has a form of its own.
    """

    def __init__(self, app: ASGIApp, forms: Mapping[str, Form] | None = None) -> None:
        self.app = app
        self.forms = dict(forms or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["state"]["request_id"]
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if "\0" in scope["path"]:
                raise not_found()  # No name of anything holds it, and Postgres takes it in no text.
            await self.app(scope, receive, send_noted)
        except ClientDisconnect:
            log.info("api.client_left", request_id=request_id)
        except Exception as error:
            if started:
                raise
            problem = _problem_of(error, request_id, scope)
            await self._form(scope["path"])(problem, request_id)(scope, receive, send_noted)

    def _form(self, path: str) -> Form:
        own = (form for prefix, form in self.forms.items() if path.startswith(prefix))
        return next(own, Problem.response)


def _problem_of(error: Exception, request_id: str, scope: Mapping[str, Any]) -> Problem:
    if isinstance(error, Problem):
        return error
    # asyncpg's complaint about an argument is an InterfaceError and a ValueError: ours, not the network's.
    if isinstance(error, DATABASE_AWAY) and not isinstance(error, ValueError):
        log.warning("api.database_away", request_id=request_id, error=type(error).__name__)
        return unavailable("database_unavailable", "The database cannot be reached; nothing was done.")
    log.error("api.failed", request_id=request_id, method=scope["method"], exc_info=error)
    return Problem(500, "internal_error", "The gateway failed; its log has the reason under this request_id.")
