"""Users, queues and ring groups as clients name them: by id, number or name, whichever matches one."""

from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias, TypeVar

from gateway.api.codes import FaultCode
from gateway.api.problems import Fault
from gateway.calls.directory import Directory, User
from gateway.calls.groups_ever import KnownGroup
from gateway.calls.record import GroupRef, VisitKind
from gateway.store.directories import KnownUser

Kind: TypeAlias = Literal["user", "queue", "ring_group"]
Found = TypeVar("Found")

_UNKNOWN: dict[Kind, FaultCode] = {
    "user": "unknown_user",
    "queue": "unknown_queue",
    "ring_group": "unknown_ring_group",
}
_AMBIGUOUS: dict[Kind, FaultCode] = {
    "user": "ambiguous_user",
    "queue": "ambiguous_queue",
    "ring_group": "ambiguous_ring_group",
}


class Unresolved(Exception):
    """A term that names nobody, or more than one."""

    def __init__(self, code: FaultCode, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail

    def fault(self, where: str) -> Fault:
        return Fault(where, self.code, self.detail)


def user_of(directory: Directory, term: str) -> User:
    """The account's present user that `term` names.

    Raises:
        Unresolved: `unknown_user` or `ambiguous_user`.
    """
    ids = _one("user", [user.id for user in directory.users if term in (user.id, user.number, user.name)])
    return next(user for user in directory.users if user.id == ids)


class KnownUsers:
    """Every user that an account has or had, by what clients may call them."""

    def __init__(self, users: Iterable[KnownUser]) -> None:
        self.all = tuple(users)
        self._now: dict[str, set[str]] = {user.id: {user.id} for user in self.all}
        self._past: dict[str, set[str]] = {}
        for user in self.all:
            named = self._past if user.removed else self._now
            for term in (user.number, user.name):
                named.setdefault(term, set()).add(user.id)

    def id_of(self, term: str) -> str:
        """The id of a user, present or gone: an id, else a present number or name, else one of the past.

        Raises:
            Unresolved: `unknown_user` or `ambiguous_user`.
        """
        return _one("user", self._now.get(term) or self._past.get(term, set()))


class KnownGroups:
    """Every queue, or every ring group, that an account has or had, by what clients may call them."""

    def __init__(self, kind: VisitKind, groups: Iterable[KnownGroup]) -> None:
        self._kind: VisitKind = kind
        self._all = tuple(groups)
        self.names = frozenset(ref.name for group in self._all for ref in group.refs)
        self._now: dict[str, set[KnownGroup]] = {}
        self._past: dict[str, set[KnownGroup]] = {}
        for group in self._all:
            for ref in group.refs:
                named = self._now if ref == group.last and not group.removed else self._past
                for term in (ref.number, ref.name):
                    if term is not None:
                        named.setdefault(term, set()).add(group)

    def refs_of(self, term: str) -> tuple[GroupRef, ...]:
        """What visits to a group bear, present or gone: by its present number or name, else by one of the past.

        Raises:
            Unresolved: `unknown_queue`, `ambiguous_queue` and so on.
        """
        return _one(self._kind, self._now.get(term) or self._past.get(term, set())).refs

    def refs_of_name(self, name: str) -> list[GroupRef]:
        """The same of each that bears this name, else of each that did, else of a queue that is in no directory."""
        present = [group for group in self._all if not group.removed and group.last.name == name]
        named = present or [group for group in self._all if any(ref.name == name for ref in group.refs)]
        return [ref for group in named for ref in group.refs] or [GroupRef(None, name)]


def _one(kind: Kind, found: Collection[Found]) -> Found:
    distinct = set(found)
    if not distinct:
        raise Unresolved(_UNKNOWN[kind], f"The account has no such {kind.replace('_', ' ')}.")
    if len(distinct) > 1:
        raise Unresolved(_AMBIGUOUS[kind], f"More than one {kind.replace('_', ' ')} has this number or name.")
    return distinct.pop()
