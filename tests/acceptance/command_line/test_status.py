"""`gateway status` beside a service that runs, and without one."""

import json
from pathlib import Path

import httpx

from gateway.calls.directory import Directory
from gateway.store import directories, keys, networks
from gateway.store.connection import Pool
from tests.acceptance.command_line.conftest import Shell
from tests.directories import ACME
from tests.postgres.test_ingest import read_all
from tests.unit.calls.tables import rows
from tests.unit.calls.test_direct_calls import ANSWERED


async def test_it_tells_whether_the_service_answers(shell: Shell, database_url: str) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    before = json.loads((await shell.run("status", "--json")).output)
    assert before["services"] == [{"url": shell.url, "status": "down"}]
    service = await shell.serve()
    await shell.until_ready()
    during = json.loads((await shell.run("status", "--json")).output)
    assert during["services"] == [{"url": shell.url, "status": "ready", "database": True, "asterisk": False}]
    service.terminate()
    assert await service.wait() == 0


async def test_it_counts_the_calls_of_no_account(shell: Shell, database_url: str, pool: Pool) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    await read_all(pool, rows(ANSWERED))
    [node] = json.loads((await shell.run("status", "--json")).output)["nodes"]
    assert (node["node"], node["unowned_calls"]) == ("pbx1", 1)
    async with pool.acquire() as connection:
        await directories.apply(connection, ACME)
    key = await keys.create(pool, "acme", "crm", ["calls:read"])
    await networks.allow(pool, "acme", networks.parse_network("127.0.0.1"))
    await shell.serve()
    await shell.until_ready()
    async with httpx.AsyncClient(base_url=shell.url, headers={"Authorization": f"Bearer {key}"}) as client:
        source = (await client.get("/v1/status")).json()["source"]
    assert source["unowned_calls"] == 1


async def test_a_node_with_a_gap_is_settled_until_no_moment(shell: Shell, database_url: str, pool: Pool) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    await read_all(pool, rows(ANSWERED))
    [node] = json.loads((await shell.run("status", "--json")).output)["nodes"]
    assert node["settled_until"] is not None
    await pool.execute("update nodes set gap_at = now()")
    [node] = json.loads((await shell.run("status", "--json")).output)["nodes"]
    assert node["settled_until"] is None
    assert node["gap_at"] is not None


async def _log_of_a_start(shell: Shell) -> str:
    service = await shell.serve()
    await shell.until_ready()
    service.terminate()
    _, errors = await service.communicate()
    shell.started.clear()
    return errors.decode()


async def test_a_service_warns_where_no_directory_is_on_its_node(
    shell: Shell, database_url: str, acme: Directory
) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    assert (await _log_of_a_start(shell)).count("node.in_no_directory") == 0
    shell.settings["GATEWAY_NODE"] = "pbx9"
    assert (await _log_of_a_start(shell)).count("node.in_no_directory") == 1


async def test_a_service_warns_of_a_file_that_is_not_there_yet(
    shell: Shell, database_url: str, acme: Directory, tmp_path: Path
) -> None:
    """It may come later, or its name is wrong."""
    shell.settings |= {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_AMI_URL": "ami://nobody:secret@127.0.0.1:1",
        "GATEWAY_CEL_JOURNAL": str(tmp_path / "Master.csv"),
        "GATEWAY_QUEUE_LOG": str(tmp_path / "queue_log"),
    }
    (tmp_path / "queue_log").touch()
    log = await _log_of_a_start(shell)
    assert log.count("source.not_there_yet") == 1
    assert str(tmp_path / "Master.csv") in log
