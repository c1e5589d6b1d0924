"""Which of one call's CDRs tell of a visit to a queue or a ring group."""

from collections.abc import Sequence
from functools import cached_property

from gateway.calls.cdr_rows import CdrRow, pair_of
from gateway.calls.directory import Directory, NodeDirectory
from gateway.calls.record import GroupRef, VisitKind


class Visits:
    """Those of the call `call_id`, whose CDRs are `in_order`, as the account that owns it knows its groups."""

    def __init__(self, rows: Sequence[CdrRow], call_id: str, known: NodeDirectory, directory: Directory) -> None:
        self._rows = rows
        self._id = call_id
        self._known = known
        self._directory = directory

    @cached_property
    def by_id(self) -> dict[str, list[CdrRow]]:
        """By their ids, the CDRs of each visit to a queue or a ring group."""
        found: dict[str, list[CdrRow]] = {}
        open_visit: tuple[str, VisitKind, GroupRef] | None = None
        for row in sorted(self._rows, key=lambda row: row.started_at):
            if self._ringing(row) is not row:
                continue
            kind = self._visited(row)
            if kind is None:
                continue
            group = self.group(kind, row)
            if open_visit is None or open_visit[1:] != (kind, group):
                number = 1 + sum(kind_of(visit) == kind for visit in found)
                letter = "q" if kind == "queue" else "g"
                open_visit = (f"{self._id}-{letter}{number}", kind, group)
            found.setdefault(open_visit[0], []).append(row)
        return found

    def _visited(self, row: CdrRow) -> VisitKind | None:
        if row.app == "Queue":
            return "queue"
        ring_group = row.app == "Dial" and self._known.ring_group(self._directory.account, row.dst)
        return "ring_group" if ring_group else None

    def group(self, kind: VisitKind, row: CdrRow) -> GroupRef:
        if kind == "queue":
            name = row.app_data.partition(",")[0]
            queue = self._known.queue(self._directory.account, name)
            return queue.ref if queue else GroupRef(None, name)
        group = self._known.ring_group(self._directory.account, row.dst)
        return group.ref if group else GroupRef(row.dst, row.dst)

    def of(self, row: CdrRow) -> str | None:
        ringing = self._ringing(row)
        return next((visit for visit, rows in self.by_id.items() if any(one is ringing for one in rows)), None)

    def _ringing(self, row: CdrRow) -> CdrRow:
        """The CDR of whoever rang in the end, looking through Local channels."""
        for _ in self._rows:
            pair = pair_of(row.channel)
            outer = next((one for one in self._rows if pair and pair_of(one.dst_channel) == pair), None)
            if outer is None or outer is row:
                return row
            row = outer
        return row


def kind_of(visit_id: str) -> VisitKind:
    return "queue" if visit_id.rpartition("-")[2].startswith("q") else "ring_group"
