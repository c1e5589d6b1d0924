"""The walk: every route that there is, with every wrong key and every foreign id. It reads the table of routes
itself, so that none can be forgotten.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.api import drop_in
from gateway.api.auth import Operation, operation_of
from gateway.api.context import ApiContext
from gateway.api.documented import DOCUMENTED
from gateway.calls.directory import Directory
from gateway.store import directories, keys, networks
from gateway.store.connection import Pool
from tests.acceptance.api.whole import Things, furnished, whole_app
from tests.directories import of_another_account

OPEN_TO_ALL = {"/healthz", "/readyz", "/docs", "/v1/openapi.json"}


@pytest.fixture
def app(context: ApiContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    monkeypatch.setattr("gateway.api.slowing.STEP_SECONDS", 0.0)
    return whole_app(context, tmp_path)


@pytest.fixture
async def asking(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        yield client


@pytest.fixture
async def theirs(pool: Pool, acme: Directory) -> Things:
    """What another account has."""
    async with pool.acquire() as connection:
        directory = (await directories.apply(connection, of_another_account(acme))).directory
    return await furnished(pool, directory, "other")


def walk(app: Starlette) -> list[tuple[str, Route, Operation]]:
    """(method, route, operation) of every route that needs a key."""
    found: list[tuple[str, Route, Operation]] = []
    for route in app.routes:
        operation = operation_of(route) if isinstance(route, Route) else None
        if operation is not None and isinstance(route, Route):
            found += [(method, route, operation) for method in sorted(route.methods or ())]
    return found


def request(client: httpx.AsyncClient, method: str, path: str, things: Things, key: str = "") -> httpx.Request:
    """With the body that the documentation shows."""
    known = re.sub(r"{(\w+):\w+}", r"{\1}", path)
    told = DOCUMENTED.get((method, known))
    url = re.sub(r"{.*?}", lambda _: things.of(path), path)
    body = told.body if told else None
    headers = {"token": key} if key else {}
    return client.build_request(method, url, json=body, headers=headers)


def tell(what: str, requests: int) -> None:
    """How many requests a test makes, each of which has to be refused."""
    print("walk: " + json.dumps({what: requests}))


def code_of(response: httpx.Response) -> object:
    if response.request.method == "HEAD" or response.request.url.path.startswith(drop_in.PREFIX):
        return None
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()["code"]


def test_every_route_needs_a_key_but_those_that_are_open_to_all(app: Starlette) -> None:
    """The console has its own door."""
    open_routes = {route.path for route in app.routes if isinstance(route, Route) and operation_of(route) is None}
    assert {path for path in open_routes if path != "/" and not path.startswith("/console")} == OPEN_TO_ALL
    assert len(walk(app)) > 30


async def test_nobody_gets_in_without_a_right_key(
    app: Starlette, asking: httpx.AsyncClient, key: str, theirs: Things
) -> None:
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    keys_that_open_nothing = ("", "nonsense", wrong, "gw_live_0123456789ab_" + "x" * 43)
    tell("without_a_right_key", len(walk(app)) * len(keys_that_open_nothing))
    for method, route, _ in walk(app):
        for bad in keys_that_open_nothing:
            response = await asking.send(request(asking, method, route.path, theirs, bad))
            assert response.status_code == 401, (method, route.path)
            assert response.headers["www-authenticate"]
            assert code_of(response) in (None, "not_authorised")


async def test_nobody_gets_in_from_a_refused_address(app: Starlette, key: str, theirs: Things) -> None:
    transport = httpx.ASGITransport(app, client=("198.51.100.9", 1))
    tell("from_a_refused_address", len(walk(app)))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        for method, route, _ in walk(app):
            response = await client.send(request(client, method, route.path, theirs, key))
            assert response.status_code == 401, (method, route.path)
            assert code_of(response) in (None, "ip_not_allowed")


async def test_a_key_that_lacks_the_scope_gets_nothing(
    app: Starlette, asking: httpx.AsyncClient, key: str, pool: Pool, theirs: Things
) -> None:
    lacking = {
        scope: await keys.create(pool, "acme", f"no {scope}", [one for one in keys.SCOPES if one != scope])
        for scope in keys.SCOPES
    }
    tell("without_the_scope", len(walk(app)))
    for method, route, operation in walk(app):
        response = await asking.send(request(asking, method, route.path, theirs, lacking[operation.scope]))
        assert response.status_code == 403, (method, route.path)
        assert code_of(response) in (None, "scope_missing")


async def test_what_is_another_accounts_does_not_exist(
    app: Starlette, asking: httpx.AsyncClient, key: str, pool: Pool, acme: Directory, theirs: Things
) -> None:
    own = await furnished(pool, acme)
    walked = [(method, route.path) for method, route, _ in walk(app) if "{" in route.path]
    assert len(walked) > 8
    tell("foreign_ids", len(walked))
    for method, path in walked:
        response = await asking.send(request(asking, method, path, theirs, key))
        assert (response.status_code, code_of(response)) in ((404, "not_found"), (404, None)), (method, path)
    # The same requests find what is one's own.
    for method, path in sorted(walked, key=lambda one: (one[0] == "DELETE", one)):
        response = await asking.send(request(asking, method, path, own, key))
        assert response.status_code < 300, (method, path, response.text)
    assert len(await keys.list_keys(pool, "other", ended=False)) == 1
    assert len(await networks.list_networks(pool, "other")) == 1
    assert await pool.fetchval("select count(*) from webhooks where account_id = 'other'") == 1


async def test_no_list_shows_what_is_another_accounts(
    app: Starlette, asking: httpx.AsyncClient, key: str, theirs: Things
) -> None:
    lists = [route.path for method, route, _ in walk(app) if method == "GET" and "{" not in route.path]
    assert len(lists) > 10
    for path in lists:
        response = await asking.get(path, headers={"token": key})
        assert response.status_code == 200, (path, response.text)
        told = json.dumps(response.json())
        for thing in (theirs.call, theirs.key, theirs.network, theirs.webhook, "other"):
            assert thing not in told, path
