"""The directory, as things are now."""

from typing import Literal, TypeAlias
from uuid import UUID

from gateway.api.answers.shapes import Answer, Group, Seconds, Time, User

DeviceState: TypeAlias = Literal["registered", "ringing", "in_use", "unreachable"]
Presence: TypeAlias = Literal["available", "ringing", "in_call", "offline"]


class _DirectoryPage(Answer):
    has_more: bool
    total: int | None = None
    live_at: Time | None


class Device(Answer):
    device: str
    state: DeviceState | None


class DirectoryUser(User):
    email: str | None
    external_id: str | None
    caller_id: str | None
    devices: list[Device]
    presence: Presence | None


class UserPage(_DirectoryPage):
    data: list[DirectoryUser]


class QueueMember(Answer):
    user: User | None
    name: str
    device: str
    state: DeviceState | None
    paused: bool


class WaitingCaller(Answer):
    position: int
    call_id: UUID | None
    caller_id: str | None
    caller_name: str | None
    wait_duration: Seconds


class DirectoryQueue(Group):
    members: list[QueueMember] | None
    waiting: list[WaitingCaller] | None


class QueuePage(_DirectoryPage):
    data: list[DirectoryQueue]


class RingGroupMember(Answer):
    user: User
    presence: Presence | None


class DirectoryRingGroup(Group):
    members: list[RingGroupMember] | None


class RingGroupPage(_DirectoryPage):
    data: list[DirectoryRingGroup]


class Number(Answer):
    number: str


class NumberPage(_DirectoryPage):
    data: list[Number]
