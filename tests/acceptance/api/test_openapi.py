"""The OpenAPI document: whole, and true of what is answered; its examples are sent."""

import json
import re
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.api import answers, drop_in
from gateway.api.answers.problems import ProblemAnswer
from gateway.api.auth import operation_of
from gateway.api.context import ApiContext
from gateway.api.documented import DOCUMENTED, Documented
from gateway.api.openapi import HEADERS, operations
from gateway.asterisk.errors import LinkLost
from gateway.calls.directory import Directory
from gateway.store import keys
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers
from tests.acceptance.api.whole import Things, furnished, whole_app


@pytest.fixture
def app(context: ApiContext, tmp_path: Path) -> Starlette:
    return whole_app(context, tmp_path)


@pytest.fixture
async def asking(app: Starlette, key: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://g", headers=headers) as client:
        yield client


def test_every_operation_is_documented_and_nothing_else(app: Starlette) -> None:
    """The drop-in path is described where one comes from."""
    routes = [route for route in app.routes if isinstance(route, Route) and operation_of(route)]
    there = {
        (method, re.sub(r"{(\w+):\w+}", r"{\1}", route.path))
        for route in routes
        for method in route.methods or ()
        if method != "HEAD" and not route.path.startswith(drop_in.PREFIX)
    }
    assert there | {("GET", "/healthz"), ("GET", "/readyz")} == set(DOCUMENTED)


async def test_the_document_needs_no_key_and_says_what_each_operation_needs(
    app: Starlette, asking: httpx.AsyncClient
) -> None:
    del asking.headers["authorization"]
    response = await asking.get("/v1/openapi.json")
    document = response.json()
    assert document["openapi"].startswith("3.1")
    listed = document["paths"]["/v1/user-calls"]["get"]
    assert listed["x-scope"] == "calls:read"
    assert {"from", "to", "sort", "user", "limit", "offset", "type", "result"} <= {
        parameter["name"] for parameter in listed["parameters"]
    }
    assert set(listed["responses"]) >= {"200", "401", "403", "409", "422", "429"}
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == len(DOCUMENTED)
    placed = document["paths"]["/v1/calls"]["post"]["responses"]["202"]["links"]["hang_up"]
    assert placed == {"operationId": "hang_up", "parameters": {"id": "$response.body#/id"}}
    for reference in re.findall(r'"\$ref": "#/components/(\w+)/([\w-]+)"', response.text):
        assert reference[1] in document["components"][reference[0]]


async def test_every_example_is_answered_as_is_told(
    app: Starlette, asking: httpx.AsyncClient, pool: Pool, acme: Directory
) -> None:
    """Each operation with the examples of the document, what is deleted last."""
    things = await furnished(pool, acme)
    told = [(method, path, one) for method, path, _, one in operations(app.routes)]
    for method, path, one in sorted(told, key=lambda each: each[0] == "DELETE"):
        response = await asking.request(method, url_of(path, things), params=one.parameters, json=one.body)
        assert response.status_code in one.answers, (method, path, response.text)
        assert_conforms(one, response)
        if not one.parameters:
            continue
        for also in one.also:
            parameters = {name: value for name, value in one.parameters.items() if name != "limit"}
            streamed = await asking.get(path, params=parameters, headers={"Accept": also})
            assert streamed.status_code == 200
            assert streamed.headers["content-type"].startswith(also)


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/user-calls", "/v1/queue-calls", "/v1/ring-group-calls"])
async def test_the_rows_of_calls_have_the_documented_shape(
    asking: httpx.AsyncClient, pool: Pool, acme: Directory, path: str
) -> None:
    await furnished(pool, acme)
    response = await asking.get(path, params={"include": "total"})
    assert response.json()["total"] > 0
    assert_conforms(DOCUMENTED["GET", path], response)


TRANSPORT = {"content-type", "content-length"}


async def test_every_header_that_is_answered_is_in_the_document(
    app: Starlette,
    asking: httpx.AsyncClient,
    asterisk: AsteriskThatAnswers,
    pool: Pool,
    acme: Directory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers of each kind that there is: as asked for, paged, streamed, unchanged, made, replayed, refused."""
    monkeypatch.setattr("gateway.api.slowing.STEP_SECONDS", 0.0)
    document = (await asking.get("/v1/openapi.json")).json()
    things = await furnished(pool, acme)
    await pool.execute(
        "insert into nodes (node, row_at, row_committed_at, looked_at) values ('pbx1', '2026-12-23Z', now(), now())"
    )
    seen: set[str] = set()

    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        answer = await asking.request(method, url_of(path, things), **more)
        operation = document["paths"][path].get(method.lower())
        others = {"405": document["components"]["responses"]["MethodNotAllowed"]}
        responses = operation["responses"] if operation else others
        told = {name.lower() for name in responses[str(answer.status_code)]["headers"]}
        answered = set(answer.headers) - TRANSPORT
        assert answered <= told, (method, path, answer.status_code, answered - told)
        seen.update(answered)
        return answer

    for method, path, operation, one in sorted(operations(app.routes), key=lambda each: each[0] == "DELETE"):
        await ask(method, path, params=one.parameters, json=one.body)
        await ask(method, path, params={"colour": "red"}, json=one.body and {})
        if operation is not None:
            await ask(method, path, json=one.body, headers={"Authorization": "Bearer x"})
        for also in one.also:
            await ask(method, path, params={"from": "2026-11-01"}, headers={"Accept": also})
        if 304 in one.answers:
            page = {"from": "2026-11-01", "to": "2026-11-30", "limit": "1"}
            known = (await ask(method, path, params=page)).headers["etag"]
            parameters = {parameter["name"] for parameter in document["paths"][path]["get"]["parameters"]}
            assert "If-None-Match" in parameters
            assert (await ask(method, path, params=page, headers={"If-None-Match": known})).status_code == 304
        if "{" not in path:
            assert (await ask("PUT", path)).status_code == 405
    for path in ("/v1/users", "/v1/audit-log"):
        assert "link" in (await ask("GET", path, params={"limit": "1"})).headers
    placed = {"user": "101", "to": "+61255501234"}
    for body in (placed, placed, placed | {"to": "102"}):
        await ask("POST", "/v1/calls", json=body, headers={"Idempotency-Key": "k"})
    asterisk.originate_fails = LinkLost("gone")
    for _ in range(2):
        await ask("POST", "/v1/calls", json=placed, headers={"Idempotency-Key": "in progress"})
    asterisk.connected = False
    await ask("POST", "/v1/calls", json=placed)
    await pool.execute("update accounts set requests_per_minute_per_key = 1")
    limited = await keys.create(pool, "acme", "limited", keys.SCOPES)
    for status in (200, 429):
        assert (await ask("GET", "/v1/status", headers={"Authorization": f"Bearer {limited}"})).status_code == status
    pool.terminate()
    await ask("GET", "/readyz")
    await ask("GET", "/v1/calls")
    assert {name.lower() for name in HEADERS} == seen


async def test_the_types_of_user_calls_have_the_documented_form(asking: httpx.AsyncClient) -> None:
    document = (await asking.get("/v1/openapi.json")).json()
    form = document["components"]["schemas"]["UserCall"]["properties"]["type"]["pattern"]
    assert re.search(form, "user_inbound_answered_elsewhere")
    assert re.search(form, "user_internal")  # Of an open call.
    assert not re.search(form, "user_inbound_no_answer")


async def test_problems_have_the_documented_shape(asking: httpx.AsyncClient) -> None:
    for response in (
        await asking.get("/v1/calls?limit=0&colour=red"),
        await asking.post("/v1/calls", json={"to": 1}),
        await asking.get("/v1/calls/none"),
        await asking.get("/v1/calls", headers={"Authorization": "Bearer x"}),
        await asking.put("/v1/calls"),
    ):
        ProblemAnswer.model_validate_json(response.content, strict=True)


def test_every_example_of_an_answer_is_one() -> None:
    shown = 0
    modules = [import_module(f"{answers.__name__}.{found.name}") for found in iter_modules(answers.__path__)]
    for model in [one for module in modules for one in vars(module).values()]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            extra = model.model_config.get("json_schema_extra")
            for example in extra["examples"] if isinstance(extra, dict) else []:  # type: ignore[union-attr]
                model.model_validate_json(json.dumps(example), strict=True)
                shown += 1
    assert shown >= 3


async def test_a_wrong_method_is_told_all_that_the_path_has(asking: httpx.AsyncClient) -> None:
    response = await asking.put("/v1/calls")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
    response = await asking.get("/v1/calls/check")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_the_page_needs_nothing_from_elsewhere(app: Starlette, asking: httpx.AsyncClient) -> None:
    del asking.headers["authorization"]
    page = await asking.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(r"<script|<link|<img|@import|url\(", page.text)
    assert not re.search(r'(?:src|href)="(?!#|/v1/openapi.json")', page.text)
    for method, path in DOCUMENTED:
        assert f'<span class="method">{method}</span> <code>{path}</code>' in page.text


def url_of(path: str, things: Things) -> str:
    return re.sub(r"{.*?}", lambda _: things.of(path), path)


def assert_conforms(told: Documented, response: httpx.Response) -> None:
    model = told.answers[response.status_code]
    if model is None:
        assert response.content == b""
        return
    document: Any = response.json()
    model.model_validate_json(response.content, strict=True)
    # Nothing optional but what the model says is.
    assert document == json.loads(response.content)
