"""`gateway …` as a script runs it, and `gateway serve` as a service manager does."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[3]
READY_SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass(frozen=True)
class Done:
    status: int
    output: str
    errors: str


@dataclass
class Shell:
    """A working directory, an environment of GATEWAY_ settings only of ours, and what was started there."""

    directory: Path
    settings: dict[str, str]
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def run(self, *arguments: str) -> Done:
        process = await self._start(*arguments)
        output, errors = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, output.decode(), errors.decode())

    async def serve(self, *arguments: str) -> asyncio.subprocess.Process:
        """Started, not waited for."""
        process = await self._start("serve", *arguments)
        self.started.append(process)
        return process

    @property
    def url(self) -> str:
        return f"http://{self.settings['GATEWAY_LISTEN']}"

    async def until_ready(self, status: int = 200) -> None:
        """Until `/readyz` answers with the status."""
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            while True:
                for process in self.started:
                    if process.returncode is not None and process.stderr is not None:
                        raise AssertionError((await process.stderr.read()).decode())
                try:
                    if (await client.get("/readyz")).status_code == status:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *arguments,
            cwd=self.directory,
            env=outside | {"PYTHONPATH": str(ROOT)} | self.settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    """No database named, no Asterisk at the address that is."""
    made = Shell(
        tmp_path,
        {
            "GATEWAY_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEWAY_NODE": "pbx1",  # Else Asterisk would be waited for, to say.
            "GATEWAY_AMI_URL": f"ami://gateway:secret@127.0.0.1:{free_port()}",
        },
    )
    yield made
    for process in made.started:
        if process.returncode is None:
            process.kill()
        await process.wait()
