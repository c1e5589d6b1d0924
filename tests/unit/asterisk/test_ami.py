"""The session against a scripted peer: one test for each thing measured to go wrong elsewhere."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.asterisk import ami_link
from gateway.asterisk.ami import AmiSession, Pace
from gateway.asterisk.errors import (
    ActionRefused,
    ActionTimeout,
    LinkLost,
    NotConnected,
    TooManyActions,
    UnsafeValue,
)
from tests.unit.asterisk.conftest import IMPATIENT, QUICK
from tests.unit.asterisk.peer import Action, Connection, ScriptedPeer, accept_login, silence

Opener = Callable[..., Any]


def cut_link(connection: Connection, action: Action) -> None:
    connection.cut()


async def succeed(connection: Connection, action: Action) -> None:
    connection.reply(action, "Response: Success", "Message: Done")


class Heard:
    """Collects events and lets a test wait for their number."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, headers: Mapping[str, str]) -> None:
        self.events.append(headers)
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.events) < count:
                self._news.clear()
                await self._news.wait()


async def test_signs_in_with_the_secret_decoded_and_events_as_asked(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session(events=False)
    login = peer.actions[0]
    assert (login["Username"], login["Secret"], login["Events"]) == (["gateway"], ["s3cr@t"], ["off"])
    assert session.connected
    assert session.last_error is None


async def test_an_action_gives_its_answer(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["Getvar"] = lambda c, a: c.reply(a, "Response: Success", "Variable: X", "Value: 7")
    reply = await (await open_session()).action("Getvar", {"Variable": "X"})
    assert reply.headers["Value"] == "7"


async def test_a_reconnect_never_sends_an_originate_again(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["Originate"] = cut_link
    session = await open_session()
    with pytest.raises(LinkLost):
        await session.action("Originate", {"Channel": "Local/101@gw-ring/n"})
    await session.wait_connected(5)
    peer.answers["Getvar"] = succeed
    await session.action("Getvar", {"Variable": "X"})
    assert peer.count("Login") == 2
    assert peer.count("Originate") == 1


async def test_an_action_while_there_is_no_link_fails_at_once_and_is_never_sent(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    peer.answers["Login"] = silence
    session = await open_session(wait=False, pace=IMPATIENT)
    await peer.until(lambda: peer.count("Login") > 0)
    with pytest.raises(NotConnected):
        await session.action("Originate", {"Channel": "Local/101@gw-ring/n"})
    peer.answers["Login"] = accept_login
    await session.wait_connected(5)
    assert peer.count("Originate") == 0


@pytest.mark.parametrize("bad", ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b", "a\udc80b"])
async def test_a_value_that_would_be_another_header_is_refused_before_anything_is_sent(
    peer: ScriptedPeer, open_session: Opener, bad: str
) -> None:
    session = await open_session()
    with pytest.raises(UnsafeValue):
        await session.action("Originate", {"Exten": bad})
    with pytest.raises(UnsafeValue):
        await session.action("Originate", {bad: "1"})
    with pytest.raises(UnsafeValue):
        await session.action("Originate", {}, [("X", bad)])
    with pytest.raises(UnsafeValue):
        await session.action(f"Ping{bad}")
    with pytest.raises(UnsafeValue):
        await session.list_action("CoreShowChannels", {"X": bad}, "CoreShowChannelsComplete")
    await session.action("Ping")
    assert [action["Action"] for action in peer.actions] == [["Login"], ["Ping"]]


@pytest.mark.parametrize("bad", ["1,Y=2", 'a"b', "a\\b", "${SHELL(id)}", "$[1+1]"])
async def test_a_variable_that_asterisk_would_part_or_evaluate_is_refused(
    peer: ScriptedPeer, open_session: Opener, bad: str
) -> None:
    session = await open_session()
    with pytest.raises(UnsafeValue):
        await session.action("Originate", {}, [("X", bad)])
    assert peer.count("Originate") == 0


async def test_what_is_awaited_fails_when_the_link_is_lost(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session()
    pending = [asyncio.create_task(session.action("Status", timeout=60)) for _ in range(3)]
    listed = asyncio.create_task(session.list_action("CoreShowChannels", {}, "CoreShowChannelsComplete", timeout=60))
    await peer.until(lambda: peer.count("Status") == 3 and peer.count("CoreShowChannels") == 1)
    peer.connection.cut()
    results = await asyncio.wait_for(asyncio.gather(*pending, listed, return_exceptions=True), 5)
    assert [type(result) for result in results] == [LinkLost] * 4


async def test_what_is_awaited_fails_when_the_session_is_closed(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session()
    pending = asyncio.create_task(session.action("Status", timeout=60))
    await peer.until(lambda: peer.count("Status") == 1)
    await session.close()
    with pytest.raises(LinkLost):
        await asyncio.wait_for(pending, 5)


async def test_a_half_open_link_is_noticed_by_its_missing_pong(peer: ScriptedPeer, open_session: Opener) -> None:
    states: list[bool] = []
    peer.answers["Ping"] = silence
    session = await open_session(pace=replace(IMPATIENT, ping_interval=0.01), on_state=states.append)
    await peer.until(lambda: len(peer.connections) >= 2)
    assert states[:2] == [True, False]
    del session


async def test_an_answered_ping_keeps_the_link(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session(pace=replace(QUICK, ping_interval=0.005))
    await peer.until(lambda: peer.count("Ping") >= 5)
    assert session.connected
    assert len(peer.connections) == 1


async def test_a_refused_login_is_told_and_retried_with_growing_pauses(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    async def refuse(connection: Connection, action: Action) -> None:
        connection.reply(action, "Response: Error", "Message: Authentication failed")

    peer.answers["Login"] = refuse
    session = await open_session(wait=False)
    await peer.until(lambda: peer.count("Login") >= 3)
    assert not session.connected
    assert session.last_error == "login refused: Authentication failed"
    peer.answers["Login"] = accept_login
    await session.wait_connected(5)
    assert session.last_error is None


def test_pauses_grow_exponentially_with_jitter_up_to_a_bound() -> None:
    pace = Pace(first_retry=0.5, longest_retry=15.0)
    for failures, ceiling in [(0, 0.5), (1, 1.0), (3, 4.0), (10, 15.0), (1000, 15.0)]:
        pauses = [pace.retry(failures) for _ in range(50)]
        assert all(ceiling / 2 <= pause <= ceiling for pause in pauses)
        assert len(set(pauses)) > 1


async def test_each_failure_in_a_row_waits_longer_and_a_stable_link_begins_anew(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    asked: list[int] = []

    class Recorded(Pace):
        def retry(self, failures: int) -> float:
            asked.append(failures)
            return 0.001

    peer.refuse = True
    await open_session(wait=False, pace=Recorded(stable_after=0.05, ping_interval=0.1, ping_timeout=0.1))
    await peer.until(lambda: len(asked) >= 3)
    peer.refuse = False
    peer.answers["Ping"] = silence
    count = len(asked)
    await peer.until(lambda: len(asked) > count + 1)
    assert asked[:3] == [0, 1, 2]
    assert 0 in asked[3:]


async def test_a_login_that_nobody_answers_times_out(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["Login"] = silence
    session = await open_session(wait=False, pace=IMPATIENT)
    await peer.until(lambda: len(peer.connections) >= 2)
    assert session.last_error == "the login was not answered"


async def test_a_peer_that_accepts_and_closes_is_tried_again(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.refuse = True
    session = await open_session(wait=False)
    await peer.until(lambda: len(peer.connections) >= 3)
    peer.refuse = False
    await session.wait_connected(5)


async def test_waiting_for_a_peer_that_is_not_there_says_why(unused_port: int) -> None:
    session = AmiSession(f"ami://u:p@127.0.0.1:{unused_port}", events=False, pace=QUICK)
    await session.start()
    try:
        with pytest.raises(NotConnected, match="cannot connect"):
            await session.wait_connected(1.0)
    finally:
        await session.close()


@pytest.fixture
async def unused_port() -> int:
    async with ScriptedPeer() as gone:
        return gone.port


async def test_an_exception_in_the_handler_does_not_cut_the_link(
    peer: ScriptedPeer, open_session: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def handler(headers: Mapping[str, str]) -> None:
        heard(headers)
        if headers["Event"] == "Bad":
            raise RuntimeError("handler")

    session = await open_session(on_event=handler)
    peer.connection.send("Event: Bad")
    peer.connection.send("Event: Good")
    await heard.until(2)
    assert session.connected
    assert any(record.exc_info for record in caplog.records)


async def test_an_exception_in_the_state_handler_does_not_cut_the_link(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    def handler(connected: bool) -> None:
        raise RuntimeError("handler")

    session = await open_session(on_state=handler)
    assert session.connected


async def test_a_doubled_header_does_not_cut_the_link(peer: ScriptedPeer, open_session: Opener) -> None:
    heard = Heard()
    session = await open_session(on_event=heard)
    peer.connection.send("Event: Odd", "Event: Odder")
    peer.connection.send("Event: Good")
    await heard.until(2)
    assert [event["Event"] for event in heard.events] == ["Odd", "Good"]
    assert session.connected


async def test_a_character_split_over_two_reads_survives(peer: ScriptedPeer, open_session: Opener) -> None:
    heard = Heard()
    await open_session(on_event=heard)
    whole = "Event: CEL\r\nCallerIDname: Zoë 日本 😀\r\n\r\n".encode()
    for byte in whole:
        peer.connection.writer.write(bytes([byte]))
        await peer.connection.writer.drain()
        await asyncio.sleep(0)
    await heard.until(1)
    assert heard.events[0]["CallerIDname"] == "Zoë 日本 😀"


async def test_events_make_no_tasks_and_come_in_order(peer: ScriptedPeer, open_session: Opener) -> None:
    heard = Heard()
    most_tasks = 0

    def handler(headers: Mapping[str, str]) -> None:
        nonlocal most_tasks
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        heard(headers)

    await open_session(on_event=handler)
    before = len(asyncio.all_tasks())
    for number in range(3000):
        peer.connection.send("Event: CEL", f"Number: {number}")
    await heard.until(3000)
    assert [event["Number"] for event in heard.events] == [str(number) for number in range(3000)]
    assert most_tasks <= before + 1


async def test_a_frame_without_end_cuts_the_link_instead_of_filling_memory(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    session = await open_session()
    for _ in range(40):
        peer.connection.writer.write(b"x" * (1 << 16))
    await peer.until(lambda: len(peer.connections) >= 2)
    await session.wait_connected(5)


async def test_only_wanted_events_reach_the_handler(peer: ScriptedPeer, open_session: Opener) -> None:
    heard = Heard()
    await open_session(on_event=heard, wanted_events={"CEL"})
    peer.connection.send("Event: VarSet", "Variable: X")
    peer.connection.send("Event: CEL", "EventName: ANSWER")
    await heard.until(1)
    assert [event["Event"] for event in heard.events] == ["CEL"]


async def test_a_refused_action_says_what_asterisk_said(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["Hangup"] = lambda c, a: c.reply(a, "Response: Error", "Message: No such channel")
    session = await open_session()
    with pytest.raises(ActionRefused, match="No such channel"):
        await session.action("Hangup", {"Channel": "x"})


async def test_an_action_that_timed_out_is_forgotten_and_its_late_answer_ignored(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    session = await open_session()
    with pytest.raises(ActionTimeout):
        await session.action("Status", timeout=0.01)
    assert session._link is not None
    assert session._link.responses == {}
    await peer.until(lambda: peer.count("Status") == 1)
    late = next(action for action in peer.actions if action["Action"] == ["Status"])
    peer.connection.reply(late, "Response: Success", "Message: late")
    peer.answers["Getvar"] = lambda c, a: c.reply(a, "Response: Success", "Value: own")
    assert (await session.action("Getvar")).headers["Value"] == "own"


async def test_the_number_of_awaited_answers_is_bounded(
    peer: ScriptedPeer, open_session: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ami_link, "MAX_PENDING", 3)
    session = await open_session()
    pending = [asyncio.create_task(session.action("Status", timeout=60)) for _ in range(3)]
    await peer.until(lambda: peer.count("Status") == 3)
    with pytest.raises(TooManyActions):
        await session.action("Status")
    assert peer.count("Status") == 3
    await session.close()
    await asyncio.gather(*pending, return_exceptions=True)


async def test_an_event_with_the_action_id_is_no_answer(peer: ScriptedPeer, open_session: Opener) -> None:
    """OriginateResponse carries Response and ActionID; it belongs to the event handler."""
    heard = Heard()

    async def originate(connection: Connection, action: Action) -> None:
        action_id = action["ActionID"][0]
        connection.send("Event: OriginateResponse", f"ActionID: {action_id}", "Response: Failure", "Reason: 3")
        connection.reply(action, "Response: Success", "Message: Originate successfully queued")

    peer.answers["Originate"] = originate
    session = await open_session(on_event=heard)
    reply = await session.action("Originate", {"Async": "true"})
    assert reply.headers["Message"] == "Originate successfully queued"
    assert [event["Event"] for event in heard.events] == ["OriginateResponse"]


async def test_a_list_ends_by_its_closing_event_and_keeps_items_that_have_a_response(
    peer: ScriptedPeer, open_session: Opener
) -> None:
    heard = Heard()

    async def listing(connection: Connection, action: Action) -> None:
        own = f"ActionID: {action['ActionID'][0]}"
        connection.reply(action, "Response: Success", "EventList: start")
        connection.send("Event: Item", own, "Name: a", "Response: Success")
        connection.send("Event: CEL", "Name: not ours")
        connection.send("Event: Item", own, "Name: b")
        connection.send("Event: ListEnd", own, "EventList: Complete")

    peer.answers["ListThings"] = listing
    session = await open_session(on_event=heard, wanted_events={"CEL"})
    items = await session.list_action("ListThings", {}, "ListThingsComplete")
    assert [item["Name"] for item in items] == ["a", "b"]
    assert [event["Name"] for event in heard.events] == ["not ours"]


async def test_a_refused_list_is_refused(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.answers["ListThings"] = lambda c, a: c.reply(a, "Response: Error", "Message: Permission denied")
    with pytest.raises(ActionRefused, match="Permission denied"):
        await (await open_session()).list_action("ListThings", {}, "ListThingsComplete")


async def test_close_signs_off_and_never_reconnects(peer: ScriptedPeer, open_session: Opener) -> None:
    session = await open_session()
    await session.close()
    assert peer.count("Logoff") == 1
    assert not session.connected
    assert session._supervisor is not None
    assert session._supervisor.done()
    assert len(peer.connections) == 1


async def test_close_while_waiting_to_reconnect_ends_at_once(peer: ScriptedPeer, open_session: Opener) -> None:
    peer.refuse = True
    session = await open_session(wait=False, pace=replace(QUICK, first_retry=60.0, longest_retry=60.0))
    await peer.until(lambda: len(peer.connections) >= 1)
    await asyncio.wait_for(session.close(), 2)
    assert len(peer.connections) == 1


async def test_the_state_is_told_before_any_event_of_the_connection(peer: ScriptedPeer, open_session: Opener) -> None:
    told: list[object] = []

    async def login(connection: Connection, action: Action) -> None:
        action_id = action["ActionID"][0]
        # One write: the event is in the same read as the acceptance.
        connection.writer.write(
            f"Response: Success\r\nActionID: {action_id}\r\n\r\nEvent: FullyBooted\r\n\r\n".encode()
        )

    peer.answers["Login"] = login
    await open_session(on_event=lambda headers: told.append(headers["Event"]), on_state=told.append)
    assert told == [True, "FullyBooted"]


async def test_the_secret_is_never_logged(
    peer: ScriptedPeer, open_session: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def refuse(connection: Connection, action: Action) -> None:
        connection.reply(action, "Response: Error", "Message: Authentication failed")

    peer.answers["Login"] = refuse
    session = await open_session(wait=False)
    await peer.until(lambda: peer.count("Login") >= 2)
    assert "s3cr" not in caplog.text
    assert "s3cr" not in repr(session.address)


@pytest.mark.parametrize("url", ["http://a:b@h:1", "ami://h:1", "ami://u@h", "ami://u:p@h:notaport", ""])
def test_a_wrong_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="ami://user:secret@host:port") as caught:
        AmiSession(url, events=False)
    assert not url or url not in str(caught.value)
