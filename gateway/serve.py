"""The service: all roles in one process, or some of them.

`api` answers HTTP, `listen` hears Asterisk and writes the records, `dispatch` sends webhooks.
Postgres and Asterisk may come, go and return while it runs.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Collection, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog
import uvicorn

from gateway import data_directory
from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.api.slow_clients import PunctualProtocol
from gateway.asterisk.ami import AmiSession
from gateway.asterisk.journal import JournalSource
from gateway.asterisk.kept_files import KeptFiles
from gateway.asterisk.listener import Listener
from gateway.asterisk.source import Source
from gateway.asterisk.spool import SpoolSource
from gateway.asterisk.spool_directory import SpoolDirectory
from gateway.calls.instant import datetime_text, to_text
from gateway.console.routes import console_routes
from gateway.database import database
from gateway.events.dispatcher import Dispatcher
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox
from gateway.ingest import Ingest
from gateway.ingest.upkeep import Upkeep
from gateway.node_name import node_name, settled_node_name
from gateway.service_log import to_standard_error
from gateway.settings import Settings, source_files
from gateway.store import directories
from gateway.store.connection import DRIVER_ERRORS, Pool
from gateway.store.migrations import migrate
from gateway.store.pool import open_pool

ROLES = ("api", "listen", "dispatch")
DRAIN_SECONDS = 8
CANCEL_AGAIN_SECONDS = 0.2
CONNECT_SECONDS = 5.0
AMI_UNHEARD = timedelta(seconds=20)
"""A link that died is noticed by then: see `ami.Pace`."""

AWAY_SECONDS = 1.0
BACKLOG = 2048
DATABASE_AWAY = (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)

log = structlog.get_logger()

T = TypeVar("T")


async def serve(settings: Settings, roles: Collection[str] = ROLES) -> None:
    """Runs until SIGTERM or SIGINT, then drains and ends within ten seconds.

    Raises:
        SettingsError: the data directory cannot be had.
        OSError: the address to listen on cannot be had.
        asyncpg.PostgresError: the database refuses us. One that is away is waited for.
    """
    to_standard_error()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        door = stack.enter_context(listening_socket(*settings.listen_address)) if "api" in roles else None
        if "listen" in roles or settings.secret_key_file is None:
            data_directory.made(settings)
        url = await stack.enter_async_context(database(settings))
        pool = await _connected(url, stop)
        if pool is None:
            return
        stack.callback(pool.terminate)
        async with pool.acquire() as connection:
            for name in await migrate(connection):
                log.info("migrated", migration=name)
        knows = "api" in roles or "listen" in roles
        node = await _unless(stop, settled_node_name(settings)) if knows else node_name(settings)
        if node is not None:
            await _warn_of_no_directory(pool, node)
            await _run(settings, node, roles, pool, door, stop, stack)


def listening_socket(host: str, port: int) -> socket.socket:
    """The address, ours before anything else starts: that it is another's is told at once.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(f"GATEWAY_LISTEN: cannot listen on {host} port {port}: {error.strerror or error}") from None
    # Each connection has it from here: asyncio leaves it off where a socket does not name its protocol. Without it
    # the last of an answer waits until the client has acknowledged what came before, which it delays by 40 ms.
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


async def _connected(url: str, stop: asyncio.Event) -> Pool | None:
    """The pool, once the database answers; None where the service is to end before that."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await open_pool(url)
        except DATABASE_AWAY as error:
            log.warning("database.away", error=str(error) or type(error).__name__)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AWAY_SECONDS):
                await stop.wait()
    return None


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """What it gives; None where the service is to end before that."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return None


async def _warn_of_no_directory(pool: Pool, node: str) -> None:
    """Calls of a node that no directory names would be nobody's: kept, counted, and told to nobody."""
    try:
        accounts = await directories.accounts_on(pool, node)
    except (asyncpg.PostgresError, *DRIVER_ERRORS):
        return  # It is waited for.
    if not accounts:
        log.warning("node.in_no_directory", node=node, reason="its calls belong to no account: see `gateway apply`")


def _warn_of_no_file(settings: Settings) -> None:
    """It is waited for; but its name may be wrong."""
    for name, path in source_files(settings):
        if not path.exists():
            log.warning("source.not_there_yet", setting=name, path=str(path))


async def _run(
    settings: Settings,
    node: str,
    roles: Collection[str],
    pool: Pool,
    door: socket.socket | None,
    stop: asyncio.Event,
    stack: AsyncExitStack,
) -> None:
    box = SecretBox.from_file(settings.key_file)
    tasks: list[asyncio.Task[None]] = []
    listener: Listener | None = None
    ingest: Ingest | None = None
    if "listen" in roles and settings.ami_url:
        spool = None if settings.cel_journal else stack.enter_context(SpoolDirectory(settings.spool_dir))
        _warn_of_no_file(settings)
        source = _source(settings, spool)
        listener = Listener(settings.ami_url, spool, source)
        await listener.start()
        stack.push_async_callback(listener.close)
        heard = listener
        # The journal holds what happened whether anybody listens or not.
        hears = (lambda: not heard.owes) if settings.cel_journal else (lambda: heard.hears)
        ingest = Ingest(pool, node, source, hears, heard.ask_channels)
        tasks.append(asyncio.create_task(ingest.run(), name="ingest"))
        upkeep = Upkeep(
            pool,
            node,
            _source(settings, spool),
            ingest,
            hears=hears,
            unheard=timedelta() if settings.cel_journal else AMI_UNHEARD,
            raw_kept=timedelta(days=settings.raw_retention_days),
            events_kept=timedelta(days=settings.event_retention_days),
            files=KeptFiles(settings.cel_journal, settings.queue_log, spool),
        )
        tasks.append(asyncio.create_task(upkeep.run(), name="upkeep"))
    if "dispatch" in roles:
        dispatcher = Dispatcher(pool, box, allowed_networks=settings.webhook_allowed_networks)
        tasks.append(asyncio.create_task(dispatcher.run(), name="dispatch"))
    if door is not None:
        tasks.append(
            asyncio.create_task(_api(settings, node, pool, box, door, listener, ingest, stop, stack), name="api")
        )
    log.info("serving", roles=list(roles), listen=settings.listen, node=node)
    waiting = asyncio.create_task(_until(stop), name="stop")
    done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await _ended(tasks)
    for task in done - {waiting}:
        task.result()


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Ends the roles: the API drains, the others are cancelled.

    More than once, if need be: a connection that died meanwhile can turn a cancellation into an error
    of the database, which the role would take for a reason to try again.
    """
    pending = set(tasks)
    deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
    while pending and asyncio.get_running_loop().time() < deadline:
        for task in pending:
            if task.get_name() != "api":
                task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


def _source(settings: Settings, spool: Path | None) -> Source:
    if settings.cel_journal:
        return JournalSource(settings.cel_journal, settings.queue_log)
    return SpoolSource(spool or settings.spool_dir)


async def _api(
    settings: Settings,
    node: str,
    pool: Pool,
    box: SecretBox,
    door: socket.socket,
    listener: Listener | None,
    ingest: Ingest | None,
    stop: asyncio.Event,
    stack: AsyncExitStack,
) -> None:
    session: AmiSession | None = None
    if settings.ami_url:
        session = AmiSession(settings.ami_url, events=False)
        await session.start()
        stack.push_async_callback(session.close)
    context = ApiContext(
        pool=pool,
        node=node,
        ami=session,
        trusted_proxies=settings.trusted_proxies,
        forwarded_header=settings.forwarded_header,
        cors_origins=settings.cors_origins,
        status=lambda: status_of(settings, listener, ingest),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(context, [*webhook_routes(box), *console_routes(context)]),
            http=PunctualProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=DRAIN_SECONDS - 2,
        )
    )
    # While it serves, uvicorn's own signal handlers stand before ours; the loop hears the signal all the same.
    serving = asyncio.create_task(server.serve(sockets=[door]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


def status_of(settings: Settings, listener: Listener | None, ingest: Ingest | None) -> Mapping[str, object]:
    """What the listening roles of this process tell, JSON-ready."""
    if listener is None or ingest is None:
        return {}
    progress = ingest.progress
    last = progress.last_commit_at
    return {
        "asterisk": {
            "connected": listener.connected,
            "version": listener.version,
            "last_error": listener.last_error,
        },
        "source": {
            "kind": "journal" if settings.cel_journal else "ami",
            "role": ingest.role,
            "epoch": ingest.epoch,
            "running": progress.running,
            "caught_up": progress.caught_up,
            "rows": progress.rows,
            "read_until": None if progress.read_until is None else to_text(progress.read_until),
            "unread_bytes": progress.unread_bytes,
            "unowned_calls": progress.unowned_calls,
            "refused": progress.refused,
            "last_commit_at": datetime_text(last) if last else None,
            "last_error": progress.last_error,
        },
    }
