"""What Asterisk sends to the gateway's AMI user: what is used, and nothing else, in either form of the filter."""

import re
from collections.abc import Mapping

from gateway.asterisk.ami import AmiSession
from tests.asterisk.laboratory import Laboratory
from tests.lab.asterisk import CONFIGURATION

FILTERS = CONFIGURATION / "gateway/manager-gateway.conf"
BY_NAME = re.compile(r"^eventfilter\(action\(include\),name\((\w+)\)\) =$", re.MULTILINE)
BY_EXPRESSION = re.compile(r"^;(eventfilter = .*)$", re.MULTILINE)
LET_THROUGH = set(BY_NAME.findall(FILTERS.read_text()))


async def heard_of_a_call(lab: Laboratory, url: str) -> set[str]:
    """The names of all events that this user of AMI is sent while one colleague calls another, and of a list."""
    names: set[str] = set()

    def hear(headers: Mapping[str, str]) -> None:
        names.add(headers["Event"])

    bob, carol = await lab.phones("102", "103")
    session = AmiSession(url, events=True, on_event=hear)
    await session.start()
    try:
        await session.wait_connected(10)
        await carol.behave(answer_after=0.1)
        await bob.call("103")
        await carol.wait_for("talking")
        await lab.talk()
        channels = await session.list_action("CoreShowChannels", {}, "CoreShowChannelsComplete")
        assert len(channels) == 2
        assert await session.list_action("DeviceStateList", {}, "DeviceStateListComplete")
        await bob.hang_up()
        await lab.record()
        # Whatever was sent before this is answered has arrived.
        await session.action("Ping")
    finally:
        await session.close()
    return names


async def test_everything_else_stays_in_asterisk(lab: Laboratory) -> None:
    names = await heard_of_a_call(lab, lab.pbx.ami_url)
    assert "CEL" in names
    assert names <= LET_THROUGH


async def test_without_a_filter_there_is_more(lab: Laboratory) -> None:
    assert "VarSet" in await heard_of_a_call(lab, lab.pbx.operator_url)


async def test_the_form_for_an_older_asterisk_lets_the_same_through(lab: Laboratory) -> None:
    (expression,) = BY_EXPRESSION.findall(FILTERS.read_text())
    assert set(re.findall(r"\w+", expression.partition(": ")[2])) == LET_THROUGH
    installed = lab.pbx.directory / "etc/manager-gateway.conf"
    installed.write_text(f"{BY_NAME.sub('', installed.read_text())}\n{expression}\n")
    await lab.pbx.command("manager reload")
    names = await heard_of_a_call(lab, lab.pbx.ami_url)
    assert "CEL" in names
    assert names <= LET_THROUGH
