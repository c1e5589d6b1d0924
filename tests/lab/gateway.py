"""The gateway itself, as an operator runs it: `gateway serve` in a process of its own, on free ports."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.lab.asterisk import CONFIGURATION, AsteriskInstance, free_port
from tests.lab.processes import finished

DIRECTORY = CONFIGURATION / "demo-pbx/directory.yaml"
ACCOUNT = "acme"
READY_SECONDS = 120.0
"""A first start makes a whole Postgres: seconds, or a minute where others use the disk. It is not cut short."""

STOP_SECONDS = 12.0


class Gateway:
    """`async with Gateway(pbx, data_dir) as gateway: gateway.api` is a client with a key, let in from 127.0.0.1.

    `journal`: read Asterisk's own files instead of listening over AMI. `database_url` None: embedded.
    `roles`: what `--only` takes; None: all. With `key`, one of another gateway's on the same database,
    nothing is applied.
    """

    def __init__(
        self,
        pbx: AsteriskInstance,
        data_dir: Path,
        *,
        journal: bool = False,
        database_url: str | None = None,
        extra: Mapping[str, str] | None = None,
        roles: str | None = None,
        key: str = "",
    ) -> None:
        self.port = free_port()
        self.key = key
        self._roles = roles
        self._data_dir = data_dir
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | {
            "GATEWAY_DATA_DIR": str(data_dir),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEWAY_AMI_URL": pbx.ami_url,
            "GATEWAY_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **({"GATEWAY_DATABASE_URL": database_url} if database_url else {}),
            **(extra or {}),
        }
        if journal:
            self._environment |= {
                "GATEWAY_CEL_JOURNAL": str(pbx.cel_journal),
                "GATEWAY_QUEUE_LOG": str(pbx.queue_log),
            }
        self._process: asyncio.subprocess.Process | None = None
        self._started = False
        self._api: httpx.AsyncClient | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> httpx.AsyncClient:
        assert self._api is not None, "not started"
        return self._api

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def log(self) -> str:
        path = self._data_dir / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def __aenter__(self) -> "Gateway":
        self._data_dir.mkdir(parents=True, exist_ok=True)
        try:
            await self.start()
            if not self.key:
                await self._let_in()
        except BaseException:
            await self.stop()
            raise
        self._api = httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=10)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._api is not None:
            await self._api.aclose()
        await self.stop()

    async def _let_in(self) -> None:
        await self.command("apply", str(DIRECTORY))
        await self.command("networks", "allow", "--account", ACCOUNT, "127.0.0.1")
        self.key = (await self.command("keys", "create", "--account", ACCOUNT, "--name", "lab", "--quiet")).strip()

    async def start(self) -> None:
        """Start the service and wait until `/readyz` says so."""
        self._started = False
        with (self._data_dir / "gateway.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "serve",
                *(["--only", self._roles] if self._roles else []),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"gateway serve ended, status {self._process.returncode}:\n{self.log[-3000:]}")
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        self._started = True
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    async def stop(self) -> int | None:
        """SIGTERM; the exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS if self._started else READY_SECONDS)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)  # with whatever makes a Postgres for it
                await process.wait()
        return process.returncode

    async def kill(self) -> None:
        """SIGKILL, as a crash."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self._process = None

    def pause(self) -> None:
        """As a machine that hangs: nothing is closed, nothing is done, until it is resumed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def command(self, *arguments: str) -> str:
        """What `gateway …` prints with this gateway's settings."""
        done = await finished(sys.executable, "-m", "gateway", *arguments, environment=self._environment)
        if done.status != 0:
            raise RuntimeError(f"gateway {' '.join(arguments)}: {done.errors}")
        return done.output

    async def call(self, call_id: str) -> dict[str, Any]:
        response = await self.api.get(f"/v1/calls/{call_id}")
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    async def ended(self, call_id: str, seconds: float = 20) -> dict[str, Any]:
        """The call once it is over."""
        async with asyncio.timeout(seconds):
            while (found := await self.call(call_id))["state"] != "ended":
                await asyncio.sleep(0.02)
        return found

    async def next_ended(self, known: set[str], seconds: float = 20) -> dict[str, Any]:
        """The first call, over, whose id is not among `known`."""
        async with asyncio.timeout(seconds):
            while True:
                response = await self.api.get("/v1/calls")
                response.raise_for_status()
                for call in response.json()["data"]:
                    if call["id"] not in known:
                        found: dict[str, Any] = call
                        return found
                await asyncio.sleep(0.02)
