"""The queues, or ring groups, that an account has or had, followed through the versions of its directory.

Asterisk knows a queue by its name and a ring group by its extension: that is what stays when the other changes. A
group that keeps only the other is the same one too, where no other group could be meant.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.calls.record import GroupRef, VisitKind

Same: TypeAlias = Callable[[GroupRef, GroupRef], bool]


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """`refs`: all that its visits may bear, no other group's visits among them. `last`: as it is, or was at its end."""

    last: GroupRef
    removed: bool
    refs: tuple[GroupRef, ...]


def groups_ever(versions: Sequence[Sequence[GroupRef]], kind: VisitKind) -> list[KnownGroup]:
    """`versions`: the groups of each, oldest first; the last is the one of today."""
    followed = _Followed(kind)
    for version in versions:
        followed.take(version)
    return followed.groups()


def _same_name(one: GroupRef, other: GroupRef) -> bool:
    return one.name == other.name


def _same_number(one: GroupRef, other: GroupRef) -> bool:
    return one.number is not None and one.number == other.number


class _Followed:
    """A group is its place in `_borne`: what it bore, the last one last."""

    def __init__(self, kind: VisitKind) -> None:
        self._kind = kind
        self._borne: list[list[GroupRef]] = []
        self._bearer: dict[GroupRef, int] = {}
        self._bearer_of_name: dict[str, int] = {}
        self._present: dict[GroupRef, int] = {}
        self._versions = 0
        self._versions_with: Counter[str] = Counter()

    def take(self, version: Sequence[GroupRef]) -> None:
        """The next version."""
        placed: dict[GroupRef, int] = {}
        for ref in sorted(version, key=lambda ref: ref not in self._present):
            known = self._bearer.get(ref)
            if known is not None and known not in placed.values():
                placed[ref] = known
        rules: list[Same] = [_same_name, _same_number] if self._kind == "queue" else [_same_number, _same_name]
        for same in rules:
            self._place(version, placed, same)
        for ref in version:
            if ref not in placed:
                placed[ref] = len(self._borne)
                self._borne.append([])
            group = placed[ref]
            self._borne[group] = [*(one for one in self._borne[group] if one != ref), ref]
            self._bearer[ref] = self._bearer_of_name[ref.name] = group
        self._present = placed
        self._versions += 1
        self._versions_with.update({ref.name for ref in version})

    def _place(self, version: Sequence[GroupRef], placed: dict[GroupRef, int], same: Same) -> None:
        """Each that is the same as one group, and only that one; a number that was free may be anybody's."""
        still = set(self._present.values())
        left = [ref for ref in version if ref not in placed]
        for ref in left:
            taken = set(placed.values())
            found = [
                group
                for group, borne in enumerate(self._borne)
                if group not in taken and same(borne[-1], ref) and (group in still or same is _same_name)
            ]
            if len(found) == 1 and not any(same(ref, other) for other in left if other is not ref):
                placed[ref] = found[0]

    def groups(self) -> list[KnownGroup]:
        present = set(self._present.values())
        known: list[KnownGroup] = []
        for group, borne in enumerate(self._borne):
            refs = [ref for ref in borne if self._bearer[ref] == group]
            refs += [ref for ref in self._unknown_then(borne) if self._bearer_of_name[ref.name] == group]
            if refs:
                known.append(KnownGroup(borne[-1], group not in present, tuple(refs)))
        return known

    def _unknown_then(self, borne: Sequence[GroupRef]) -> list[GroupRef]:
        """What visits to a queue bear that began while the directory had no queue of this name."""
        if self._kind != "queue":
            return []
        names = dict.fromkeys(ref.name for ref in borne if self._versions_with[ref.name] < self._versions)
        return [ref for ref in (GroupRef(None, name) for name in names) if ref not in self._bearer]
