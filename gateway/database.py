"""Where the database is: the one that is named, or one of the gateway's own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from gateway import data_directory
from gateway.settings import Settings


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """Its address; an embedded one runs as long as this lasts.

    Raises:
        SettingsError: there is no data directory to have one in.
    """
    if settings.database_url:
        yield settings.database_url
        return
    from gateway.store.embedded import EmbeddedDatabase  # Takes long, and is not needed above.

    async with EmbeddedDatabase(data_directory.made(settings)) as embedded:
        yield embedded.url


def not_reached(url: str, error: Exception) -> str:
    """One line for a person about an address that does not answer; of it, host and port alone are told."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["the local socket"])[0]
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None) or str(error)
    return (
        f"cannot reach {host}, port {parts.port or 5432}: {reason.splitlines()[0] if reason else 'no answer in time'}"
    )
