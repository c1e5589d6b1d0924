"""The directory as the operator writes it: YAML, checked as a whole, every fault with its place.

Numbers of the public network are read with the account's country and kept in E.164.
"""

import re
import unicodedata
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import phonenumbers
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.asterisk.values import ENDPOINT, IDENTIFIER
from gateway.calls.directory import Directory, Group, Limits, Outbound, Trunk, User
from gateway.numbering import to_e164


@dataclass(frozen=True, slots=True)
class Fault:
    """`place`: the path in the file, as `users[1].caller_id`; `line` counts from 1 (0: unknown)."""

    place: str
    line: int
    text: str

    def __str__(self) -> str:
        told = f"line {self.line}: {self.place}: {self.text}" if self.place else f"line {self.line}: {self.text}"
        return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in told)


class DirectoryFaults(Exception):
    """The file is no directory; `faults` are all of its faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def _text(value: object) -> object:
    """A number that YAML read as one: `101` without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_line(text: str) -> str:
    """Postgres takes no NUL, phones and lists no further lines; a space of any script, or a joiner, is fine."""
    if any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in text):
        raise ValueError("holds a control character or a line break")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


Name: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(_one_line), AfterValidator(_not_blank)
]
Text: TypeAlias = Annotated[str, Field(max_length=255), AfterValidator(_one_line)]
Extension: TypeAlias = Annotated[str, BeforeValidator(_text), Field(pattern=r"^[0-9*#]{1,20}$")]
Device: TypeAlias = Annotated[str, Field(pattern=f"^{ENDPOINT}$")]
Identifier: TypeAlias = Annotated[str, Field(pattern=f"^{IDENTIFIER}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrunkPart(_Part):
    name: Name
    endpoint: Device
    shared: bool = False


class UserPart(_Part):
    id: Annotated[str, Field(pattern=r"^u[0-9]{1,12}$")] | None = None
    number: Extension
    name: Name
    caller_id: Annotated[str, BeforeValidator(_text)] | None = None
    devices: Annotated[list[Device], Field(max_length=32)] = []
    mailbox: Text | None = None
    email: Text | None = None
    external_id: Text | None = None


class GroupPart(_Part):
    number: Extension | None = None
    name: Name


class RingGroupPart(_Part):
    number: Extension
    name: Name
    members: list[Extension] | None = None


class OutboundPart(_Part):
    context: Identifier = "from-internal"
    allow: list[Annotated[str, Field(pattern=r"^\+[0-9]{0,15}$")]] = ["+"]
    deny: list[Annotated[str, Field(pattern=r"^\+[0-9]{0,15}$")]] = []
    calls_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 30
    simultaneous_calls: Annotated[int, Field(ge=1, le=100_000)] = 10
    premium_rate: bool = False
    emergency: bool = False


class LimitsPart(_Part):
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 6000
    requests_per_minute_per_key: Annotated[int, Field(ge=1, le=1_000_000)] = 600


class DirectoryPart(_Part):
    account: Identifier
    name: Name
    time_zone: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    nodes: list[Identifier] = []
    numbers: list[Annotated[str, BeforeValidator(_text)]] = []
    contexts: list[Identifier] = []
    trunks: list[TrunkPart] = []
    users: list[UserPart] = []
    queues: list[GroupPart] = []
    ring_groups: list[RingGroupPart] = []
    inbound_routes: dict[str, Annotated[str, BeforeValidator(_text)]] = {}
    outbound: OutboundPart = OutboundPart()
    limits: LimitsPart = LimitsPart()


def read(path: Path) -> Directory:
    """The directory in the file; its users have the ids that the file gives, else "".

    Raises:
        OSError: the file cannot be read.
        DirectoryFaults: with every fault of the file.
    """
    try:
        return parse(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DirectoryFaults([Fault("", line, "is not UTF-8")]) from None


def parse(text: str) -> Directory:
    """See `read`."""
    lines = _Lines(text)
    try:
        part = DirectoryPart.model_validate(lines.document)
    except ValidationError as error:
        found = [
            Fault(_path(e["loc"]), lines.of(e["loc"]), e["msg"].removeprefix("Value error, "))
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise DirectoryFaults(sorted(lines.duplicates + found, key=lambda fault: fault.line)) from None
    faults = [
        *lines.duplicates,
        *(Fault(_path(place), lines.of(place), told) for place, told in _faults(part)),
    ]
    if faults:
        raise DirectoryFaults(sorted(faults, key=lambda fault: fault.line))
    return _directory(part)


Place: TypeAlias = tuple[str | int, ...]


def _faults(part: DirectoryPart) -> Iterator[tuple[Place, str]]:
    """What no single field shows."""
    if part.time_zone not in zoneinfo.available_timezones():
        yield ("time_zone",), f"{part.time_zone!r} is no IANA time zone"
    if part.country not in phonenumbers.SUPPORTED_REGIONS:
        yield ("country",), f"{part.country!r} is no country"
        return
    numbers = set()
    for index, number in enumerate(part.numbers):
        public = to_e164(number, part.country)
        if public is None:
            yield ("numbers", index), f"{number!r} is no number of the public network"
        elif public in numbers:
            yield ("numbers", index), f"{number} is here twice"
        numbers.add(public)
    for index, user in enumerate(part.users):
        if user.caller_id is not None and to_e164(user.caller_id, part.country) not in numbers:
            yield ("users", index, "caller_id"), f"{user.caller_id} is not among the account's numbers"
    yield from _twice("user number", [(("users", i, "number"), u.number) for i, u in enumerate(part.users)])
    yield from _twice("user id", [(("users", i, "id"), u.id) for i, u in enumerate(part.users) if u.id])
    endpoints: list[tuple[Place, str]] = [
        (("users", i, "devices", j), device)
        for i, user in enumerate(part.users)
        for j, device in enumerate(user.devices)
    ]
    endpoints += [(("trunks", i, "endpoint"), trunk.endpoint) for i, trunk in enumerate(part.trunks)]
    yield from _twice("endpoint", endpoints)
    yield from _twice("queue", [(("queues", i, "name"), q.name) for i, q in enumerate(part.queues)])
    extensions: list[tuple[Place, str]] = [(("users", i, "number"), u.number) for i, u in enumerate(part.users)]
    extensions += [(("queues", i, "number"), q.number) for i, q in enumerate(part.queues) if q.number]
    groups: list[tuple[Place, str]] = [(("ring_groups", i, "number"), g.number) for i, g in enumerate(part.ring_groups)]
    yield from _twice("extension", extensions[len(part.users) :] + groups)
    users = {user.number for user in part.users}
    for place, number in [*extensions[len(part.users) :], *groups]:
        if number in users:
            yield place, f"{number} is a user's number"
    for index, group in enumerate(part.ring_groups):
        for member, number in enumerate(group.members or ()):
            if number not in users:
                yield ("ring_groups", index, "members", member), f"{number} is no user's number"
    known = {number for _, number in extensions + groups}
    for public, extension in part.inbound_routes.items():
        if to_e164(public, part.country) not in numbers:
            yield ("inbound_routes", public), f"{public} is not among the account's numbers"
        if extension not in known:
            yield ("inbound_routes", public), f"{extension} is no number of a user, queue or ring group"


def _twice(what: str, found: list[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for place, value in found:
        if value in seen:
            yield place, f"{what} {value} is here twice"
        seen.add(value)


def _directory(part: DirectoryPart) -> Directory:
    def public(number: str | None) -> str | None:
        return None if number is None else to_e164(number, part.country)

    return Directory(
        account=part.account,
        name=part.name,
        time_zone=part.time_zone,
        country=part.country,
        nodes=tuple(part.nodes),
        numbers=tuple(number for number in map(public, part.numbers) if number),
        contexts=tuple(part.contexts),
        trunks=tuple(Trunk(trunk.name, trunk.endpoint, trunk.shared) for trunk in part.trunks),
        users=tuple(
            User(
                user.id or "",
                user.number,
                user.name,
                public(user.caller_id),
                tuple(user.devices),
                user.mailbox,
                user.email,
                user.external_id,
            )
            for user in part.users
        ),
        queues=tuple(Group(queue.number, queue.name) for queue in part.queues),
        ring_groups=tuple(
            Group(group.number, group.name, None if group.members is None else tuple(group.members))
            for group in part.ring_groups
        ),
        inbound_routes=tuple((public(number) or "", exten) for number, exten in part.inbound_routes.items()),
        outbound=Outbound(
            part.outbound.context,
            tuple(part.outbound.allow),
            tuple(part.outbound.deny),
            part.outbound.calls_per_minute,
            part.outbound.simultaneous_calls,
            part.outbound.premium_rate,
            part.outbound.emergency,
        ),
        limits=Limits(part.limits.requests_per_minute, part.limits.requests_per_minute_per_key),
    )


def _path(place: Sequence[str | int]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return re.sub(r"^\.", "", path)


class _Loader(yaml.SafeLoader):
    """Words as they stand, as YAML 1.2 has it: `NO` is a country and `0600` an extension, not False and 384."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"(?:0|[1-9][0-9]*)$"), list("0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])


class _Lines:
    """The document, and the line of each of its places."""

    def __init__(self, text: str) -> None:
        self.duplicates: list[Fault] = []
        self._of: dict[Place, int] = {(): 1}
        try:
            node = yaml.compose(text, Loader=_Loader)
            self.document: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
            if node is not None:
                self._walk(node, ())
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise DirectoryFaults([Fault("", line, error.problem or "is not YAML")]) from None
        except yaml.YAMLError as error:
            raise DirectoryFaults([Fault("", 1, str(error).splitlines()[0])]) from None
        except RecursionError:
            raise DirectoryFaults([Fault("", 1, "is nested too deep, or in itself")]) from None

    def of(self, place: Sequence[str | int]) -> int:
        """The line of the place, or of the nearest one around it."""
        path = tuple(place)
        while path not in self._of:
            path = path[:-1]
        return self._of[path]

    def _walk(self, node: yaml.Node, place: Place) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*place, str(key.value))
                if inner in self._of:
                    self.duplicates.append(Fault(_path(inner), key.start_mark.line + 1, "is here twice"))
                self._of[inner] = key.start_mark.line + 1
                self._walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._of[(*place, index)] = value.start_mark.line + 1
                self._walk(value, (*place, index))
