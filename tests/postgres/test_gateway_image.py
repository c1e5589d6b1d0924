"""docker/gateway/entrypoint.sh, run as the image runs it, on a database with nothing in it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx

from tests.lab.asterisk import CONFIGURATION, PROJECT, free_port
from tests.lab.processes import die_with_parent

ENTRYPOINT = PROJECT / "docker/gateway/entrypoint.sh"


async def test_it_migrates_applies_the_directory_and_serves(postgres_url: str, tmp_path: Path) -> None:
    port = free_port()
    name = f"image_{os.getpid()}"
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"create database {name}")
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    process = await asyncio.create_subprocess_exec(
        ENTRYPOINT,
        "--only",
        "api",
        env={key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "GATEWAY_DATABASE_URL": url,
            "GATEWAY_DATA_DIR": str(tmp_path),
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "DIRECTORY_FILE": str(CONFIGURATION / "demo-pbx/directory.yaml"),
        },
        cwd=tmp_path,
        preexec_fn=die_with_parent,
    )
    try:
        await _answers(process, f"http://127.0.0.1:{port}/healthz")
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select name from accounts where id = 'acme'") == "Acme Pty Ltd"
        await connection.close()
        # The shell became the service: what the engine sends to stop it arrives.
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


async def _answers(process: asyncio.subprocess.Process, url: str) -> None:
    async with asyncio.timeout(40), httpx.AsyncClient() as client:
        while process.returncode is None:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError(f"the entrypoint ended with status {process.returncode}")
