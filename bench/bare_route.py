"""A bare Starlette route in a process of its own: what an answer of the same bytes costs without a gateway."""

import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BACKLOG = 64


@contextmanager
def bare_route(body: bytes) -> Iterator[tuple[int, int]]:
    """Its port and process id; every path is answered with `body`."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as door:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(door, body), daemon=True)
        process.start()
        try:
            assert process.pid is not None
            yield door.getsockname()[1], process.pid
        finally:
            process.terminate()
            process.join()


def _serve(door: socket.socket, body: bytes) -> None:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer)])
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")).run(sockets=[door])
