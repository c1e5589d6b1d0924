"""`gateway status` beside a service that runs, and without one."""

import json

from tests.acceptance.command_line.conftest import Shell


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
