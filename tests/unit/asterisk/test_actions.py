"""Originate, hangup and devices against a scripted peer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.asterisk import calls_control, devices, originate
from gateway.asterisk.errors import ActionRefused, UnsafeValue
from tests.unit.asterisk.peer import Action, Connection, ScriptedPeer
from tests.unit.asterisk.test_values import REQUEST

Opener = Callable[..., Any]


def channels(*rows: tuple[str, str, str]) -> Callable[[Connection, Action], None]:
    def answer(connection: Connection, action: Action) -> None:
        own = f"ActionID: {action['ActionID'][0]}"
        connection.reply(action, "Response: Success", "EventList: start", "Message: Channels will follow")
        for name, unique_id, linked_id in rows:
            connection.send(
                "Event: CoreShowChannel", own, f"Channel: {name}", f"Uniqueid: {unique_id}", f"Linkedid: {linked_id}"
            )
        connection.send("Event: CoreShowChannelsComplete", own, "EventList: Complete", f"ListItems: {len(rows)}")

    return answer


async def test_an_originate_leaves_with_one_header_for_each_variable(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["Originate"] = lambda c, a: c.reply(a, "Response: Success", "Message: queued")
    await originate.place(await open_session(events=False), REQUEST)
    sent = next(action for action in peer.actions if action["Action"] == ["Originate"])
    assert sent["ChannelId"] == [REQUEST.id]
    assert sent["Variable"] == [f"{name}={value}" for name, value in originate.variables(REQUEST)]


async def test_an_unsafe_originate_never_leaves(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session(events=False)
    with pytest.raises(UnsafeValue):
        await originate.place(session, replace(REQUEST, destination="+61255501234&PJSIP/trunk"))
    assert peer.count("Originate") == 0


async def test_hanging_up_ends_the_channels_of_the_call_and_no_others(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["CoreShowChannels"] = channels(
        ("PJSIP/101-1", "1.1", "1.1"), ("PJSIP/102-2", "1.2", "1.1"), ("PJSIP/103-3", "1.3", "1.3")
    )
    peer.answers["Hangup"] = lambda c, a: c.reply(a, "Response: Success", "Message: Channel Hungup")
    assert await calls_control.hang_up(await open_session(), {"1.1"}) == 2
    hung_up = [action["Channel"] for action in peer.actions if action["Action"] == ["Hangup"]]
    assert sorted(hung_up) == [["1.1"], ["1.2"]]


async def test_a_channel_that_is_gone_meanwhile_is_hung_up(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["CoreShowChannels"] = channels(("PJSIP/101-1", "1.1", "1.1"))
    peer.answers["Hangup"] = lambda c, a: c.reply(a, "Response: Error", "Message: No such channel")
    assert await calls_control.hang_up(await open_session(), {"1.1"}) == 1


async def test_a_hangup_that_is_not_allowed_is_an_error(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["CoreShowChannels"] = channels(("PJSIP/101-1", "1.1", "1.1"))
    peer.answers["Hangup"] = lambda c, a: c.reply(a, "Response: Error", "Message: Permission denied")
    with pytest.raises(ActionRefused):
        await calls_control.hang_up(await open_session(), {"1.1"})


async def test_contacts_are_counted_as_the_dialplan_would_dial_them(peer: ScriptedPeer, open_session: Opener) -> None:
    contacts = {
        "PJSIP_DIAL_CONTACTS(101-desk)": "PJSIP/101-desk/sip:a@127.0.0.2:5060&PJSIP/101-desk/sip:b@127.0.0.3:5060",
        "PJSIP_DIAL_CONTACTS(102)": "PJSIP/102/sip:a@h&LocalX/1,2",
        "PJSIP_DIAL_CONTACTS(103)": "PJSIP/103/sip:a|b@h",
    }
    peer.answers["Getvar"] = lambda c, a: c.reply(
        a, "Response: Success", f"Variable: {a['Variable'][0]}", f"Value: {contacts.get(a['Variable'][0], '')}"
    )
    names = ["PJSIP/101-desk", "PJSIP/102", "PJSIP/103", "PJSIP/104"]
    assert await devices.contacts(await open_session(events=False), names) == {
        "PJSIP/101-desk": 2, "PJSIP/102": 0, "PJSIP/103": 0, "PJSIP/104": 0,
    }  # fmt: skip


async def test_a_device_that_is_no_endpoint_is_never_asked_for(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session()
    with pytest.raises(UnsafeValue):
        await devices.contacts(session, ["PJSIP/101)}${SHELL(id)"])
    assert peer.count("Getvar") == 0


async def test_device_states(peer: ScriptedPeer, open_session: Opener) -> None:
    def listing(connection: Connection, action: Action) -> None:
        own = f"ActionID: {action['ActionID'][0]}"
        connection.reply(action, "Response: Success", "EventList: start")
        connection.send("Event: DeviceStateChange", own, "Device: PJSIP/101-desk", "State: NOT_INUSE")
        connection.send("Event: DeviceStateListComplete", own, "EventList: Complete")

    peer.answers["DeviceStateList"] = listing
    assert await devices.states(await open_session()) == {"PJSIP/101-desk": "registered"}
