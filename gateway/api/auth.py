"""Who is asking: a key of one account, from one of its networks, with the scope the route needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.addresses import client_address
from gateway.api.context import ApiContext, context_of
from gateway.api.problems import Problem, invalid, unknown_parameter
from gateway.store import audit, keys, networks

KEY_PARAMETERS = frozenset({"token", "key", "api_key", "apikey", "access_token", "authorization"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that asks, by which key, from where."""

    account: str
    key_id: str
    scopes: tuple[str, ...]
    ip: str

    @property
    def actor(self) -> str:
        return f"key:{self.key_id}"


Handler = Callable[[Request, Caller], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def needs(scope: str, handler: Handler, *, parameters: bool = False) -> Endpoint:
    """The route of `handler`, for callers whose key has `scope`. `parameters`: it reads those of the query itself."""

    async def endpoint(request: Request) -> Response:
        caller = await authenticate(request)
        if scope not in caller.scopes:
            raise Problem(403, "scope_missing", f"The key lacks the scope {scope}.", extra={"scope": scope})
        if request.query_params and not parameters:
            raise invalid(unknown_parameter(name) for name in request.query_params)
        return await handler(request, caller)

    return endpoint


async def authenticate(request: Request) -> Caller:
    """Raises: Problem 401."""
    context = context_of(request)
    address = client_address(request, context.trusted_proxies, context.forwarded_header)
    ip = str(address) if address else ""
    _refuse_keys_in_the_url(request)
    parts = keys.split(_sent_key(request))
    key = await keys.find_live(context.pool, parts[0]) if parts else None
    if parts is None or key is None or not compare_digest(key.secret_sha256, parts[1]):
        await request.app.state.wrong_keys.slow_down(f"ip {ip}", f"key {parts[0] if parts else ''}")
        raise _unauthorised()
    if not ip or not await networks.is_allowed(context.pool, key.account, ip):
        if request.app.state.refusals.due(f"{key.id} {ip}"):
            await audit.record(context.pool, key.account, f"key:{key.id}", "ip.refused", ip, ip or None)
        raise _unauthorised("ip_not_allowed", f"The address {ip or 'unknown'} is not allowed.", ip)
    await _note_use(context, key, ip)
    return Caller(key.account, key.id, key.scopes, ip)


def _refuse_keys_in_the_url(request: Request) -> None:
    named = any(name.lower() in KEY_PARAMETERS for name in request.query_params)
    if named or keys.PREFIX in request.url.query or keys.PREFIX in request.url.path:
        raise _unauthorised("key_in_url", "Keys are taken from headers only: a URL is logged on its way.")


def _sent_key(request: Request) -> str:
    sent = set(request.headers.getlist("token"))
    for value in request.headers.getlist("authorization"):
        scheme, _, credentials = value.partition(" ")
        sent.add(credentials.strip() if scheme.lower() == "bearer" else "")
    return sent.pop() if len(sent) == 1 else ""


def _unauthorised(code: str = "not_authorised", detail: str = "Not authorised.", ip: str | None = None) -> Problem:
    extra = {} if ip is None else {"ip": ip}
    return Problem(401, code, detail, headers={"WWW-Authenticate": 'Bearer realm="gateway"'}, extra=extra)


async def _note_use(context: ApiContext, key: keys.ApiKey, ip: str) -> None:
    if key.last_used_at is None or datetime.now(UTC) - key.last_used_at > keys.USE_NOTED_EVERY:
        await keys.note_use(context.pool, key, ip)
