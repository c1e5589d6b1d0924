"""The statements of the lists. Everything a client sends is a bound parameter.

Theory of operation. A list is read in the order of an index: by start, or by duration. What has several
values (the two sides of a number, several users) becomes as many branches, each a read of an index in that
order, merged; so the first page costs the same however many rows there are, and however common the value is.

A walk by cursor shows the list as the snapshot of its first page saw it (`AsOf`). Three sources make that up:

- rows whose present version the snapshot saw;
- versions that the snapshot saw and that were replaced since: triggers keep those of calls that were over,
  and of rows that went, in `superseded_…` (sql/0004_lists.sql);
- calls that were open then and have changed since, in their present version: of these no older one is kept.

A version was seen if it is older than `as_of`, or else by its transaction: a transaction's number means
nothing in another cluster, where a backup may be restored, and there all is older.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from gateway.calls.record import GroupRef

Kind: TypeAlias = Literal["calls", "user_calls", "queue_calls", "ring_group_calls"]
Sort: TypeAlias = Literal["newest_first", "oldest_first", "longest_first"]
StateFilter: TypeAlias = Literal["ended", "open", "all"]
ResultColumn: TypeAlias = Literal["outcome", "type", "result", "status"]

UNKNOWN_DURATION = -1
"""In place of the duration of a call that is open: it comes after all that are over."""

KEYS: dict[Sort, str] = {
    "newest_first": "t.started_at",
    "oldest_first": "t.started_at",
    "longest_first": f"coalesce(t.duration_ms, {UNKNOWN_DURATION})",
}
DIRECTIONS: dict[Sort, Literal["desc", "asc"]] = {
    "newest_first": "desc",
    "oldest_first": "asc",
    "longest_first": "desc",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows. Empty or None: no matter. `since`, `until`: by start, half-open.

    `users` are ids, `numbers` the forms of one number; of `queues` and `ring_groups` a row bears one as it stands.
    `results`: pairs of a column and the value it must have.
    """

    since: datetime | None = None
    until: datetime | None = None
    users: Sequence[str] = ()
    queues: Sequence[GroupRef] = ()
    ring_groups: Sequence[GroupRef] = ()
    direction: str | None = None
    numbers: Sequence[str] = ()
    reference: str | None = None
    call_id: UUID | None = None
    state: StateFilter = "ended"
    updated_since: datetime | None = None
    results: Sequence[tuple[ResultColumn, str]] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: its last row's start (or duration, longest first) and id."""

    key: datetime | int
    id: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """The moment that a walk shows: a time before which all is visible, and Postgres' own snapshot.

    `amended`: whether anything that the snapshot saw may have been replaced since.
    """

    at: datetime
    snapshot: str
    amended: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and what is bound to it."""

    text: str
    values: list[Any] = field(default_factory=list)


def table_of(kind: Kind) -> str:
    return kind if kind in ("calls", "user_calls") else "visits"


@dataclass(frozen=True, slots=True)
class _Source:
    """A place to read rows from. `key`: overrides the sort's own."""

    table: str
    conditions: tuple[str, ...]
    key: str | None = None
    merged_into: str = "null::uuid"
    gone: bool = False


class ListQuery:
    """The statements of one list for one filter, order and moment."""

    def __init__(
        self,
        kind: Kind,
        account: str,
        wanted: Filter,
        sort: Sort,
        *,
        after: Place | None = None,
        as_of: AsOf | None = None,
    ) -> None:
        self._kind, self._wanted, self._sort, self._as_of = kind, wanted, sort, as_of
        self._table = table_of(kind)
        self._values: list[Any] = []
        self._account = self.bind(account)
        self._at = self.bind(as_of.at) if as_of else ""
        self._snapshot = f"{self.bind(as_of.snapshot)}::text::pg_snapshot" if as_of else ""
        self._common = self._common_conditions(after)
        self._after = self._after_condition(after)
        self._alternatives = self._alternatives_of_filter()
        self._sources = self._sources_of_moment()

    def bind(self, value: Any) -> str:
        self._values.append(value)
        return f"${len(self._values)}"

    def page(self, offset: int, limit: int) -> Query:
        """One row more than `limit` where there are more. Columns: id, document, revision, updated_at,
        merged_into, gone, key."""
        skip, most = self.bind(offset), self.bind(limit + 1)
        branches = self._branches()
        if len(branches) == 1:
            return self._query(f"{branches[0]} order by {self._order()} offset {skip} limit {most}")
        enough = self.bind(offset + limit + 1)
        parts = (f"({branch} order by {self._order()} limit {enough})" for branch in branches)
        return self._query(f"{self._merged(parts)} offset {skip} limit {most}")

    def whole(self) -> Query:
        """Every row, in order."""
        branches = self._branches()
        if len(branches) == 1:
            return self._query(f"{branches[0]} order by {self._order()}")
        return self._query(self._merged(f"({branch} order by {self._order()})" for branch in branches))

    def total(self) -> Query:
        """How many rows there are in all; a scalar subquery's text."""
        union = " union all ".join(
            f"select 1 from {source.table} t where {' and '.join([*conditions, *source.conditions])}"
            for source in self._sources
            for conditions in self._conditions()
        )
        return self._query(f"select count(*) from ({union}) as counted")

    def amended_since(self) -> str:
        """Whether anything may have been replaced since the moment; an expression."""
        return (
            f"exists (select from superseded_{self._table} s "
            f"where s.account_id = {self._account} and s.superseded_at >= {self._at})"
        )

    @property
    def account(self) -> str:
        """The account's place among the values."""
        return self._account

    @property
    def values(self) -> list[Any]:
        return self._values

    def _query(self, text: str) -> Query:
        return Query(text, self._values)

    def _branches(self) -> list[str]:
        found = []
        for source in self._sources:
            key = source.key or KEYS[self._sort]
            columns = (
                f"t.id, t.document, t.revision, t.updated_at, {source.merged_into} as merged_into, "
                f"{str(source.gone).lower()} as gone, {key} as key"
            )
            for conditions in self._conditions():
                asked = [*conditions, *source.conditions, *self._after_in(key)]
                found.append(f"select {columns} from {source.table} t where {' and '.join(asked)}")
        return found

    def _conditions(self) -> list[list[str]]:
        return [[*self._common, *alternative] for alternative in self._alternatives]

    def _merged(self, parts: Iterable[str]) -> str:
        direction = DIRECTIONS[self._sort]
        return f"select * from ({' union all '.join(parts)}) as merged order by key {direction}, id {direction}"

    def _order(self) -> str:
        direction = DIRECTIONS[self._sort]
        return f"key {direction}, t.id {direction}"

    def _after_condition(self, after: Place | None) -> tuple[str, str] | None:
        if after is None:
            return None
        one = self.bind(UUID(after.id) if self._kind == "calls" else after.id)
        return self.bind(after.key), one

    def _after_in(self, key: str) -> list[str]:
        if self._after is None:
            return []
        further = "<" if DIRECTIONS[self._sort] == "desc" else ">"
        return [f"({key}, t.id) {further} ({self._after[0]}, {self._after[1]})"]

    def _common_conditions(self, after: Place | None) -> list[str]:
        wanted = self._wanted
        # The place is the narrower bound, and Postgres would begin to read at the wider.
        begun = self._sort if after is not None else None
        found = [f"t.account_id = {self._account}"]
        if self._table == "visits":
            found.append("t.kind = 'queue'" if self._kind == "queue_calls" else "t.kind = 'ring_group'")
        if wanted.since is not None and begun != "oldest_first":
            found.append(f"t.started_at >= {self.bind(wanted.since)}")
        if wanted.until is not None and begun != "newest_first":
            found.append(f"t.started_at < {self.bind(wanted.until)}")
        if wanted.direction is not None:
            found.append(f"t.direction = {self.bind(wanted.direction)}")
        if wanted.reference is not None:
            found.append(f"t.reference = {self.bind(wanted.reference)}")
        if wanted.call_id is not None:
            found.append(f"{self._call()} = any ({self._known_as(wanted.call_id)})")
        found += [f"t.{column} = {self.bind(value)}" for column, value in wanted.results]
        return found

    def _known_as(self, call_id: UUID) -> str:
        """The call of this id, and the one that it joined."""
        one = f"{self.bind(call_id)}::uuid"
        joined = f"select a.call_id from call_aliases a where a.account_id = {self._account} and a.alias = {one}"
        return f"array(select {one} union all {joined})"

    def _alternatives_of_filter(self) -> list[list[str]]:
        """The filter's many-valued parts: one of them as branches, the others as plain conditions."""
        wanted = self._wanted
        parts = [
            ("number", self._by_number()),
            ("user", [[self._of_user(f"= {self.bind(user)}")] for user in wanted.users]),
            ("queue", [[self._of_group("queue", queue)] for queue in wanted.queues]),
            ("ring_group", [[self._of_group("ring_group", group)] for group in wanted.ring_groups]),
        ]
        branches: list[list[str]] = [[]]
        for name, alternatives in parts:
            if len(branches) == 1 and self._has_index(name):
                branches = [[*branches[0], *alternative] for alternative in alternatives] or branches
            elif alternatives:
                either = " or ".join(f"({' and '.join(alternative)})" for alternative in alternatives)
                branches = [[*branch, f"({either})"] for branch in branches]
        return branches

    def _has_index(self, name: str) -> bool:
        """Whether an index has this column before the order. None has one before the duration."""
        if self._sort == "longest_first":
            return False
        match name:
            case "number":
                return True
            case "user":
                return self._kind != "calls"
            case _:
                return self._kind in ("user_calls", f"{name}_calls")

    def _by_number(self) -> list[list[str]]:
        forms = self._wanted.numbers
        if not forms:
            return []
        other = "t.callee_number" if self._kind == "calls" else "t.destination_number"
        bound = [self.bind(form) for form in forms]
        unlike = f"(t.caller_number is null or t.caller_number not in ({', '.join(bound)}))"
        return [[f"t.caller_number = {form}"] for form in bound] + [[f"{other} = {form}", unlike] for form in bound]

    def _of_user(self, compared: str) -> str:
        if self._kind != "calls":
            return f"t.user_id {compared}"
        return self._has_row("user_calls", f"r.user_id {compared}")

    def _of_group(self, kind: Literal["queue", "ring_group"], group: GroupRef) -> str:
        if self._kind == f"{kind}_calls":
            return self._bears(group, "t.group_name", "t.group_number")
        if self._kind == "user_calls":
            return self._bears(group, f"t.via_{kind}", f"t.via_{kind}_number")
        return self._has_row("visits", f"r.kind = '{kind}' and {self._bears(group, 'r.group_name', 'r.group_number')}")

    def _bears(self, group: GroupRef, name: str, number: str) -> str:
        return f"{name} = {self.bind(group.name)} and coalesce({number}, '') = {self.bind(group.number or '')}"

    def _has_row(self, table: str, condition: str) -> str:
        """Whether the call has such a row, or had; a call that merged away has none any more, and is told to all."""
        found = f"r.account_id = t.account_id and r.call_id = {self._call()} and {condition}"
        either = [f"exists (select from {table} r where {found})"]
        if self._as_of and self._as_of.amended:
            either.append(f"exists (select from superseded_{table} r where {found} and {self._replaced('r')})")
        if self._kind == "calls" and self._wanted.updated_since is not None:
            either.append("t.merged_into is not null")
        return f"({' or '.join(either)})" if len(either) > 1 else either[0]

    def _call(self) -> str:
        return "t.id" if self._kind == "calls" else "t.call_id"

    def _sources_of_moment(self) -> list[_Source]:
        merged_into = "t.merged_into" if self._kind == "calls" else "null::uuid"
        about: list[str] = []
        if self._wanted.updated_since is not None:
            since = self.bind(self._wanted.updated_since)
            about.append(f"t.updated_at >= {since}")
        elif self._kind == "calls":
            about.append("t.merged_into is null")
        state = {"ended": ["t.state = 'ended'"], "open": ["t.state <> 'ended'"], "all": []}[self._wanted.state]
        if self._wanted.state == "open" and self._wanted.updated_since is not None and self._kind == "calls":
            # Who keeps what is open is told that it is no more, of whatever state it is then.
            state = ["(t.state <> 'ended' or t.merged_into is not null)"]
        seen = [self._seen("t.updated_at", "t.updated_in")] if self._as_of else []
        sources = [_Source(self._table, (*about, *state, *seen), merged_into=merged_into)]
        if self._as_of and self._as_of.amended:
            replaced = (*about, *state, self._replaced("t"))
            sources.append(_Source(f"superseded_{self._table}", replaced, merged_into=merged_into))
        if self._as_of and self._wanted.state != "ended":
            key = f"{UNKNOWN_DURATION}::bigint" if self._sort == "longest_first" else None
            sources.append(_Source(self._were_open(), tuple(about), key, merged_into))
        if self._wanted.updated_since is not None and self._kind != "calls":
            sources.append(self._gone(since))
        return sources

    def _seen(self, at: str, by: str) -> str:
        return f"({at} < {self._at} or pg_visible_in_snapshot({by}, {self._snapshot}))"

    def _replaced(self, alias: str) -> str:
        """The version that was in force at the moment, and is no more."""
        return (
            f"{alias}.superseded_at >= {self._at} "
            f"and not pg_visible_in_snapshot({alias}.superseded_in, {self._snapshot}) "
            f"and {self._seen(f'{alias}.updated_at', f'{alias}.updated_in')}"
        )

    def _were_open(self) -> str:
        """What was there, open, at the moment and has changed since: little, and kept apart from the long read."""
        return (
            f"(select * from {self._table} o where o.account_id = {self._account} and o.updated_at >= {self._at} "
            f"and not pg_visible_in_snapshot(o.updated_in, {self._snapshot}) "
            f"and {self._seen('o.listed_at', 'o.listed_in')} "
            f"and not exists (select from superseded_{self._table} s where s.account_id = o.account_id "
            f"and s.id = o.id and {self._seen('s.updated_at', 's.updated_in')}) offset 0)"
        )

    def _gone(self, since: str) -> _Source:
        """Rows that went since: their call merged into another, or is told without them."""
        conditions = [
            f"t.gone and t.superseded_at >= {since}",
            f"not exists (select from {self._table} p where p.account_id = t.account_id and p.id = t.id)",
            f"not exists (select from superseded_{self._table} l where l.account_id = t.account_id and l.id = t.id "
            "and l.superseded_at > t.superseded_at)",
        ]
        if self._as_of:
            conditions.append(self._seen("t.superseded_at", "t.superseded_in"))
        into = "(select a.call_id from call_aliases a where a.account_id = t.account_id and a.alias = t.call_id)"
        return _Source(f"superseded_{self._table}", tuple(conditions), merged_into=into, gone=True)
