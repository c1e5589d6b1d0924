"""Users, queues and ring groups as clients name them: by id, number or name, whichever matches one."""

from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

from gateway.api.codes import FaultCode
from gateway.api.problems import Fault
from gateway.calls.directory import Directory, Group, User
from gateway.store.directories import KnownUser

Kind: TypeAlias = Literal["user", "queue", "ring_group"]

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


def group_name_of(groups: Iterable[Group], term: str, kind: Kind) -> str:
    """The name of the queue or ring group (`kind`: `queue`, `ring_group`) that `term` names.

    Raises:
        Unresolved: `unknown_queue`, `ambiguous_queue` and so on.
    """
    return _one(kind, [group.name for group in groups if term in (group.number, group.name)])


def _one(kind: Kind, found: Collection[str]) -> str:
    distinct = set(found)
    if not distinct:
        raise Unresolved(_UNKNOWN[kind], f"The account has no such {kind.replace('_', ' ')}.")
    if len(distinct) > 1:
        raise Unresolved(_AMBIGUOUS[kind], f"More than one {kind.replace('_', ' ')} has this number or name.")
    return distinct.pop()
