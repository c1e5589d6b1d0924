"""What is posted to the console by who is not signed in: bounded, in one form, guessed at a few times only."""

import asyncio
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.console.routes import console_routes
from gateway.store import console
from gateway.store.connection import Pool
from tests.acceptance.api.test_slow_clients import answer_to, port_of, served

LOGIN, PASSWORD = "ops", "correct horse battery"
FORM = b"application/x-www-form-urlencoded"


@pytest.fixture
async def application(pool: Pool, acme: Directory) -> Starlette:
    await console.set_login(pool, "acme", LOGIN, PASSWORD)
    context = ApiContext(pool, "pbx1")
    return create_app(context, console_routes(context))


async def enter(application: Starlette, ip: str, login: str) -> int:
    transport = httpx.ASGITransport(application, client=(ip, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        return (await client.post("/console/sign-in", data={"login": login, "password": "wrong"})).status_code


async def test_a_body_in_chunks_is_as_long_as_its_chunks_and_not_as_it_says(application: Starlette) -> None:
    chunk = b"login=" + b"x" * 500_000
    head = (
        b"POST /console/sign-in HTTP/1.1\r\nhost: g\r\ncontent-type: "
        + FORM
        + b"\r\ncontent-length: 10\r\nconnection: close\r\n"
    )
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk)
    async with served(application) as server:
        answer = await answer_to(port_of(server), head + b"transfer-encoding: chunked\r\n\r\n" + body, b"")
    assert answer.startswith(b"HTTP/1.1 411"), answer[:200]


async def test_a_form_in_an_encoding_of_the_clients_own_is_refused(application: Starlette) -> None:
    """Else text that no database takes comes in."""
    transport = httpx.ASGITransport(application, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        for charset in ("utf-7", "unicode_escape", "idna"):
            body = b'--b\r\ncontent-disposition: form-data; name="login"\r\n\r\n+2AA-\\ud800\xff..\r\n--b--\r\n'
            kind = f"multipart/form-data; boundary=b; charset={charset}"
            answer = await client.post("/console/sign-in", content=body, headers={"content-type": kind})
            assert answer.status_code == 415, charset
        plain = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        form = urlencode({"login": LOGIN, "password": PASSWORD})
        assert (await client.post("/console/sign-in", content=form, headers=plain)).status_code == 303


async def test_a_network_that_is_one_clients_own_guesses_as_one(application: Starlette) -> None:
    told = [await enter(application, f"2001:db8::{n}", f"login{n}") for n in range(1, 7)]
    assert told == [401] * 5 + [429]
    assert await enter(application, "2001:db8:0:1::1", "another") == 401
    assert await asyncio.gather(*(enter(application, f"192.0.2.{n}", f"one{n}") for n in range(3))) == [401] * 3
