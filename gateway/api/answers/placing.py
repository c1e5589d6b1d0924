"""Asking before a call is placed."""

from typing import Literal

from gateway.api.answers.people import DeviceState
from gateway.api.answers.shapes import Answer, User


class Refusal(Answer):
    """What `POST /v1/calls` would answer now."""

    status: int
    code: str
    detail: str


class ShownNumbers(Answer):
    """Each side's screen shows this."""

    user: str
    destination: str
    destination_name: str | None


class DeviceThatWouldRing(Answer):
    """`contacts`: how many phones of it; null where Asterisk cannot be asked."""

    device: str
    state: DeviceState | None
    contacts: int | None


class CallLimit(Answer):
    name: Literal["calls_per_minute", "simultaneous_calls"]
    limit: int
    used: int
    reached: bool


class CallCheck(Answer):
    """Whether the call could be placed now, and what would ring."""

    placeable: bool
    refusals: list[Refusal]
    user: User
    to: str
    caller_ids: ShownNumbers
    devices: list[DeviceThatWouldRing]
    limits: list[CallLimit]
