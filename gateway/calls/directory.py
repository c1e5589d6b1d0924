"""Who is who: the directory of one account as values, and the look-ups a node's calls need.

The document form (`to_document`, `from_document`) is what Postgres keeps, a version each time
it is applied, so that an old call keeps the names of its day.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from gateway.calls.record import GroupRef, UserRef
from gateway.calls.rows import Instant


@dataclass(frozen=True, slots=True)
class User:
    """`id` is given once, by the store, and stays when number or name change."""

    id: str
    number: str
    name: str
    caller_id: str | None = None
    devices: tuple[str, ...] = ()
    mailbox: str | None = None
    email: str | None = None
    external_id: str | None = None

    @property
    def ref(self) -> UserRef:
        return UserRef(self.id, self.number, self.name)


@dataclass(frozen=True, slots=True)
class Trunk:
    """`shared`: several accounts' calls come in over it; the number dialled tells whose."""

    name: str
    endpoint: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A queue (name as in queues.conf) or a ring group (number = the extension dialled).

    `members`: of a ring group, the numbers of its users, where the directory says so. A queue's are Asterisk's own.
    """

    number: str | None
    name: str
    members: tuple[str, ...] | None = None

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.number, self.name)


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where and whither click-to-call may dial. Prefixes are E.164; `deny` wins.

    `premium_rate`: numbers that the caller pays for beyond the call may be dialled; `emergency`: those of emergency
    services, where they are extensions of the account, too.
    """

    context: str = "from-internal"
    allow: tuple[str, ...] = ("+",)
    deny: tuple[str, ...] = ()
    calls_per_minute: int = 30
    simultaneous_calls: int = 10
    premium_rate: bool = False
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests of the API a minute may bring, of the whole account and of each of its keys."""

    requests_per_minute: int = 6000
    requests_per_minute_per_key: int = 600


@dataclass(frozen=True, slots=True)
class Directory:
    """One account's directory. `account` is its identifier, `country` ISO 3166 alpha-2.

    `inbound_routes`: (public number, the extension to which the dialplan leads it), for dialplans whose channel
    events do not show the extension.
    """

    account: str
    name: str
    time_zone: str
    country: str
    nodes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    users: tuple[User, ...] = ()
    queues: tuple[Group, ...] = ()
    ring_groups: tuple[Group, ...] = ()
    inbound_routes: tuple[tuple[str, str], ...] = ()
    outbound: Outbound = field(default_factory=Outbound)
    limits: Limits = field(default_factory=Limits)

    def extensions(self) -> frozenset[str]:
        """The numbers of users, queues and ring groups."""
        groups = {group.number for group in (*self.queues, *self.ring_groups) if group.number}
        return frozenset(groups | {user.number for user in self.users})

    def to_document(self) -> dict[str, Any]:
        """The JSON-ready form; `from_document` reads it back."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Directory":
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        fields["trunks"] = tuple(Trunk(**trunk) for trunk in document["trunks"])
        fields["users"] = tuple(User(**{**user, "devices": tuple(user["devices"])}) for user in document["users"])
        fields["queues"] = tuple(Group(**queue) for queue in document["queues"])
        fields["ring_groups"] = tuple(_ring_group(**group) for group in document["ring_groups"])
        fields["inbound_routes"] = tuple((number, exten) for number, exten in document.get("inbound_routes", ()))
        outbound = document["outbound"]
        fields["outbound"] = Outbound(
            **{**outbound, "allow": tuple(outbound["allow"]), "deny": tuple(outbound["deny"])}
        )
        fields["limits"] = Limits(**document.get("limits", {}))
        return cls(**fields)


def _ring_group(number: str, name: str, members: list[str] | None = None) -> Group:
    return Group(number, name, None if members is None else tuple(members))


EndpointRole: TypeAlias = Literal["user", "trunk"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an endpoint (`PJSIP/101-desk`) is, and to which account."""

    account: str
    role: EndpointRole
    user: User | None = None
    trunk: Trunk | None = None


class NodeDirectory:
    """The directories of all accounts on one node, indexed for look-up by what CEL shows."""

    def __init__(self, directories: Iterable[Directory] = ()) -> None:
        self.accounts: dict[str, Directory] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._numbers: dict[str, str] = {}
        self._contexts: dict[str, str] = {}
        self._users: dict[tuple[str, str], User] = {}
        self._queues: dict[tuple[str, str], Group] = {}
        self._ring_groups: dict[tuple[str, str], Group] = {}
        self._inbound_routes: dict[tuple[str, str], str] = {}
        for directory in directories:
            self._add(directory)

    def _add(self, directory: Directory) -> None:
        account = directory.account
        self.accounts[account] = directory
        for user in directory.users:
            self._users[account, user.number] = user
            for device in user.devices:
                self._endpoints[device] = Endpoint(account, "user", user=user)
        for trunk in directory.trunks:
            self._endpoints[trunk.endpoint] = Endpoint(account, "trunk", trunk=trunk)
        for number in directory.numbers:
            self._numbers[number.lstrip("+")] = account
        for context in directory.contexts:
            self._contexts[context] = account
        for number, exten in directory.inbound_routes:
            self._inbound_routes[account, number.lstrip("+")] = exten
        for queue in directory.queues:
            self._queues[account, queue.name] = queue
        for group in directory.ring_groups:
            if group.number:
                self._ring_groups[account, group.number] = group

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint called `name` (technology and resource: `PJSIP/101-desk`), if any account has it."""
        return self._endpoints.get(name)

    def account_of_number(self, number: str) -> str | None:
        """The account that claims this public number (with or without its `+`)."""
        return self._numbers.get(number.lstrip("+"))

    def account_of_context(self, context: str) -> str | None:
        return self._contexts.get(context)

    def extension_of(self, account: str, place: str) -> str:
        """The extension to which a public number leads, if the directory says so; any other place is itself."""
        return self._inbound_routes.get((account, place.lstrip("+")), place)

    def user(self, account: str, number: str) -> User | None:
        return self._users.get((account, number))

    def queue(self, account: str, name: str) -> Group | None:
        """The queue of this name in queues.conf."""
        return self._queues.get((account, name))

    def ring_group(self, account: str, number: str) -> Group | None:
        """The ring group at this extension."""
        return self._ring_groups.get((account, number))


class DirectoryHistory:
    """A node's directories through time: a call keeps the names of the day it began.

    `versions`: (applied at, directory), oldest first, of all the node's accounts. A call older than
    an account's first directory is read with the first.
    """

    def __init__(self, versions: Iterable[tuple[Instant, Directory]]) -> None:
        current: dict[str, Directory] = {}
        self._from: list[Instant] = []
        self._nodes: list[NodeDirectory] = []
        ordered = list(versions)
        for _, directory in reversed(ordered):
            current[directory.account] = directory
        for applied_at, directory in ordered:
            current[directory.account] = directory
            self._from.append(applied_at)
            self._nodes.append(NodeDirectory(current.values()))

    def at(self, instant: Instant) -> NodeDirectory:
        if not self._nodes:
            return NodeDirectory()
        return self._nodes[max(0, bisect_right(self._from, instant) - 1)]
