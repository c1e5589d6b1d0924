"""All that runs: Asterisk, Postgres, two gateways, the network between them, and the phones."""

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.chaos.agents import Crowd
from tests.chaos.disk import Disk
from tests.chaos.pbx import ACCOUNT, ChaosPbx, write_directory
from tests.chaos.postgres import Postgres
from tests.chaos.service import Service

DATA_MEGABYTES = 48
DATABASE_MEGABYTES = 768
REQUEST_SECONDS = 4.0


@dataclass(slots=True)
class Death:
    """Asterisk was down `from_` until `until`; `orderly`: it ended its calls itself."""

    from_: float
    orderly: bool
    until: float = 0.0


@dataclass(slots=True)
class History:
    """What was done, for who judges afterwards. `deaf`: when AMI's rows may have been lost, epoch seconds."""

    deaths: list[Death] = field(default_factory=list)
    deaf: list[tuple[float, float]] = field(default_factory=list)


class Plant:
    def __init__(self, crowd: Crowd, *, journal: bool, broken: str = "", keep: Path | None = None) -> None:
        self.crowd = crowd
        self.journal = journal
        self.history = History()
        self.pbx = ChaosPbx()
        self.asterisk_up = asyncio.Event()
        self.place_a_call: Callable[[], None] = lambda: None
        self.work = keep or Path(tempfile.mkdtemp(prefix="gateway-chaos-"))
        self.work.mkdir(parents=True, exist_ok=True)
        self.work.chmod(0o755)
        self.data = Disk(self.work / "data", DATA_MEGABYTES)
        self.database = Disk(self.work / "database", DATABASE_MEGABYTES)
        self.postgres = Postgres(self.database.place, self.work / "postgres.log")
        self.gateways: list[Service] = []
        self.api = httpx.AsyncClient(timeout=REQUEST_SECONDS)
        self._broken = broken
        self._keep = keep is not None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Plant":
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _open(self) -> None:
        for disk in (self.data, self.database):
            disk.open()
            self._stack.callback(disk.close)
        await self.postgres.create()
        self._stack.push_async_callback(self.postgres.stop, "immediate")
        await self._stack.enter_async_context(self.pbx)
        self.asterisk_up.set()
        await self._add_agents()
        self._stack.push_async_callback(self.crowd.close)
        for name in ("one", "two"):
            (self.data.place / name).mkdir()
            service = Service(
                name,
                self.pbx,
                data=self.data.place / name,
                log=self.work / f"gateway-{name}.log",
                database_url=self.postgres.url,
                secret_key=self.work / "secret.key",
                journal=self.journal,
                broken=self._broken,
            )
            await service.proxy.start()
            self._stack.push_async_callback(service.proxy.close)
            self.gateways.append(service)
            self._stack.push_async_callback(service.kill)
            await service.start()
            if name == "one":
                await self._introduce(service)

    async def _add_agents(self) -> None:
        await self.crowd.add("trunk", self.pbx.trunk_address, self.pbx.sip_address, by_dialled=True)
        for device, address in self.pbx.address_of.items():
            await self.crowd.add(device, address, self.pbx.sip_address)

    async def _introduce(self, service: Service) -> None:
        directory = self.work / "directory.yaml"
        write_directory(directory)
        for arguments in (("apply", str(directory)), ("networks", "allow", "--account", ACCOUNT, "127.0.0.1")):
            status, _, errors = await service.command(*arguments)
            if status:
                raise RuntimeError(f"gateway {arguments[0]}: {errors}")
        status, key, errors = await service.command("keys", "create", "--account", ACCOUNT, "--name", "x", "--quiet")
        if status:
            raise RuntimeError(f"gateway keys: {errors}")
        self.api.headers["Authorization"] = f"Bearer {key.strip()}"

    async def _close(self) -> None:
        await self.api.aclose()
        await self._stack.aclose()
        if not self._keep:
            shutil.rmtree(self.work, ignore_errors=True)

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """The first answer of whichever gateway gives one; None where none does."""
        for service in self.gateways:
            if service.pid is None or service.paused:
                continue
            try:
                response = await self.api.request(method, service.url + path, **more)
            except httpx.HTTPError:
                continue
            if response.status_code < 500:
                return response
        return None

    async def leader(self) -> Service:
        """The gateway that writes the records, as far as it can be told; else the first."""
        for service in self.gateways:
            if service.pid is None or service.paused:
                continue
            try:
                told = (await self.api.get(f"{service.url}/v1/status")).json()
                if told["source"]["running"]:
                    return service
            except (httpx.HTTPError, KeyError, ValueError):
                continue
        return self.gateways[0]

    async def all(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every row of a list."""
        rows: list[dict[str, Any]] = []
        for page in itertools.count():
            asked = parameters | {"offset": page * 1000, "limit": 1000}
            response = await self.request("GET", path, params=asked)
            if response is None:
                raise RuntimeError(f"{path}: no gateway answers")
            response.raise_for_status()
            told = response.json()
            rows += told["data"]
            if not told["has_more"]:
                break
        return rows

    async def events(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            after = rows[-1]["sequence"] if rows else 0
            response = await self.request("GET", "/v1/events", params={"after": after, "limit": 1000})
            if response is None:
                raise RuntimeError("/v1/events: no gateway answers")
            response.raise_for_status()
            told = response.json()
            rows += told["data"]
            if not told["has_more"]:
                return rows

    async def asterisk_dies(self, *, orderly: bool) -> None:
        death = Death(time.time(), orderly)
        self.asterisk_up.clear()
        self.history.deaths.append(death)
        await (self.pbx.stop() if orderly else self.pbx.kill())
        self.crowd.cut()

    async def asterisk_returns(self) -> None:
        await self.pbx.start()
        self.crowd.cut()
        self.history.deaths[-1].until = time.time()
        self.asterisk_up.set()
