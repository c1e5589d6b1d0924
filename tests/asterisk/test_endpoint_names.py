"""Endpoints are named as their operators like: with dots, with a plus."""

import pytest

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.devices import contacts
from tests.asterisk.laboratory import OUTSIDE, Laboratory
from tests.lab.phones import device


@pytest.mark.parametrize("name", ["desk+1", "alice.desk", "+61290000009"])
async def test_a_device_rings_whatever_its_endpoint_is_called(lab: Laboratory, name: str) -> None:
    with (lab.pbx.directory / "etc/pjsip.conf").open("a") as configuration:
        configuration.write(f"\n[{name}](phone)\naors = {name}\nauth = {name}\n[{name}](aor)\n")
        configuration.write(f"[{name}](auth)\nusername = {name}\n")
    await lab.pbx.command("module reload res_pjsip.so")
    async with device(lab.pbx, name) as phone:
        session = AmiSession(lab.pbx.ami_url, events=False)
        await session.start()
        try:
            await session.wait_connected(10)
            assert await contacts(session, [f"PJSIP/{name}"]) == {f"PJSIP/{name}": 1}
        finally:
            await session.close()
        await lab.click(OUTSIDE, devices=(f"PJSIP/{name}",), ring_timeout=5)
        assert f"sip:{OUTSIDE}@" in (await phone.wait_for("invite", seconds=4)).header("From")
