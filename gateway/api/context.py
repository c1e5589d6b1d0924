"""What the API works with, handed to it once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request

from gateway.api.read_directories import ReadDirectories
from gateway.asterisk.calls_control import ControlSession
from gateway.store.connection import Pool
from gateway.store.networks import Network


class CallSession(ControlSession, Protocol):
    """What the API needs of an `AmiSession`."""

    @property
    def connected(self) -> bool: ...


def _no_status() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class ApiContext:
    """`ami`: the session for actions (no events) with `node`'s Asterisk.

    `forwarded_header` (`X-Forwarded-For`, or `Forwarded`) is read only behind `trusted_proxies`.
    `cors_origins`: whose pages may read answers in a browser.
    `status`: what the other roles of this process tell, JSON-ready.
    """

    pool: Pool
    node: str
    ami: CallSession | None = None
    trusted_proxies: tuple[Network, ...] = ()
    forwarded_header: str | None = None
    cors_origins: tuple[str, ...] = ()
    status: Callable[[], Mapping[str, object]] = _no_status
    directories: ReadDirectories = field(default_factory=ReadDirectories)


def context_of(request: Request) -> ApiContext:
    context = request.app.state.context
    assert isinstance(context, ApiContext)
    return context
