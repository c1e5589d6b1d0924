"""The page *Integration / API*: keys, allowed networks, and a builder of requests that really calls the API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway.api.context import ApiContext
from gateway.console.pages import HEADERS, page
from gateway.console.signed_in import seen_address
from gateway.store import audit, directories, keys, networks
from gateway.store.connection import Connection
from gateway.store.console import Session

OFFERED_SCOPES = ("calls:read", "calls:write", "events:read", "webhooks:write", "directory:read")
TEST_SCOPES = frozenset({"calls:read", "calls:write"})
TEST_KEY_LASTS = timedelta(minutes=5)
TEST_KEY_NAME = "Console test request"
MOST_NAME_LENGTH = 100
MOST_REFUSED = 10


class Integration:
    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(request, session)

    async def make_key(self, request: Request, session: Session) -> Response:
        """The page with the new key on it, which is shown this once."""
        form = await request.form()
        name = _line(str(form.get("name", "")))[:MOST_NAME_LENGTH]
        scopes = [scope for scope in OFFERED_SCOPES if scope in form.getlist("scope")]
        if not name or not scopes:
            return await self._page(request, session, wrong="A key needs a name and at least one right.", status=422)
        async with self._change() as connection:
            key = await keys.create(connection, session.account, name, scopes)
            details = {"name": name, "scopes": scopes}
            await self._note(connection, request, session, "key.created", _id_of(key), details)
        return await self._page(request, session, new_key=key, status=201)

    async def revoke_key(self, request: Request, session: Session) -> Response:
        key_id = request.path_params["key_id"]
        async with self._change() as connection:
            if await keys.revoke(connection, key_id, session.account):
                await self._note(connection, request, session, "key.revoked", key_id)
        return _back()

    async def add_network(self, request: Request, session: Session) -> Response:
        form = await request.form()
        try:
            network = networks.parse_network(str(form.get("network", ""))[:100])
        except ValueError:
            wrong = "That is no IP address and no network such as 192.0.2.0/24."
            return await self._page(request, session, wrong=wrong, status=422)
        note = _line(str(form.get("note", "")))[:MOST_NAME_LENGTH]
        async with self._change() as connection:
            if await networks.allow(connection, session.account, network, note):
                await self._note(connection, request, session, "network.allowed", str(network), {"note": note})
        return _back()

    async def remove_network(self, request: Request, session: Session) -> Response:
        form = await request.form()
        try:
            network = networks.parse_network(str(form.get("network", ""))[:100])
        except ValueError:
            return _back()
        async with self._change() as connection:
            if await networks.remove(connection, session.account, network):
                await self._note(connection, request, session, "network.removed", str(network))
        return _back()

    async def make_test_key(self, request: Request, session: Session) -> Response:
        """`{"key", "lasts_seconds"}`: a key of one scope for the page's own requests."""
        scope = str((await request.form()).get("scope", ""))
        if scope not in TEST_SCOPES:
            return JSONResponse({"detail": "no such scope"}, 422, HEADERS)
        expires_at = datetime.now(UTC) + TEST_KEY_LASTS
        async with self._change() as connection:
            key = await keys.create(connection, session.account, TEST_KEY_NAME, [scope], expires_at)
            details = {"name": TEST_KEY_NAME, "scopes": [scope]}
            await self._note(connection, request, session, "key.created", _id_of(key), details)
        return JSONResponse({"key": key, "lasts_seconds": int(TEST_KEY_LASTS.total_seconds())}, 201, HEADERS)

    async def _page(
        self, request: Request, session: Session, *, new_key: str = "", wrong: str = "", status: int = 200
    ) -> Response:
        pool = self._context.pool
        directory = await directories.current(pool, session.account)
        zone: tzinfo = ZoneInfo(directory.time_zone) if directory else UTC
        allowed = [one.network for one in await networks.list_networks(pool, session.account)]
        seen = seen_address(request, self._context)
        values = {
            "title": "Integration / API",
            "session": session,
            "account_name": directory.name if directory else session.account,
            "users": directory.users if directory else (),
            "queues": directory.queues if directory else (),
            "ring_groups": directory.ring_groups if directory else (),
            "today": datetime.now(zone).date().isoformat(),
            "keys": [_shown(key, zone) for key in _living(await keys.list_keys(pool, session.account))],
            "offered_scopes": OFFERED_SCOPES,
            "default_scopes": TEST_SCOPES,
            "networks": await networks.list_networks(pool, session.account),
            "refused": [
                {"ip": one.ip, "key_name": one.key_name, "at": _time(one.last_at, zone)}
                for one in await audit.refused_addresses(pool, session.account, MOST_REFUSED)
            ],
            "seen": seen,
            "seen_is_allowed": bool(seen) and any(networks.parse_address(seen) in network for network in allowed),
            "new_key": new_key,
            "wrong": wrong,
        }
        return page("integration.html", values, status)

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[Connection]:
        """What is changed and what the audit log says of it are committed together."""
        async with self._context.pool.acquire() as connection, connection.transaction():
            yield connection

    async def _note(
        self,
        connection: Connection,
        request: Request,
        session: Session,
        action: str,
        subject: str,
        details: Mapping[str, object] | None = None,
    ) -> None:
        ip = seen_address(request, self._context) or None
        await audit.record(connection, session.account, f"login:{session.login}", action, subject, ip, details)


def _living(found: Sequence[keys.ApiKey]) -> list[keys.ApiKey]:
    """Neither revoked nor expired, without the page's own test keys."""
    now = datetime.now(UTC)
    return [
        key
        for key in found
        if key.revoked_at is None
        and (key.expires_at is None or key.expires_at > now)
        and not (key.name == TEST_KEY_NAME and key.expires_at is not None)
    ]


def _shown(key: keys.ApiKey, zone: tzinfo) -> dict[str, object]:
    used = _time(key.last_used_at, zone) if key.last_used_at else ""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": ", ".join(key.scopes),
        "created": _time(key.created_at, zone),
        "used": f"{used} from {key.last_used_ip}" if used else "never",
    }


def _time(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _id_of(key: str) -> str:
    """The part of a key that is no secret."""
    parts = keys.split(key)
    assert parts is not None
    return parts[0]


def _line(text: str) -> str:
    """Free text as one line that can be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _back() -> Response:
    return RedirectResponse("/console", 303, headers=HEADERS)
