"""Who is asking: a key of one account, from one of its networks, with the scope the route needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import unquote_plus

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.addresses import client_address, neighbourhood
from gateway.api.bodies import refuse_body
from gateway.api.codes import ProblemCode
from gateway.api.context import context_of
from gateway.api.problems import Problem, invalid, unknown_parameters
from gateway.store import audit, keys
from gateway.store.admission import Admission
from gateway.store.directories import DirectoryVersion

KEY_PARAMETERS = frozenset({"token", "key", "api_key", "apikey", "access_token", "authorization"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that asks, by which key, from where; `directory`: the account's now, None if it was not asked."""

    account: str
    key_id: str
    scopes: tuple[str, ...]
    ip: str
    directory: DirectoryVersion | None

    @property
    def actor(self) -> str:
        return f"key:{self.key_id}"


Handler = Callable[[Request, Caller], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path: the scope it needs, and the models that its handler reads parameters and body by."""

    scope: str
    handler: Handler
    query: type[BaseModel] | None
    body: type[BaseModel] | None

    async def answer(self, request: Request) -> Response:
        """Parameters and a body where there is nothing to be said are faults: told at once, together."""
        caller = await authenticate(request)
        if self.scope not in caller.scopes:
            await _note_missing_scope(request, caller, self.scope)
            raise Problem(403, "scope_missing", f"The key lacks the scope {self.scope}.", extra={"scope": self.scope})
        request.state.faults = [] if self.query else unknown_parameters(list(request.query_params))
        if self.body is None and self.query is None and request.method not in ("GET", "HEAD"):
            await refuse_body(request)
        if request.state.faults and self.body is None:
            raise invalid(request.state.faults)
        return await self.handler(request, caller)


def needs(
    scope: str, handler: Handler, *, query: type[BaseModel] | None = None, body: type[BaseModel] | None = None
) -> Endpoint:
    """The endpoint of a route: `handler`, for callers whose key has `scope`."""
    return Operation(scope, handler, query, body).answer


def operation_of(route: Route) -> Operation | None:
    """None for a route that needs no key."""
    operation = getattr(route.endpoint, "__self__", None)
    return operation if isinstance(operation, Operation) else None


async def authenticate(request: Request) -> Caller:
    """Raises: Problem 401, or 429."""
    context = context_of(request)
    address = client_address(request, context.trusted_proxies, context.forwarded_header)
    ip = str(address) if address else ""
    _refuse_keys_in_the_url(request)
    parts = keys.split(_sent_key(request))
    found = await request.app.state.admissions.find(context.pool, parts[0], ip) if parts else None
    if parts is None or found is None or not _opens(found, parts[1]):
        await _slow_down(request, ip, parts)
        if found is not None:
            await _note_refusal(request, found.key, ip, "key.refused", found.key.id, neighbourhood(ip))
        raise _unauthorised()
    if not found.allowed:
        await _note_refusal(request, found.key, ip, "ip.refused", ip, ip)
        raise _unauthorised("ip_not_allowed", f"The address {ip or 'unknown'} is not allowed.", ip)
    _count(request, found, ip)
    return Caller(found.key.account, found.key.id, found.key.scopes, ip, found.directory)


async def is_let_in(request: Request, caller: Caller) -> bool:
    """Whether the caller would be now: for answers that take long. Raises: as `admission.look_up`."""
    found: Admission | None = await request.app.state.admissions.find(
        context_of(request).pool, caller.key_id, caller.ip
    )
    return found is not None and found.live and found.allowed


def _opens(found: Admission, secret_sha256: bytes) -> bool:
    return compare_digest(found.key.secret_sha256, secret_sha256) and found.live


async def _slow_down(request: Request, ip: str, parts: tuple[str, bytes] | None) -> None:
    """Who sends no key guesses none."""
    if "authorization" not in request.headers and "token" not in request.headers:
        return
    sources = [f"address {neighbourhood(ip)}", *([f"key {parts[0]}"] if parts else [])]
    await request.app.state.wrong_keys.slow_down(*sources)


async def _note_refusal(request: Request, key: keys.ApiKey, ip: str, action: str, subject: str, whose: str) -> None:
    """On the audit log of the key's account, once a minute for `whose`: the address, or all that its owner has."""
    if request.app.state.refusals.due(f"{action} {key.id} {whose}"):
        await audit.record(context_of(request).pool, key.account, f"key:{key.id}", action, subject, ip or None)


def _refuse_keys_in_the_url(request: Request) -> None:
    query = unquote_plus(request.scope["query_string"].decode("latin-1"))  # The path is decoded already.
    named = any(name.lower() in KEY_PARAMETERS for name in request.query_params)
    if named or keys.PREFIX in query or keys.PREFIX in request.scope["path"]:
        raise _unauthorised("key_in_url", "Keys are taken from headers only: a URL is logged on its way.")


def _sent_key(request: Request) -> str:
    sent = set(request.headers.getlist("token"))
    for value in request.headers.getlist("authorization"):
        scheme, _, credentials = value.partition(" ")
        sent.add(credentials.strip() if scheme.lower() == "bearer" else "")
    return sent.pop() if len(sent) == 1 else ""


def _unauthorised(
    code: ProblemCode = "not_authorised", detail: str = "Not authorised.", ip: str | None = None
) -> Problem:
    extra = {} if ip is None else {"ip": ip}
    return Problem(401, code, detail, headers={"WWW-Authenticate": 'Bearer realm="gateway"'}, extra=extra)


async def _note_missing_scope(request: Request, caller: Caller, scope: str) -> None:
    if request.app.state.refusals.due(f"scope {scope} {caller.key_id}"):
        await audit.record(context_of(request).pool, caller.account, caller.actor, "scope.refused", scope, caller.ip)


def _count(request: Request, found: Admission, ip: str) -> None:
    """Raises: Problem 429."""
    standing = request.app.state.meter.count(
        found.key.account, found.key.id, ip, found.requests_per_minute_per_key, found.requests_per_minute
    )
    request.state.headers.update(standing.headers())
    if not standing.admitted:
        raise Problem(
            429,
            "rate_limited",
            "Too many requests in this minute.",
            headers={"Retry-After": str(standing.retry_after)},
        )
