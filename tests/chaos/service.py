"""`gateway serve` as a service manager runs it: killed, paused, started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.proxy import AmiProxy
from tests.lab.asterisk import AsteriskInstance, free_port
from tests.lab.processes import die_with_parent

ALIVE_SECONDS = 60.0


class Service:
    """One gateway process. `broken`: which safeguard it runs without (tests/chaos/broken.py), or none."""

    def __init__(
        self,
        name: str,
        pbx: AsteriskInstance,
        *,
        data: Path,
        log: Path,
        database_url: str,
        secret_key: Path,
        journal: bool,
        broken: str = "",
    ) -> None:
        self.name = name
        self.log = log
        self.port = free_port()
        self.proxy = AmiProxy(free_port(), pbx.ami_port)
        self.paused = False
        self.starts = 0
        self._module = ["tests.chaos.broken", broken] if broken else ["gateway"]
        self._process: asyncio.subprocess.Process | None = None
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
        self._environment = inherited | {
            "GATEWAY_DATA_DIR": str(data),
            "GATEWAY_SECRET_KEY_FILE": str(secret_key),
            "GATEWAY_DATABASE_URL": database_url,
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEWAY_AMI_URL": pbx.ami_url.replace(f":{pbx.ami_port}", f":{self.proxy.port}"),
        }
        if journal:
            self._environment |= {
                "GATEWAY_CEL_JOURNAL": str(pbx.cel_journal),
                "GATEWAY_QUEUE_LOG": str(pbx.queue_log),
            }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def spawn(self) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.start())

    async def start(self) -> None:
        """Start it, and wait until it answers; what ends at once is started again, as service managers do."""
        async with asyncio.timeout(ALIVE_SECONDS), httpx.AsyncClient(base_url=self.url, timeout=2) as client:
            while True:
                if self.pid is None:
                    await self._start()
                with_answer: Mapping[str, Any] | None = None
                try:
                    with_answer = (await client.get("/healthz")).json()
                except (httpx.HTTPError, ValueError):
                    await asyncio.sleep(0.1)
                if with_answer is not None or self.paused:
                    return
                if self.pid is None:
                    await asyncio.sleep(0.5)

    async def _start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._module,
                "serve",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """As a crash."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        self.paused = False

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self.resume()
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 12)
        except TimeoutError:
            await self.kill()

    def pause(self) -> None:
        if self.pid is not None:
            self.paused = True
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.pid is not None and self.paused:
            os.kill(self.pid, signal.SIGCONT)
        self.paused = False

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of `gateway …` with this service's settings."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()
