"""What can go wrong with the rows of a call between Asterisk and the fold, and what may come of it.

A variant of a recording is folded beside a bystander: another call that begins with it and ends
an hour later, so that whatever is in doubt about the damaged call is decided by then, and whatever
leaks out of it shows.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, pairwise, takewhile, zip_longest
from typing import NamedTuple

from gateway.calls.fold import Fold
from gateway.calls.record import CallRecord
from gateway.calls.rows import NOTHING, CelRow, ChannelsAlive, Gap, Instant, QueueRow, Row
from tests.unit.calls.telling import Told, differing, faults_of_any, tell

HOUR = 3_600_000_000
BYSTANDER = "y"
OTHER = "b"
"""Marks that keep the ids and channel names of one recording apart from another's."""

NewFold = Callable[[], Fold]


class Variant(NamedTuple):
    """`touched`: the linked ids and unique ids whose calls the damage is done to."""

    what: str
    rows: list[Row]
    touched: frozenset[str]


def ids_of(row: Row) -> frozenset[str]:
    match row:
        case CelRow():
            return frozenset((row.linked_id, row.unique_id))
        case QueueRow():
            return frozenset((row.unique_id,))
    return frozenset()


def start_of(rows: Sequence[Row]) -> Instant:
    """A call may leave no row at all."""
    return rows[0].at if rows else 0


def events_of(rows: Sequence[Row]) -> list[Row]:
    """What Asterisk told of calls: not what the reader found out about all of them at once."""
    return [row for row in rows if isinstance(row, CelRow | QueueRow)]


def _shown(row: Row) -> str:
    match row:
        case CelRow():
            return f"{row.event} {row.channel}" + (f" {row.app}({row.app_data})" if row.app else "")
        case QueueRow():
            return f"queue's {row.event}"
    return type(row).__name__


# ── damage ──────────────────────────────────────────────────────────────────


def dropped(rows: Sequence[Row]) -> Iterator[Variant]:
    """But for what a dialplan does of its own accord, saying something or answering: nothing tells that it is lost."""
    bridged = {row.unique_id for row in rows if isinstance(row, CelRow) and row.event == "BRIDGE_ENTER"}
    for at, row in enumerate(rows):
        if isinstance(row, CelRow) and (
            row.event == "USER_DEFINED" or (row.event == "ANSWER" and row.unique_id not in bridged)
        ):
            continue
        yield Variant(f"without row {at + 1} {_shown(row)}", [*rows[:at], *rows[at + 1 :]], ids_of(row))


def doubled(rows: Sequence[Row]) -> Iterator[Variant]:
    for at, row in enumerate(rows):
        yield Variant(f"row {at + 1} twice {_shown(row)}", [*rows[:at], row, *rows[at:]], ids_of(row))


def swapped(rows: Sequence[Row]) -> Iterator[Variant]:
    """Neighbours of different channels in the other order, each with its own time."""
    for at, (one, two) in enumerate(pairwise(rows)):
        if isinstance(one, CelRow) and isinstance(two, CelRow) and one.unique_id != two.unique_id:
            what = f"rows {at + 1} and {at + 2} swapped: {_shown(one)}, {_shown(two)}"
            yield Variant(what, [*rows[:at], two, one, *rows[at + 2 :]], ids_of(one) | ids_of(two))


def corrupt_extra(rows: Sequence[Row]) -> Iterator[Variant]:
    """Extra that could not be read."""
    for at, row in enumerate(rows):
        if isinstance(row, CelRow) and row.extra:
            unread = replace(row, extra=NOTHING)
            yield Variant(f"row {at + 1} with unreadable Extra: {_shown(row)}", _with(rows, at, unread), ids_of(row))


def wandering(rows: Sequence[Row]) -> Iterator[Variant]:
    """From some row on, a channel has another linked id, and no event says so."""
    for at, row in enumerate(rows):
        if not isinstance(row, CelRow) or row.event in ("CHAN_START", "LINKEDID_END"):
            continue
        gone = f"{row.linked_id}9"
        moved: list[Row] = [
            replace(later, linked_id=gone) if isinstance(later, CelRow) and later.unique_id == row.unique_id else later
            for later in rows[at:]
        ]
        yield Variant(f"from row {at + 1} on {row.channel} has another linked id", [*rows[:at], *moved], ids_of(row))


def ended_early(rows: Sequence[Row]) -> Iterator[Variant]:
    """A LINKEDID_END that comes at each place before its own."""
    for at, row in enumerate(rows):
        if isinstance(row, CelRow) and row.event == "LINKEDID_END":
            for place in range(1, at):
                early = replace(row, at=rows[place - 1].at)
                moved = [*rows[:place], early, *rows[place:at], *rows[at + 1 :]]
                yield Variant(f"LINKEDID_END already after row {place}", moved, ids_of(row))


def suffixes(rows: Sequence[Row]) -> Iterator[Variant]:
    """What a reader hears that comes in the middle; the journal's gives it a day of queue_log first."""
    facts = list(takewhile(lambda row: isinstance(row, QueueRow), rows))
    for start in range(len(facts) + 1, len(rows)):
        cut = rows[len(facts) : start]
        yield Variant(f"from row {start + 1} on", [*facts, *rows[start:]], frozenset(chain(*map(ids_of, cut))))


def strange(rows: Sequence[Row]) -> Iterator[Variant]:
    """After each row, events of its channel that nobody knows."""
    for at, row in enumerate(rows):
        if isinstance(row, CelRow) and row.event != "LINKEDID_END":
            new = replace(row, event="A_NEW_EVENT", extra={"new": "thing"})
            told = replace(row, event="USER_DEFINED", user_type="OWN", extra={"extra": "some,thing"})
            feed = [*rows[: at + 1], new, told, *rows[at + 1 :]]
            yield Variant(f"strange events after row {at + 1} {_shown(row)}", feed, ids_of(row))


def killed(rows: Sequence[Row]) -> Iterator[Variant]:
    """Asterisk dies after each row; the next list of its channels has none of them."""
    for end in range(1, len(rows) + 1):
        now = max(row.at for row in rows[:end])
        alive = ChannelsAlive(now + 2, now + 1, frozenset())
        feed = [*rows[:end], alive]
        yield Variant(f"killed after row {end} {_shown(rows[end - 1])}", feed, frozenset(chain(*map(ids_of, rows))))


def unheard(rows: Sequence[Row]) -> Iterator[Variant]:
    """From each row on as many are missed as are left then; what lives after them is asked for."""
    touched = frozenset(chain(*map(ids_of, rows)))
    for start in range(1, len(rows)):
        end = start + (len(rows) - start + 1) // 2
        now = max(row.at for row in rows[:end]) + 1
        alive = ChannelsAlive(now, now, _alive_after(rows[:end]))
        feed = [*rows[:start], Gap(now), alive, *rows[end:]]
        yield Variant(f"rows {start + 1} to {end} unheard, from {_shown(rows[start])} on", feed, touched)


def _alive_after(rows: Sequence[Row]) -> frozenset[str]:
    events = [row for row in rows if isinstance(row, CelRow)]
    return frozenset(row.unique_id for row in events) - {row.unique_id for row in events if row.event == "CHAN_END"}


def _with(rows: Sequence[Row], at: int, row: Row) -> list[Row]:
    return [*rows[:at], row, *rows[at + 1 :]]


# ── what came of it ─────────────────────────────────────────────────────────


class Scene:
    """A call, whole and damaged, with a bystander around it."""

    def __init__(self, rows: Sequence[Row], new_fold: NewFold, bystander: Sequence[Row]) -> None:
        self.rows = events_of(rows)
        self.new_fold = new_fold
        self._bystander = _stretched(renamed(bystander, BYSTANDER), start_of(rows))
        self._alone = tell(new_fold(), [*self._bystander[0], *self._bystander[1]])
        self.intact = self.told(self.rows)

    @property
    def others(self) -> frozenset[str]:
        """The bystander's."""
        return frozenset(self._alone.records)

    def told(self, rows: Sequence[Row]) -> Told:
        head, tail = self._bystander
        riffled = (row for pair in zip_longest(rows, head) for row in pair if row is not None)
        return tell(self.new_fold(), [*riffled, *tail])

    @property
    def later(self) -> list[Row]:
        """The bystander's call, an hour after this one began."""
        return shifted(chain(*self._bystander), HOUR)

    @cached_property
    def over(self) -> list[frozenset[str]]:
        """The calls that were over before each row, and after the last."""
        fold = self.new_fold()
        after, settled = [frozenset[str]()], frozenset[str]()
        for row in self.rows:
            settled |= {record.id for record in tell(fold, [row]).records.values() if record.settled}
            after.append(settled)
        return after

    def faults(self, told: Told, variant: Variant) -> list[str]:
        """What this damage did that it may not."""
        wrong = faults_of_any(told)
        for call_id, record in told.records.items():
            whole = self.intact.records.get(call_id)
            if record.settled and record.complete and record != whole:
                how = differing(record, whole) if whole else "there is no such call"
                wrong.append(f"{call_id} says that it is complete, but {how}")
        for whole in self._others(variant.touched):
            wrong += _changes(whole, told)
        return wrong + self.bystander_faults(told)

    def bystander_faults(self, told: Told) -> list[str]:
        alone = self._alone
        same = all(told.records.get(call_id) == record for call_id, record in alone.records.items())
        if same and told.events_of(alone.records) == list(alone.events):
            return []
        return ["the bystander's call changed"]

    def _others(self, touched: frozenset[str]) -> Iterator[CallRecord]:
        """The calls of the recording that the damage was not done to."""
        for record in self.intact.records.values():
            own = {row.linked_id for row in self.rows if isinstance(row, CelRow) and row.unique_id in touched}
            if touched.isdisjoint(record.linked_ids) and own.isdisjoint(record.linked_ids):
                yield record


def _changes(whole: CallRecord, told: Told) -> list[str]:
    record = told.records.get(whole.id)
    if record == whole:
        return []
    return [f"{whole.id} is another call, but " + (differing(record, whole) if record else "it is gone")]


def damage_faults(scene: Scene, variant: Variant) -> list[str]:
    """The call itself is as it was or says that it is not complete; no other is touched."""
    return scene.faults(scene.told(variant.rows), variant)


def suffix_faults(scene: Scene, variant: Variant) -> list[str]:
    """A call whose beginning was cut off is not complete; the rest as for any damage."""
    told = scene.told(variant.rows)
    return scene.faults(told, variant) + [
        f"{record.id} says that it is complete"
        for record in told.records.values()
        if record.complete and not variant.touched.isdisjoint(record.linked_ids)
    ]


def killed_faults(scene: Scene, variant: Variant) -> list[str]:
    """Nothing stays open, and a call that was not over is lost."""
    told = tell(scene.new_fold(), variant.rows)
    wrong = faults_of_any(told)
    if told.open_calls:
        wrong.append(f"{told.open_calls} calls stay open")
    return wrong + [
        f"{call_id}: complete {record.complete}, settled {record.settled}"
        for call_id, record in told.records.items()
        if call_id not in scene.over[len(variant.rows) - 1] and (record.complete or not record.settled)
    ]


def unheard_faults(scene: Scene, variant: Variant) -> list[str]:
    """Nothing stays open for long, and what is not as it was is not complete."""
    told = tell(scene.new_fold(), [*variant.rows, *scene.later])
    wrong = faults_of_any(told)
    if told.open_calls > scene.intact.open_calls:
        wrong.append(f"{told.open_calls} calls stay open")
    return wrong + [
        f"{call_id} says that it is complete"
        for call_id, record in told.records.items()
        if record.complete and record != scene.intact.records.get(call_id) and call_id not in scene.others
    ]


def unchanged_faults(scene: Scene, variant: Variant) -> list[str]:
    """For what says nothing of a call: its record is the same, complete as before."""
    told = scene.told(variant.rows)
    return [
        differing(told.records[call_id], whole) if call_id in told.records else "the call is gone"
        for call_id, whole in scene.intact.records.items()
        if told.records.get(call_id) != whole
    ]


class Kind(NamedTuple):
    """A way of damaging a call, and what is wrong then."""

    variants: Callable[[Sequence[Row]], Iterator[Variant]]
    faults: Callable[[Scene, Variant], list[str]]


KINDS: Mapping[str, Kind] = {
    "suffixes": Kind(suffixes, suffix_faults),
    "dropped": Kind(dropped, damage_faults),
    "doubled": Kind(doubled, damage_faults),
    "swapped": Kind(swapped, damage_faults),
    "extra": Kind(corrupt_extra, damage_faults),
    "wandering": Kind(wandering, damage_faults),
    "early": Kind(ended_early, damage_faults),
    "strange": Kind(strange, unchanged_faults),
    "killed": Kind(killed, killed_faults),
    "unheard": Kind(unheard, unheard_faults),
}


# ── two calls in one file ───────────────────────────────────────────────────

_CHANNEL = re.compile(r"[A-Za-z0-9]+/.+-[0-9a-f]{8}(;[12])?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def renamed_id(text: str, mark: str) -> str:
    """A chosen id (a UUID) stays one; Asterisk's own are marked as with a system name. `mark`: of base 36."""
    if _UUID.match(text):
        return f"{text[:32]}{int(mark, 36) % 0x10000:04x}{text[36:]}"
    return f"{mark}-{text}"


def _renamed_channel(name: str, mark: str) -> str:
    head, dash, tail = name.rpartition("-")
    return f"{head}{dash}{mark}{tail}"


def renamed(rows: Sequence[Row], mark: str) -> list[Row]:
    """The same calls under ids, channel names and bridges of their own."""
    names = _names(rows, mark)
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(name) + r"(?![0-9a-f])" for name in longest_first))

    def mapped(text: str) -> str:
        return pattern.sub(lambda found: names[found[0]], text)

    return [_mapped(row, mapped) for row in rows]


def _names(rows: Sequence[Row], mark: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for row in rows:
        for unique_id in ids_of(row):
            names[unique_id] = renamed_id(unique_id, mark)
        if not isinstance(row, CelRow):
            continue
        for name in (row.channel, *row.peer.split(","), *row.extra.values()):
            if _CHANNEL.fullmatch(name):
                names[name] = _renamed_channel(name, mark)
        for key, value in row.extra.items():
            if value and key.endswith("uniqueid"):
                names[value] = renamed_id(value, mark)
            elif value and key in ("bridge_id", "bridge1_id", "bridge2_id"):
                names[value] = f"{mark}{value}"
    return names


def _mapped(row: Row, mapped: Callable[[str], str]) -> Row:
    match row:
        case CelRow():
            return replace(
                row,
                channel=mapped(row.channel),
                unique_id=mapped(row.unique_id),
                linked_id=mapped(row.linked_id),
                app_data=mapped(row.app_data),
                peer=mapped(row.peer),
                extra={name: mapped(value) for name, value in row.extra.items()},
            )
        case QueueRow():
            return replace(row, unique_id=mapped(row.unique_id))
    return row


def shifted(rows: Iterable[Row], by: Instant) -> list[Row]:
    return [replace(row, at=row.at + by) for row in rows]


def _stretched(rows: Sequence[Row], start: Instant) -> tuple[list[Row], list[Row]]:
    """A call that begins at `start` and is cut in two before anybody hangs up; the rest comes an hour later."""
    ends = next(at for at, row in enumerate(rows) if isinstance(row, CelRow) and row.event in ("APP_END", "HANGUP"))
    head = [replace(row, at=start + place) for place, row in enumerate(rows[:ends])]
    tail = [replace(row, at=start + HOUR + place) for place, row in enumerate(rows[ends:])]
    return head, tail
