"""What a fold told of a feed of rows, and what is wrong with it whatever the call was."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

from gateway.calls.compact_json import compact
from gateway.calls.document import call_document, user_call_document
from gateway.calls.fold import Fold
from gateway.calls.record import CallRecord, DomainEvent, Party
from gateway.calls.rows import Row
from gateway.calls.views import user_calls

LAST = ("call.ended", "call.merged")


@dataclass(frozen=True, slots=True)
class Told:
    """`records`: the last one of each call that did not merge away, by id. `open_calls`: how many did not end.

    `failures`: what rules or bookkeeping raised.
    """

    records: dict[str, CallRecord]
    merged: tuple[tuple[str, str, str], ...]
    events: tuple[DomainEvent, ...]
    closed: tuple[str, ...]
    open_calls: int
    failures: tuple[tuple[str, str], ...] = ()

    def texts(self) -> dict[str, str]:
        """Each call and its users' rows as the bytes that leave."""
        return {call_id: record_text(record) for call_id, record in self.records.items()}

    def events_of(self, call_ids: Iterable[str]) -> list[DomainEvent]:
        wanted = set(call_ids)
        return [event for event in self.events if event.call_id in wanted]


def record_text(record: CallRecord) -> str:
    rows = [compact(user_call_document(row)) for row in user_calls(record)]
    return "\n".join([compact(call_document(record)), *rows])


def tell(fold: Fold, rows: Sequence[Row], cuts: Iterable[int] = ()) -> Told:
    """Fold `rows`, draining before each of the places `cuts` and at the end."""
    records: dict[str, CallRecord] = {}
    merged: list[tuple[str, str, str]] = []
    events: list[DomainEvent] = []
    closed: list[str] = []
    failures: list[tuple[str, str]] = []
    start = 0
    for end in [*sorted(cuts), len(rows)]:
        for row in rows[start:end]:
            fold.take(row)
        start = end
        changes = fold.drain()
        records |= {record.id: record for record in changes.records}
        merged += changes.merged
        events += changes.events
        closed += changes.closed
        failures += changes.failures
    for _, old, _ in merged:
        records.pop(old, None)
    return Told(records, tuple(merged), tuple(events), tuple(closed), fold.open_calls, tuple(failures))


def differing(one: CallRecord, other: CallRecord) -> str:
    """The members in which two records' documents differ, with what each says."""
    found = list(_differing("", call_document(one), call_document(other)))
    return "; ".join(found) or "only in what documents do not show"


def _differing(where: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from _differing(f"{where}.{name}" if where else name, one[name], other[name])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (ours, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(f"{where}[{place}]", ours, theirs)
    elif one != other:
        yield f"{where} {one!r} not {other!r}"


def faults_of_any(told: Told) -> list[str]:
    """What may be said of no call."""
    wrong = [f"{call_id}: raised {error}" for call_id, error in told.failures]
    return [*wrong, *life_faults(told), *chain(*map(sum_faults, told.records.values()))]


def life_faults(told: Told) -> list[str]:
    """Where a `call.started` is not followed by exactly one end, or something comes after it."""
    lives: dict[str, list[str]] = {}
    for event in told.events:
        lives.setdefault(event.call_id, []).append(event.type)
    wrong = []
    settled = {record.id for record in told.records.values() if record.settled}
    for call_id, life in lives.items():
        ends = sum(kind in LAST for kind in life)
        over = call_id in settled or any(old == call_id for _, old, _ in told.merged)
        in_order = life[0] == "call.started" and life.count("call.started") == 1 and life.count("call.answered") <= 1
        if ends != over or (ends and life[-1] not in LAST) or not in_order:
            wrong.append(f"the life of {call_id} is {life}")
    wrong += [f"{call_id} is over and nothing told of it" for call_id in settled - lives.keys()]
    return wrong


def sum_faults(record: CallRecord) -> list[str]:
    wrong = []
    if record.duration_ms is not None and record.duration_ms < record.ring_ms + record.talk_ms:
        wrong.append(f"{record.id}: duration {record.duration_ms} < ring {record.ring_ms} + talk {record.talk_ms}")
    if min(record.ring_ms, record.talk_ms, record.duration_ms or 0) < 0:
        wrong.append(f"{record.id}: a negative duration")
    for row in user_calls(record):
        over = row.ended_at is not None and record.ended_at is not None
        until = row.ended_at if over else None
        if row.duration_ms != (None if until is None else until // 1000 - row.started_at // 1000):
            wrong.append(f"{row.id}: duration {row.duration_ms} from {row.started_at} to {row.ended_at}")
        if record.complete and row.duration_ms is not None and row.duration_ms < row.ring_ms + row.talk_ms:
            wrong.append(f"{row.id}: duration {row.duration_ms} < ring {row.ring_ms} + talk {row.talk_ms}")
    return wrong


def overlaps(record: CallRecord) -> list[str]:
    """Parties that talk in two segments at once."""
    wrong = []
    for one, other in combinations(record.segments, 2):
        shared = _named(one.parties) & _named(other.parties)
        ends_before = one.ended_at is not None and one.ended_at <= other.started_at
        begins_after = other.ended_at is not None and other.ended_at <= one.started_at
        if shared and not ends_before and not begins_after:
            wrong.append(f"{record.id}: {sorted(shared)} talks in two segments at once")
    return wrong


def _named(parties: Iterable[Party]) -> set[str]:
    """The parties that can be told apart from others."""
    named = (party.user.id if party.user else party.number for party in parties)
    return {name for name in named if name is not None}
