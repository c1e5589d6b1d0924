"""The service from outside: ready, ended, killed, and without what it needs."""

import asyncio
import signal
import socket
import time

import httpx
import pytest

from gateway.store.embedded import EmbeddedDatabase
from tests.acceptance.command_line.conftest import ROOT, Shell, free_port

DIRECTORY = str(ROOT / "asterisk-conf/demo-pbx/directory.yaml")
ENDS_WITHIN_SECONDS = 10.0


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Its exit status, and what it said on standard error."""
    _, errors = await asyncio.wait_for(process.communicate(), ENDS_WITHIN_SECONDS + 5)
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_is_ready_without_asterisk_and_ends_when_told(shell: Shell, number: signal.Signals) -> None:
    service = await shell.serve()
    await shell.until_ready()
    async with httpx.AsyncClient(base_url=shell.url) as client:
        assert (await client.get("/readyz")).json()["asterisk"] is False
        assert (await client.get("/console")).status_code in (200, 303)
    began = time.monotonic()
    service.send_signal(number)
    status, errors = await ended(service)
    assert status == 0, errors
    assert time.monotonic() - began < ENDS_WITHIN_SECONDS
    assert "Traceback" not in errors
    assert "secret" not in errors


async def test_commands_share_the_database_of_a_running_service_and_it_outlives_a_kill(shell: Shell) -> None:
    first = await shell.serve()
    await shell.until_ready()
    assert (await shell.run("apply", DIRECTORY)).status == 0
    assert (await shell.run("networks", "allow", "--account", "acme", "127.0.0.1")).status == 0
    made = await shell.run("keys", "create", "--account", "acme", "--name", "crm", "--quiet")
    key = made.output.strip()
    first.kill()
    await first.wait()
    shell.started.clear()
    second = await shell.serve()
    await shell.until_ready()
    async with httpx.AsyncClient(base_url=shell.url, headers={"Authorization": f"Bearer {key}"}) as client:
        answer = await client.get("/v1/calls")
    assert answer.status_code == 200
    assert answer.json()["data"] == []
    second.terminate()
    assert (await ended(second))[0] == 0


async def test_an_address_that_is_taken_is_one_line(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shell.settings["GATEWAY_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        status, errors = await ended(await shell.serve())
    assert status == 1
    assert errors.startswith("gateway: GATEWAY_LISTEN: cannot listen on 127.0.0.1 port ")
    assert errors.count("\n") == 1


async def test_a_database_that_is_away_is_waited_for(shell: Shell) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = f"postgresql://gateway:hush@127.0.0.1:{free_port()}/gateway"
    service = await shell.serve()
    assert service.stderr is not None
    line = await asyncio.wait_for(service.stderr.readline(), 15)
    assert b"database.away" in line
    service.terminate()
    status, errors = await ended(service)
    assert status == 0
    assert "hush" not in errors


async def test_a_database_that_goes_and_returns_while_it_serves(shell: Shell) -> None:
    postgres = EmbeddedDatabase(shell.directory / "elsewhere")
    async with postgres:
        shell.settings["GATEWAY_DATABASE_URL"] = postgres.url
        service = await shell.serve()
        await shell.until_ready()
    await shell.until_ready(503)
    async with postgres:
        await shell.until_ready()
        began = time.monotonic()
        service.terminate()
        status, errors = await ended(service)
    assert status == 0, errors
    assert time.monotonic() - began < ENDS_WITHIN_SECONDS


async def test_a_database_that_does_not_exist_is_one_line(shell: Shell, postgres_url: str) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = postgres_url.replace("/postgres?", "/nowhere?")
    status, errors = await ended(await shell.serve())
    assert status == 1
    assert errors == 'gateway: GATEWAY_DATABASE_URL: database "nowhere" does not exist\n'


async def test_a_data_directory_that_is_none_is_one_line(shell: Shell, database_url: str) -> None:
    shell.settings |= {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_DATA_DIR": "/dev/null"}
    status, errors = await ended(await shell.serve())
    assert (status, errors) == (2, "gateway: GATEWAY_DATA_DIR: /dev/null is no directory\n")


async def test_one_role_alone(shell: Shell, database_url: str) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    del shell.settings["GATEWAY_AMI_URL"]
    service = await shell.serve("--only", "api")
    await shell.until_ready()
    service.terminate()
    assert (await ended(service))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "setting", "told"),
    [
        (["--only", "api,cook"], None, "--only: there is no role 'cook'"),
        ([], ("GATEWAY_AMI_URL", ""), "GATEWAY_AMI_URL is not set"),
        ([], ("GATEWAY_LISTEN", "8080"), "GATEWAY_LISTEN: "),
        ([], ("GATEWAY_LISTNE", "x"), "GATEWAY_LISTNE: there is no such setting"),
        ([], ("GATEWAY_CEL_JOURNAL", "nowhere/Master.csv"), "GATEWAY_CEL_JOURNAL: there is no directory nowhere"),
        ([], ("GATEWAY_CEL_JOURNAL", "/tmp"), "GATEWAY_CEL_JOURNAL: /tmp is a directory"),
    ],
)
async def test_wrong_use_is_one_line_and_status_2(
    shell: Shell, arguments: list[str], setting: tuple[str, str] | None, told: str
) -> None:
    if setting:
        shell.settings[setting[0]] = setting[1]
    status, errors = await ended(await shell.serve(*arguments))
    assert status == 2
    assert errors.startswith(f"gateway: {told}")
    assert errors.count("\n") == 1
    assert not (shell.directory / "gateway-data").exists()
