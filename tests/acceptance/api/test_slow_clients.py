"""Clients that send a byte at a time, or take nothing, on a real server."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import slow_clients
from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.store import networks
from gateway.store.connection import Pool

SOON = 0.5


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[uvicorn.Server]:
    """The application behind uvicorn as `gateway serve` runs it."""
    config = uvicorn.Config(
        app, port=0, http=slow_clients.PunctualProtocol, ws="none", log_config=None, lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:
            await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving


def port_of(server: uvicorn.Server) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "UNREAD_SECONDS"):
        monkeypatch.setattr(slow_clients, name, SOON)


@pytest.fixture
async def port(context: ApiContext, pool: Pool, key: str) -> AsyncIterator[int]:
    await networks.allow(pool, "acme", networks.parse_network("127.0.0.1"))
    async with served(create_app(context)) as server:
        yield port_of(server)


async def dribble(connection: socket.socket, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in content:
            await asyncio.get_running_loop().sock_sendall(connection, bytes([byte]))
            await asyncio.sleep(SOON / 5)


async def answer_to(port: int, at_once: bytes, slowly: bytes) -> bytes:
    """What came, whole: a bare socket still gives it after a byte of ours met a closed connection."""
    loop = asyncio.get_running_loop()
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        await loop.sock_sendall(connection, at_once)
        sending = asyncio.create_task(dribble(connection, slowly))
        try:
            async with asyncio.timeout(30):
                while some := await loop.sock_recv(connection, 65_536):
                    answer += some
        except ConnectionError:
            pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return bytes(answer)


async def test_a_head_that_comes_a_byte_at_a_time_is_cut(port: int) -> None:
    assert await answer_to(port, b"GET /healthz HTTP/1.1\r\n", b"x-slow: " + b"y" * 1000) == b""


async def test_a_second_head_has_no_longer(port: int) -> None:
    answer = await answer_to(port, b"GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n", b"GET /healthz" + b"y" * 1000)
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_body_that_comes_a_byte_at_a_time_is_refused_with_the_reason(port: int, key: str) -> None:
    head = f"POST /v1/calls HTTP/1.1\r\nhost: g\r\ntoken: {key}\r\ncontent-type: application/json\r\n"
    answer = await answer_to(port, f"{head}content-length: 1000\r\n\r\n".encode(), b"{" * 1000)
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert head_of_answer.startswith(b"HTTP/1.1 408")
    assert json.loads(body)["code"] == "body_too_slow"


async def test_what_is_left_of_a_body_that_nobody_reads_is_not_waited_for(port: int) -> None:
    head = b"POST /v1/calls HTTP/1.1\r\nhost: g\r\ncontent-length: 1000\r\n\r\n"
    assert b"401" in await answer_to(port, head, b"{" * 1000)


async def test_what_is_no_http_is_a_problem_too(port: int) -> None:
    answer = await answer_to(port, b"\x16\x03\x01 nonsense\r\n\r\n", b"")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "malformed_request"


async def test_an_answer_that_nobody_takes_is_dropped() -> None:
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while server.server_state.connections:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    async with served(endless) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server), limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n")
        async with asyncio.timeout(30):
            await ended.wait()
        writer.close()


async def test_answers_that_nobody_takes_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest goes, of which the kernel has a few megabytes already; the others are there to be taken."""
    monkeypatch.setattr(slow_clients, "UNREAD_SECONDS", 60.0)
    monkeypatch.setattr(slow_clients, "MOST_UNREAD_BYTES", 67 << 20)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (int(scope["path"][1:]) << 20)})

    async with served(page) as server, contextlib.AsyncExitStack() as stack:
        clients = []
        for megabytes in (16, 24, 25, 24):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.connect(("127.0.0.1", port_of(server)))
            reader, writer = await asyncio.open_connection(sock=client, limit=1024)
            stack.callback(writer.close)
            writer.write(b"GET /%d HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n" % megabytes)
            await reader.readexactly(1)
            clients.append(reader)
        came = await asyncio.gather(*(megabytes_of(reader) for reader in clients))
    assert [came[0], came[1], came[3]] == [16, 24, 24]
    assert came[2] < 25


async def megabytes_of(reader: asyncio.StreamReader) -> int:
    """How many whole ones came until the connection ended."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while some := await reader.read(1 << 20):
            count += len(some)
    return count >> 20
