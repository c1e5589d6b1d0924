"""A session with Asterisk's manager interface that outlives its connections.

panoramisk's Manager opens the connection and sends; the life around it is ours. A supervisor
connects, signs in, pings, and begins anew after a loss, each failure waiting longer than the
one before. What was sent over a lost connection is never sent again: whoever awaited its
answer is told (LinkLost), and only they know whether asking again is safe.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from panoramisk.actions import Action
from panoramisk.manager import Manager

from gateway.asterisk.ami_link import AmiLink, ListAction
from gateway.asterisk.ami_url import parse_ami_url
from gateway.asterisk.errors import ActionRefused, ActionTimeout, AmiError, LinkLost, NotConnected
from gateway.asterisk.own_clock import ticks
from gateway.asterisk.values import variable_header
from gateway.calls.rows import Instant

log = logging.getLogger(__name__)

EventHandler = Callable[[Mapping[str, str]], None]
PongHandler = Callable[[str, Instant, Instant], None]
StateHandler = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class AmiReply:
    """Asterisk's answer to one action."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the session waits, in seconds."""

    connect_timeout: float = 5.0
    login_timeout: float = 5.0
    ping_interval: float = 10.0
    ping_timeout: float = 5.0
    first_retry: float = 0.25
    longest_retry: float = 15.0
    stable_after: float = 5.0

    def retry(self, failures: int) -> float:
        """Exponential, and spread between half and whole, so that many sessions do not knock together."""
        ceiling = min(self.longest_retry, self.first_retry * 2.0 ** min(failures, 16))
        return SystemRandom().uniform(ceiling / 2, ceiling)


class _Manager(Manager):
    """panoramisk's manager without its own ideas of reconnecting, queueing and pinging."""

    def connection_made(self, f: "asyncio.Future[Any]") -> None:
        if not f.cancelled() and f.exception() is None:
            self.protocol = f.result()[1]

    async def send_awaiting_actions(self, *_: object) -> None:
        """Nothing ever waits to be sent."""


class AmiSession:
    """One signed-in user of the manager interface.

    Args:
        url: `ami://user:secret@host:port`. Raises ValueError at once if it is not of this form.
        events: whether Asterisk shall send events.
        on_event: called synchronously, in order, with each event's headers. It must not block;
            its exceptions are logged and do not cut the link.
        on_state: called with True when signed in, before any event of that connection is handled,
            and with False when the link is gone.
        on_pong: called with what time Asterisk says it is, and when it was asked and heard, in microseconds of a clock
            that only goes on.
        wanted_events: names of the events that `on_event` gets; None means all.
    """

    def __init__(
        self,
        url: str,
        *,
        events: bool,
        on_event: EventHandler | None = None,
        on_state: StateHandler | None = None,
        on_pong: PongHandler | None = None,
        wanted_events: Collection[str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.address = parse_ami_url(url)
        self.connected = False
        self.last_error: str | None = None
        self._events = events
        self._on_event = on_event
        self._on_state = on_state
        self._on_pong = on_pong
        self._wanted = None if wanted_events is None else frozenset(name.encode() for name in wanted_events)
        self._pace = pace or Pace()
        self._up = asyncio.Event()
        self._closing = False
        self._link: AmiLink | None = None
        self._link_gone: asyncio.Event = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._manager = _Manager(  # type: ignore[no-untyped-call]
            host=self.address.host,
            port=self.address.port,
            protocol_factory=self._new_link,
            log=log,
        )

    async def start(self) -> None:
        """Begins to connect in the background and returns."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name=f"ami {self.address}")

    async def wait_connected(self, timeout: float) -> None:
        """Returns once signed in.

        Raises:
            NotConnected: not within `timeout` seconds; says why.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            raise NotConnected(self.last_error or "not connected yet") from None

    async def action(
        self,
        name: str,
        headers: Mapping[str, str] | None = None,
        variables: Sequence[tuple[str, str]] = (),
        timeout: float = 5.0,
    ) -> AmiReply:
        """Sends one action, once, and gives its answer.

        Raises:
            NotConnected, UnsafeValue, TooManyActions: nothing was sent.
            ActionRefused: Asterisk said no.
            LinkLost, ActionTimeout: it was sent, and nobody knows whether it was done.
        """
        fields: dict[str, str | list[str]] = {"Action": name, **(headers or {})}
        if variables:
            fields["Variable"] = [variable_header(key, value) for key, value in variables]
        message = await self._exchange(_action(fields), timeout)
        return AmiReply({key: value for key, value in message.items() if key != "content"})

    async def list_action(
        self, name: str, headers: Mapping[str, str] | None, complete_event: str, timeout: float = 5.0
    ) -> list[Mapping[str, str]]:
        """Sends an action whose answer is a list of events; gives them without the closing one.

        Raises: as `action`.
        """
        action = ListAction({"Action": name, **(headers or {})}, complete_event)
        await self._exchange(action, timeout)
        return action.items_received

    async def close(self) -> None:
        """Signs off and ends for good. What is still awaited fails with LinkLost."""
        self._closing = True
        link = self._link
        if link is not None and self.connected:
            with contextlib.suppress(AmiError):
                await self._exchange(_action({"Action": "Logoff"}), timeout=1.0)
        if link is not None:
            link.abort("closed by the gateway")
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)

    async def _exchange(self, action: Action, timeout: float) -> Any:
        link = self._link
        if link is None or not self.connected:
            raise NotConnected(self.last_error or "not connected")
        return await self._answer(link, action, timeout)

    async def _answer(self, link: AmiLink, action: Action, timeout: float) -> Any:
        try:
            future = self._manager.send_action(action)  # type: ignore[no-untyped-call]
            async with asyncio.timeout(timeout):
                message = await future
        except TimeoutError:
            raise ActionTimeout(f"{action['Action']}: no answer within {timeout:g} s") from None
        finally:
            link.forget(action)
        if not message.success:
            raise ActionRefused(message.message or "refused without a reason")
        return message

    async def _supervise(self) -> None:
        failures = 0
        clock = asyncio.get_running_loop().time
        while not self._closing:
            began = clock()
            try:
                await self._live()
            except (AmiError, OSError) as error:
                self.last_error = _reason(error)
            except Exception as error:
                log.exception("AMI session failed unexpectedly", extra={"peer": str(self.address)})
                self.last_error = type(error).__name__
            if self._closing:
                return
            failures = 0 if clock() - began >= self._pace.stable_after else failures + 1
            delay = self._pace.retry(max(failures - 1, 0))
            log.warning("no AMI link to %s: %s; next try in %.1f s", self.address, self.last_error, delay)
            await asyncio.sleep(delay)

    async def _live(self) -> None:
        """One connection, from connecting to its loss. Always raises what ended it."""
        self._link_gone = asyncio.Event()
        try:
            async with asyncio.timeout(self._pace.connect_timeout):
                await self._manager.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise NotConnected("no connection within the time allowed") from None
        link = self._manager.protocol
        assert isinstance(link, AmiLink)
        self._link = link
        try:
            await self._sign_in(link)
            await self._keep_alive(link)
        finally:
            link.abort("given up")
            await self._link_gone.wait()
            self._link = None

    async def _sign_in(self, link: AmiLink) -> None:
        login = _action(
            {
                "Action": "Login",
                "Username": self.address.username,
                "Secret": self.address.secret,
                "Events": "on" if self._events else "off",
            }
        )
        link.login_id = login.id
        link.on_login = self._signed_in
        try:
            await self._answer(link, login, self._pace.login_timeout)
        except ActionRefused as error:
            raise NotConnected(f"login refused: {error.message}") from None
        except ActionTimeout:
            raise NotConnected("the login was not answered") from None

    async def _keep_alive(self, link: AmiLink) -> None:
        """Pings, so that a link whose other end is gone is noticed; returns never."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.ping_interval):
                    await self._link_gone.wait()
            if link.closed:
                raise LinkLost(self.last_error or "the link was lost")
            try:
                asked_at = ticks()
                pong = await self._answer(link, _action({"Action": "Ping"}), self._pace.ping_timeout)
            except ActionTimeout:
                raise LinkLost("a Ping was not answered") from None
            if self._on_pong is not None:
                self._on_pong(dict(pong.items()).get("Timestamp", ""), asked_at, ticks())

    def _new_link(self) -> AmiLink:
        return AmiLink(self._handle_event, self._link_closed, self._wanted)

    def _signed_in(self) -> None:
        self.connected = True
        self.last_error = None
        self._up.set()
        log.info("AMI link to %s is up", self.address)
        self._tell_state(True)

    def _link_closed(self, reason: str) -> None:
        self._link_gone.set()
        self._up.clear()
        if not self.connected:
            return
        self.connected = False
        self.last_error = reason
        self._tell_state(False)

    def _tell_state(self, connected: bool) -> None:
        if self._on_state is None:
            return
        try:
            self._on_state(connected)
        except Exception:
            log.exception("a state handler failed")

    def _handle_event(self, headers: Mapping[str, str]) -> None:
        if self._on_event is not None:
            self._on_event(headers)


def _action(headers: Mapping[str, str | list[str]]) -> Action:
    return Action(headers)  # type: ignore[no-untyped-call]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, AmiError):
        return f"cannot connect: {error.strerror or type(error).__name__}"
    return str(error) or type(error).__name__
