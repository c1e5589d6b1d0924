"""What every command shares: settings, a database, one-line errors, output for people or for scripts."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

import asyncpg
import typer

from gateway.database import database, not_reached
from gateway.events.secrets import SecretKeyError
from gateway.settings import Settings, SettingsError, load
from gateway.store import nodes
from gateway.store.connection import DRIVER_ERRORS, Connection
from gateway.store.errors import StoreError, UnknownAccount
from gateway.store.migrations import migrate

T = TypeVar("T")


ADDRESS_IS_WRONG = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ClientConfigurationError,
)
"""No such database, user or password; what the driver cannot read."""


class Wrong(Exception):
    """The command was used wrongly: exit status 2."""


class NotReached(StoreError):
    """The database of the settings does not answer."""


def fail(text: str, status: int = 1) -> NoReturn:
    """One line on standard error, and the exit status."""
    print(f"gateway: {text}", file=sys.stderr)
    raise typer.Exit(status)


def settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        fail(str(error), 2)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run a command's work; what can go wrong becomes one line."""

    async def awaited() -> T:
        return await work()

    try:
        return asyncio.run(awaited())
    except typer.Exit:
        raise
    except Wrong as error:
        fail(str(error), 2)
    except SettingsError as error:
        fail(str(error), 2)
    except (StoreError, SecretKeyError) as error:
        fail(str(error))
    except asyncpg.UndefinedTableError:
        fail("the database has no tables yet: run `gateway migrate`")
    except ADDRESS_IS_WRONG as error:
        fail(f"GATEWAY_DATABASE_URL: {str(error).splitlines()[0]}")
    except (asyncpg.PostgresError, *DRIVER_ERRORS) as error:
        fail(f"the database: {str(error).splitlines()[0]}")
    except (OSError, RuntimeError) as error:
        fail(str(error) or type(error).__name__)


@asynccontextmanager
async def connection(*, migrated: bool = False) -> AsyncIterator[Connection]:
    """A connection to the database of the settings; an embedded one runs as long as it is used."""
    async with database(settings()) as url:
        opened = await _connected(url)
        try:
            if migrated:
                await migrate(opened)
            yield opened
        finally:
            await opened.close()


async def _connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(url)
    except OSError as error:
        raise NotReached(f"GATEWAY_DATABASE_URL: {not_reached(url, error)}") from None


@asynccontextmanager
async def transaction() -> AsyncIterator[Connection]:
    """As `connection`; what is done and what the audit log says of it are committed together."""
    async with connection() as opened, opened.transaction():
        yield opened


async def known_node(opened: Connection, node: str, own: str) -> str:
    """`node`, or our own where it is empty. Raises Wrong: nothing is recorded of it."""
    if node in ("", own) or await nodes.is_known(opened, node):
        return node or own
    raise Wrong(f"--node: nothing is recorded of {node!r}; there is {', '.join(await nodes.names(opened)) or 'none'}")


def line(option: str, text: str, *, least: int = 1, most: int = 255) -> str:
    """A free text as the API takes it. Raises Wrong."""
    if not least <= len(text) <= most:
        raise Wrong(f"{option}: has {len(text)} characters; from {least} to {most} are possible")
    if not text.isprintable():
        raise Wrong(f"{option}: control characters are not allowed")
    return text


async def known(opened: Connection, account: str) -> str:
    """The account, if a directory of it was applied. Raises UnknownAccount."""
    if not await opened.fetchval("select exists (select from accounts where id = $1)", account):
        raise UnknownAccount(account)
    return account


def show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """A JSON list, or a table."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    for line in [names, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
