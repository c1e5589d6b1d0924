"""The console, its requests and a webhook on the real thing: Chromium, gateway, Asterisk and phones."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.console.browser import chromium
from tests.acceptance.console.flow import drive_console
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import ACCOUNT, Gateway
from tests.lab.phones import carrier, device
from tests.lab.webhook_receiver import receiving

DESTINATION = "+61255501234"


@pytest.mark.timeout(120)
async def test_a_click_in_the_console_rings_real_phones_and_the_webhook_tells_it(tmp_path: Path) -> None:
    async with (
        AsteriskInstance() as pbx,
        device(pbx, "101-desk") as desk,
        carrier(pbx) as outside,
        Gateway(pbx, tmp_path / "data") as gateway,
        receiving() as receiver,
    ):
        response = await gateway.api.post("/v1/webhooks", json={"url": receiver.url})
        receiver.secret = response.json()["secret"]
        await desk.behave(answer_after=0.2)
        await outside.behave(answer_after=0.2)
        password = (await gateway.command("console", "login", "--account", ACCOUNT, "--quiet")).strip()

        def drive() -> dict[str, object]:
            with chromium(tmp_path / "profile") as driver:
                return drive_console(driver, gateway.url, "admin", password, user="101", destination=DESTINATION)

        driving = asyncio.create_task(asyncio.to_thread(drive))
        await outside.wait_for("talking", seconds=60)
        await outside.hang_up()
        seen = await driving

        call = seen["call"]
        assert isinstance(call, dict)
        assert call["status"] == 202
        recorded = await gateway.next_ended(set())
        assert (recorded["outcome"], recorded["callee"]["number"]) == ("answered", DESTINATION)
        await receiver.wait_for("call.ended", recorded["id"])
        assert receiver.types_of(recorded["id"]) == ["call.started", "call.ringing", "call.answered", "call.ended"]
        assert receiver.refused == 0
        # Two devices were offered and one was there to ring: once.
        assert len(desk.all("invite")) == 1
        assert len(outside.all("invite")) == 1
