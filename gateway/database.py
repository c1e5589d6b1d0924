"""Where the database is: the one that is named, or one of the gateway's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.settings import Settings


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """Its address; an embedded one runs as long as this lasts."""
    if settings.database_url:
        yield settings.database_url
        return
    from gateway.store.embedded import EmbeddedDatabase  # Takes long, and is not needed above.

    async with EmbeddedDatabase(settings.data_dir) as embedded:
        yield embedded.url
