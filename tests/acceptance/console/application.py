"""The gateway's HTTP side on uvicorn, in a thread of its own, with a real Postgres and no Asterisk."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory, Group, Trunk, User
from gateway.console.routes import console_routes
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox
from gateway.store import console, directories
from gateway.store.pool import open_pool

LOGIN, PASSWORD = "ops", "correct horse battery"
DIRECTORY = Directory(
    account="acme",
    name="Acme <Pty> & Co",
    time_zone="Australia/Sydney",
    country="AU",
    numbers=("+61290000001",),
    trunks=(Trunk("carrier", "PJSIP/trunk"),),
    users=(
        User("", "101", "Alice", "+61290000001", ("PJSIP/101-desk", "PJSIP/101-mobile")),
        User("", "102", "<b>Bob</b>", None, ("PJSIP/102",)),
    ),
    queues=(Group("700", "support"),),
    ring_groups=(Group("600", "sales"),),
)


@dataclass(frozen=True)
class Running:
    base_url: str
    database_url: str


@contextmanager
def running(database_url: str, key_file: Path) -> Iterator[Running]:
    """The application with `DIRECTORY` applied and one login, on a free port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    started = threading.Event()
    stop: list[uvicorn.Server] = []

    async def serve() -> None:
        pool = await open_pool(database_url)
        async with pool.acquire() as connection:
            await directories.apply(connection, DIRECTORY)
        await console.set_login(pool, "acme", LOGIN, PASSWORD)
        context = ApiContext(pool=pool, node="pbx1")
        app = create_app(context, [*webhook_routes(SecretBox.from_file(key_file)), *console_routes(context)])
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", proxy_headers=False, lifespan="off"))
        stop.append(server)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        started.set()
        await task
        await pool.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(20), "the application did not start"
        yield Running(base_url, database_url)
    finally:
        for server in stop:
            server.should_exit = True
        thread.join(20)
        listener.close()
