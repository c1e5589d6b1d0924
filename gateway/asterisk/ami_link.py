"""One connection to the manager interface, from its first byte to its last.

panoramisk 1.4 gives the actions with their ids and the messages; what its protocol does with
the wire is replaced: whole frames are decoded, unsafe values refused, nothing is ever sent
twice, and every awaited answer ends with the connection.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from gateway.asterisk import frames
from gateway.asterisk.errors import ActionRefused, FrameTooLong, LinkLost, TooManyActions

log = logging.getLogger(__name__)

MAX_PENDING = 512
MAX_LIST_ITEMS = 50_000


class ListAction(Action):
    """An action answered by a list: a response, items, and the event that ends it."""

    def __init__(self, headers: Mapping[str, str], complete_event: str) -> None:
        super().__init__(headers)  # type: ignore[no-untyped-call]
        self.complete_event = complete_event
        self.items_received: list[Mapping[str, str]] = []


class AmiLink(AMIProtocol):
    """The protocol of one connection.

    Args:
        on_event: called synchronously with each event's headers; its exceptions are logged.
        on_closed: called once, with the reason, when the connection is gone.
        wanted_events: names of the events worth decoding; None means all.
    """

    def __init__(
        self,
        on_event: Callable[[Mapping[str, str]], None],
        on_closed: Callable[[str], None],
        wanted_events: frozenset[bytes] | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_closed = on_closed
        self._wanted = wanted_events
        self._splitter = frames.FrameSplitter()
        self._lists_awaited = 0
        self._reason: str | None = None
        self.responses: dict[str, Action] = {}
        self.closed = False
        self.transport: asyncio.Transport | None = None
        self.on_login: Callable[[], None] | None = None
        self.login_id: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, data: Action, as_list: bool = False) -> "asyncio.Future[Any]":  # noqa: ARG002
        """Writes an action; the future ends with its answer, or with LinkLost.

        Raises:
            UnsafeValue, TooManyActions, LinkLost: nothing was written.
        """
        if self.closed or self.transport is None:
            raise LinkLost(self._reason or "the link is closed")
        if len(self.responses) >= MAX_PENDING:
            raise TooManyActions(f"{len(self.responses)} answers are awaited already")
        for name, value in data.items():
            for text in value if isinstance(value, (list, tuple)) else (value,):
                frames.check_header(name, text)
        wire = str(data).encode("utf-8")
        self.responses[data.id] = data
        self._lists_awaited += isinstance(data, ListAction)
        self.transport.write(wire)
        future: asyncio.Future[Any] = data.future
        return future

    def forget(self, action: Action) -> None:
        """No longer awaits this answer; should it still come, it is ignored."""
        if self.responses.pop(action.id, None) is not None:
            self._lists_awaited -= isinstance(action, ListAction)

    def data_received(self, data: bytes) -> None:
        try:
            complete = self._splitter.feed(data)
        except FrameTooLong as error:
            self.abort(str(error))
            return
        for frame in complete:
            name = frames.event_name(frame)
            if name is not None and self._wanted is not None and not self._lists_awaited and name not in self._wanted:
                continue
            try:
                self._handle(frames.parse(frame).headers)
            except Exception:
                # One frame that a handler cannot stand must not cost the link. Its content stays unlogged.
                log.exception("handling of a frame failed", extra={"event": (name or b"").decode("ascii", "replace")})

    def _handle(self, headers: Mapping[str, str]) -> None:
        action = self.responses.get(headers.get("ActionID", ""))
        if "Event" not in headers:
            if action is not None and "Response" in headers:
                self.handle_message(Message(headers))  # type: ignore[no-untyped-call]
        elif isinstance(action, ListAction):
            self._handle_item(headers, action)
        else:
            self._on_event(headers)

    def handle_message(self, message: Message) -> None:
        """An answer that is awaited. A list goes on after it unless it is a refusal."""
        action = self.responses[message.id]
        if isinstance(action, ListAction) and message.success:
            return
        self.forget(action)
        if action.id == self.login_id and message.success and self.on_login is not None:
            # At once, not by way of the future: events may follow in the same read.
            self.on_login()
        if not action.future.done():
            action.future.set_result(message)

    def _handle_item(self, headers: Mapping[str, str], action: ListAction) -> None:
        complete = headers["Event"] == action.complete_event or headers.get("EventList", "").lower() == "complete"
        if not complete and len(action.items_received) < MAX_LIST_ITEMS:
            action.items_received.append(headers)
            return
        self.forget(action)
        if action.future.done():
            return
        if complete:
            action.future.set_result(Message(headers))  # type: ignore[no-untyped-call]
        else:
            action.future.set_exception(ActionRefused("the list is longer than the gateway takes"))

    def abort(self, reason: str) -> None:
        """Cuts the connection at once; what is unsent stays unsent."""
        self._reason = self._reason or reason
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        reason = self._reason or (str(exc) if exc else "Asterisk closed the connection")
        for action in list(self.responses.values()):
            self.forget(action)
            if not action.future.done():
                action.future.set_exception(LinkLost(reason))
                action.future.exception()  # a future nobody awaits any more is no fault
        self._on_closed(reason)

    def close(self) -> None:
        """Closes after what was written has been sent."""
        self._reason = self._reason or "closed by the gateway"
        if self.transport is not None:
            self.transport.close()
