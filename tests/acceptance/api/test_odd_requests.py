"""What no client should send, and some do: each is answered, none is a failure of ours."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.console.routes import console_routes
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox

PARAMETERS = (
    "from", "to", "sort", "user", "queue", "direction", "number", "reference", "call_id", "state", "updated_since",
    "offset", "limit", "include", "outcome", "type", "status", "after", "\0", "",
)  # fmt: skip
VALUES = (
    "", "\0", "a\0b", "-1", "0", "10001", "9" * 30, "1e400", "NaN", "\ufffd", "x" * 5000, "0001-01-01", "9999-12-31",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-02-30", "2026-11-01T00:00:00+99:99",
)  # fmt: skip


@pytest.fixture
async def whole(context: ApiContext, key: str, tmp_path: Path) -> httpx.AsyncClient:
    """A client of everything that is served, with a key."""
    more = [*webhook_routes(SecretBox.from_file(tmp_path / "key")), *console_routes(context)]
    transport = httpx.ASGITransport(create_app(context, more), client=("192.0.2.7", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://g", headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("path", ["/v1/user-calls", "/v1/events"])
async def test_odd_values_are_answered_in_the_form_of_errors(whole: httpx.AsyncClient, path: str) -> None:
    for name in PARAMETERS:
        for value in VALUES:
            response = await whole.get(f"{path}?{quote(name)}={quote(value)}")
            assert response.status_code in (200, 422), (name, value)
            assert response.status_code == 200 or response.json()["errors"], (name, value)


@pytest.mark.parametrize(
    "path",
    ["/v1/calls/%00", "/v1/calls/%00/hangup", "/v1/webhooks/%00", "/v1/webhooks/%00/deliveries", "/console/static/%00",
     "/console/keys/%00/revoke", "/%00"],
)  # fmt: skip
async def test_what_has_nul_in_its_name_does_not_exist(whole: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        response = await whole.request(method, path, json={"enabled": True})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/calls/", "/v1//calls", "/api/integration/v2/get-user-calls/"])
async def test_a_slash_too_many_leads_nowhere(whole: httpx.AsyncClient, path: str) -> None:
    """Not elsewhere either: the way there would say again what was in the URL."""
    for method in ("GET", "POST"):
        response = await whole.request(method, f"{path}?token=secret")
        assert (response.status_code, response.json()["code"]) in ((404, "not_found"), (404, 404))
        assert "secret" not in f"{response.headers} {response.text}"


@pytest.mark.parametrize(
    ("body", "status", "title"),
    [(b"{}", 422, "Unprocessable Content"), (b" " * 70_000, 413, "Content Too Large")],
)
async def test_titles_are_those_of_http(whole: httpx.AsyncClient, body: bytes, status: int, title: str) -> None:
    response = await whole.post("/v1/calls", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["title"]) == (status, title)


@pytest.mark.parametrize("path", ["/v1/status", "/v1/users", "/v1/queues", "/v1/numbers", "/v1/webhooks"])
async def test_a_parameter_that_nobody_reads_is_an_error(whole: httpx.AsyncClient, path: str) -> None:
    response = await whole.get(f"{path}?colour=red")
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"parameter": "colour", "code": "unknown_parameter", "detail": "There is no such parameter here."}
    ]
    assert (await whole.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/events"])
async def test_a_parameter_given_twice_is_an_error(whole: httpx.AsyncClient, path: str) -> None:
    response = await whole.get(f"{path}?limit=1&limit=2")
    assert [fault["code"] for fault in response.json()["errors"]] == ["repeated"]


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/users", "/v1/status", "/v1/events", "/v1/audit-log"])
async def test_a_query_of_very_many_parameters_is_refused_at_once_and_in_short(
    whole: httpx.AsyncClient, path: str
) -> None:
    """The process answers nobody else meanwhile, and the answer would be many times the request."""
    query = "&".join(f"{n:x}" for n in range(12_000))
    began = time.process_time()
    response = await whole.get(f"{path}?{query}")
    assert time.process_time() - began < 1
    assert response.status_code == 422
    assert [fault["code"] for fault in response.json()["errors"]] == ["too_many_parameters"]
    assert len(response.content) < 1000


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/user-calls", "/v1/queue-calls", "/v1/ring-group-calls"])
async def test_what_is_no_id_of_a_call_is_not_repeated(whole: httpx.AsyncClient, path: str) -> None:
    """Not a letter of it."""
    [fault] = (await whole.get(f"{path}?call_id=sekret")).json()["errors"]
    assert fault == {"parameter": "call_id", "code": "wrong_form", "detail": "This is no UUID."}


@pytest.mark.parametrize("origin", ["http://[", "null", "http://g:x"])
async def test_an_origin_that_is_none_is_another_site(whole: httpx.AsyncClient, origin: str) -> None:
    response = await whole.post("/console/sign-in", data={"login": "a"}, headers={"origin": origin})
    assert response.status_code == 403


async def test_who_leaves_in_the_middle_of_a_body_is_no_failure(
    context: ApiContext, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else anybody fills the log with tracebacks."""
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": "/v1/calls", "query_string": b"", "headers": headers,
        "client": ("192.0.2.7", 1), "server": ("g", 80), "scheme": "http", "root_path": "",
    }  # fmt: skip
    await create_app(context)(scope, receive, send)
    assert sent == []
    told = capsys.readouterr()
    assert "client_left" in told.out + told.err
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/calls/{}/hangup"), ("DELETE", "/v1/api-keys/{}"), ("DELETE", "/v1/webhooks/{}")],
)
async def test_a_body_where_there_is_nothing_to_say_says_nothing(
    whole: httpx.AsyncClient, method: str, path: str
) -> None:
    url = path.format("00000000-0000-0000-0000-000000000000")
    response = await whole.request(method, f"{url}?colour=red", json={"x": 1})
    assert response.status_code == 422
    assert [fault.get("pointer") or fault["parameter"] for fault in response.json()["errors"]] == ["colour", "/x"]
    assert (await whole.request(method, url, json=["x"])).status_code == 422
    json = {"Content-Type": "application/json"}
    assert (await whole.request(method, url, content=b"{", headers=json)).status_code == 400
    assert (await whole.request(method, url, content=b"x=1")).status_code == 415
    assert (await whole.request(method, url, json={"x": "a" * 70_000})).status_code == 413
    for nothing in (b"", b"{}", b" "):
        assert (await whole.request(method, url, content=nothing, headers=json)).status_code == 404


async def test_what_is_wrong_with_parameters_and_body_is_told_at_once(whole: httpx.AsyncClient) -> None:
    response = await whole.post("/v1/calls?dry=1&run=2", json={"user": 101, "colour": "red"})
    assert response.status_code == 422
    places = {fault.get("pointer") or fault["parameter"]: fault["code"] for fault in response.json()["errors"]}
    assert places == {
        "dry": "unknown_parameter",
        "run": "unknown_parameter",
        "/user": "wrong_type",
        "/to": "required",
        "/colour": "unknown_field",
    }
