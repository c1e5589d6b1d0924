"""The fold: the rows of one node, in the order of their file, become calls.

Theory of operation. A row belongs to the call that holds its linked id or its unique id; a row
of an unknown linked id opens a call. When a row shows that two calls share a channel - the same
unique id under another linked id, the same bridge, or a PICKUP, ATTENDEDTRANSFER or PARK_END that
names a channel of the other - the younger joins the older. A call is over when all its channels have ended and
all its linked ids have, and each queue has told of its visits' ends; LINKEDID_END alone can come early, when a
channel moved on unseen, so a call that lacks one of these is given some of the source's own time to
show more, and is then closed as incomplete. No clock is read: time is what the rows say, and the
watermarks where no rows come.

`Fold.take` is called row by row; `drain` gives what changed since the last drain. Events are
decided row by row, so that they do not depend on how rows were batched.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeAlias

from gateway.calls.case import Case, ToE164, account_of
from gateway.calls.channels import HOLDING
from gateway.calls.directory import NodeDirectory
from gateway.calls.doubts import Doubts, patience_with
from gateway.calls.facts import CallFacts
from gateway.calls.identity import call_id
from gateway.calls.interpret import Told, interpret, not_understood
from gateway.calls.life import custom_event, merged_event
from gateway.calls.open_calls import OpenCall, OpenCalls
from gateway.calls.origination import Origination
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, Instant, QueueRow, Row, Watermark
from gateway.calls.talk import ROOM_APPS

LATE = 10_000
"""Linked ids of calls that are over, which are remembered: a late row of one opens no new call."""

MOST_OPEN = 100_000
"""Linked ids of open calls. Beyond, the calls of which nothing came for longest are lost, a hundredth at a time."""

PENDING_QUEUE_ROWS = 10_000
"""Queue facts of channels that no CEL row has shown yet; the oldest are dropped beyond."""

NO_CALL_EVENTS = frozenset(("STREAM_BEGIN", "STREAM_END", "DTMF"))

JOINING: Mapping[str, tuple[str, ...]] = {
    "PICKUP": ("pickup_channel_uniqueid",),
    "ATTENDEDTRANSFER": ("channel2_uniqueid", "transferee_channel_uniqueid", "transfer_target_channel_uniqueid"),
    "BLINDTRANSFER": ("transferee_channel_uniqueid",),
}
"""The Extra fields that name a channel of the same call, perhaps of another linked id."""

KNOWN_USER_EVENTS = ("QUEUESTATUS", "VMSTATUS")
"""What rules read of what dialplans say; anything else is told on as it is."""

DirectoryAt: TypeAlias = Callable[[Instant], NodeDirectory]


@dataclass(frozen=True, slots=True)
class Changes:
    """What came of the rows taken since the last drain.

    `records`: each changed call as it stands; `merged`: (account, id that is over, id it joined), given again where
    that one joined another; `closed`: linked ids of calls that are over or merged; `opened`: linked ids of open calls
    that changed;
    `failures`: (call id, what a rule or the bookkeeping raised), which is our fault, and for the log.
    """

    records: tuple[CallRecord, ...]
    merged: tuple[tuple[str, str, str], ...]
    events: tuple[DomainEvent, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]
    failures: tuple[tuple[str, str], ...] = ()

    def calls(self) -> set[tuple[str, str]]:
        """(account, id) of the calls of which this tells."""
        of_records = {(record.account, record.id) for record in self.records if record.account is not None}
        return (
            of_records
            | {(account, old) for account, old, _ in self.merged}
            | {(event.account, event.call_id) for event in self.events}
        )

    def of(self, calls: Collection[tuple[str, str]]) -> "Changes":
        """What is told of these calls (account, id). What is open or closed is left out: it is a matter of all."""
        ids = {call_id for _, call_id in calls}
        return Changes(
            tuple(record for record in self.records if (record.account, record.id) in calls),
            tuple(merged for merged in self.merged if merged[:2] in calls),
            tuple(event for event in self.events if (event.account, event.call_id) in calls),
            (),
            (),
            tuple(failure for failure in self.failures if failure[0] in ids),
        )


class Fold:
    """One node's open calls. `to_e164`: see `case.ToE164`."""

    def __init__(self, node: str, directory_at: DirectoryAt, to_e164: ToE164) -> None:
        self.node = node
        self._directory_at = directory_at
        self._to_e164 = to_e164
        self._open = OpenCalls()
        self._doubts = Doubts()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._queue_rows: OrderedDict[str, list[QueueRow]] = OrderedDict()
        self._originations: dict[str, Origination] = {}
        self._touched: dict[str, tuple[OpenCall, CallRecord | None]] = {}
        self._records: list[CallRecord] = []
        self._merged: list[tuple[str, str, str]] = []
        self._events: list[DomainEvent] = []
        self._closed: list[str] = []
        self._failures: list[tuple[str, str]] = []
        self.unowned = 0
        """Calls that ended without an account that owns them."""

    @property
    def open_calls(self) -> int:
        return len(self._open.each())

    def know(self, origination: Origination) -> None:
        """Tell of a call that the gateway placed, before the rows that show it."""
        if origination.over:
            self._over[origination.id] = None
        else:
            self._originations[origination.id] = origination

    def knows(self, call_id: str) -> bool:
        """Whether `know` need not tell of this call: it did, or the call goes on or is over."""
        return call_id in self._originations or call_id in self._over or self._open.of_linked_id(call_id) is not None

    def know_over(self, linked_ids: Iterable[str]) -> None:
        """Tell of calls that are over: their late rows open no new ones."""
        self._over.update(dict.fromkeys(linked_ids))

    def take(self, row: Row) -> bool:
        """Whether anything came of it, or may: a row that did nothing, and never will, need not be kept."""
        match row:
            case Watermark():
                return self._settle_doubts(row.at)
            case CelRow():
                self._settle_doubts(row.at)
                try:
                    self._take_cel(row)
                except Exception as error:
                    self._fail(self._open.of_linked_id(row.linked_id), row.linked_id, error)
            case QueueRow():
                try:
                    self._take_queue_row(row)
                except Exception as error:
                    self._fail(self._open.of_channel(row.unique_id), row.unique_id, error)
            case Gap() | ClockStep():
                if isinstance(row, ClockStep):
                    self._doubts.begin_anew(row.at)
                for call in self._open.each():
                    call.facts.gap = True
                    self._touch(call)
            case ChannelsAlive():
                self._close_the_dead(row)
        return True

    def drain(self) -> Changes:
        """What changed since the last drain; the fold forgets it."""
        for call, made in self._touched.values():
            record = made or self._record(call)
            if record is not None:
                self._records.append(record)
        opened = [linked_id for call, _ in self._touched.values() for linked_id in call.facts.linked_ids]
        changes = Changes(
            tuple(self._records),
            tuple(self._merged),
            tuple(self._events),
            tuple(opened),
            tuple(self._closed),
            tuple(self._failures),
        )
        self._touched = {}
        self._records, self._merged, self._events, self._closed, self._failures = [], [], [], [], []
        return changes

    def put_back(self, changes: Changes) -> None:
        """What a drain gave and nobody was told is given by the next, before all else."""
        self._records[:0] = changes.records
        self._merged[:0] = changes.merged
        self._events[:0] = changes.events
        self._failures[:0] = changes.failures

    # ── rows ────────────────────────────────────────────────────────────────

    def _take_cel(self, row: CelRow) -> None:
        call = self._call_of(row)
        if call is None:
            return
        call.facts.take(row)
        if row.unique_id in call.facts.channels and self._open.add_channel(row, call):
            call.facts.queue_rows += self._queue_rows.pop(row.unique_id, [])
        call = self._join_named(call, row)
        self._touch(call, self._tell(call, row))
        self._weigh(call, row.at)

    def _weigh(self, call: OpenCall, at: Instant) -> None:
        """Close the call if it is over, or doubt that it is not."""
        self._doubts.remove(call)
        patience = patience_with(call.facts)
        if patience == 0:
            self._close(call)
        elif patience is not None:
            self._doubts.add(call, at, patience)

    def _call_of(self, row: CelRow) -> OpenCall | None:
        """The row's call, found, joined or opened; None for rows that belong to none."""
        by_linked_id = self._open.of_linked_id(row.linked_id)
        by_unique_id = self._open.of_channel(row.unique_id)
        if by_linked_id and by_unique_id and by_linked_id is not by_unique_id:
            if self._enters_bridge_of(by_linked_id, row):
                return self._join_unsaid(by_linked_id, by_unique_id, row.at)
            # A channel went over to another linked id, and nothing that joins calls was seen.
            by_linked_id.facts.gap = True
            return self._merge(by_linked_id, by_unique_id, row.at)
        if by_linked_id:
            return by_linked_id
        if by_unique_id:
            if row.event == "LINKEDID_END":
                return None
            by_unique_id.facts.gap = True
            by_unique_id.facts.linked_ids.append(row.linked_id)
            self._open.add(row.linked_id, by_unique_id)
            return by_unique_id
        if row.event in NO_CALL_EVENTS or row.channel.startswith("CBAnn/") or row.event == "LINKEDID_END":
            return None
        if row.linked_id in self._over:
            return None
        if self._open.linked_ids >= MOST_OPEN:
            self._lose_the_stalest()
        return self._open_call(row)

    def _enters_bridge_of(self, call: OpenCall, row: CelRow) -> bool:
        return row.event == "BRIDGE_ENTER" and self._open.of_bridge(row.extra.get("bridge_id", "")) is call

    def _open_call(self, row: CelRow) -> OpenCall:
        # A linked id is made for its first channel, and is that channel's unique id.
        begins = row.event == "CHAN_START" and row.unique_id == row.linked_id
        facts = CallFacts([row.linked_id], row.at, gap=not begins, last_row_at=row.at)
        new_id = call_id(self.node, row.linked_id, row.at)
        call = OpenCall(new_id, facts, self._directory_at(row.at), self._originations.pop(new_id, None))
        self._open.add(row.linked_id, call)
        return call

    def _take_queue_row(self, row: QueueRow) -> None:
        call = self._open.of_channel(row.unique_id)
        if call:
            call.facts.queue_rows.append(row)
            self._touch(call)
            if self._doubts.about_queues(call):
                self._weigh(call, row.at)
            return
        self._queue_rows.setdefault(row.unique_id, []).append(row)
        if len(self._queue_rows) > PENDING_QUEUE_ROWS:
            self._queue_rows.popitem(last=False)

    # ── joining ─────────────────────────────────────────────────────────────

    def _join_named(self, call: OpenCall, row: CelRow) -> OpenCall:
        """The row's call, joined with those that the row names."""
        for name in JOINING.get(row.event, ()):
            other = self._open.of_channel(row.extra.get(name, ""))
            if other and other is not call:
                call = self._merge(call, other, row.at)
        if row.event == "BRIDGE_ENTER" and _is_of_a_call(row):
            other = self._open.enter_bridge(row.extra.get("bridge_id", ""), call)
            if other is not call:
                call = self._join_unsaid(call, other, row.at)
        if row.event == "PARK_END" and (retriever := row.extra.get("retriever")):
            other = self._open.of_name(retriever)
            if other and other is not call:
                call = self._merge(call, other, row.at)
        return call

    def _join_unsaid(self, one: OpenCall, two: OpenCall, at: Instant) -> OpenCall:
        """Join calls that meet in a bridge. The event that says why may follow.

        None does where Asterisk itself rang a transferer back: that call began with nobody's dialling.
        """
        called_back = any(call.facts.first.exten == "s" and call.facts.complete for call in (one, two))
        joined = self._merge(one, two, at)
        if not called_back:
            joined.facts.unsaid.append(at)
        return joined

    def _merge(self, one: OpenCall, two: OpenCall, at: Instant) -> OpenCall:
        """Make the younger of two calls part of the older, and tell of it."""
        older, younger = sorted((one, two), key=lambda call: (call.facts.started_at, call.id))
        older.facts.absorb(younger.facts)
        older.merged_ids += [younger.id, *younger.merged_ids]
        older.origination = older.origination or younger.origination
        older.life.absorb(younger.life)
        self._open.hand_over(younger, older)
        self._touched.pop(younger.id, None)
        self._doubts.remove(younger)
        account = self._account(younger)
        if account and younger.life.started:
            self._merged += [(account, one, older.id) for one in (younger.id, *younger.merged_ids)]
            self._events.append(merged_event(account, younger.id, older.id, at))
        return older

    # ── telling and closing ─────────────────────────────────────────────────

    def _account(self, call: OpenCall) -> str | None:
        if not call.facts.channels:
            return None
        try:
            account = account_of(call.facts, call.directory, call.origination)
        except Exception as error:
            self._note(call, error)
            return None
        return account if account in call.directory.accounts else None

    def _record(self, call: OpenCall, ended_at: Instant | None = None, *, lost: bool = False) -> CallRecord | None:
        account = self._account(call)
        if account is None:
            return None
        directory = call.directory.accounts[account]
        placed = call.origination if call.origination and call.origination.id == call.id else None
        case = Case(call.facts, call.directory, account, directory, placed, self._to_e164)
        told = Told(call.id, self.node, tuple(call.merged_ids), ended_at, lost)
        try:
            return interpret(case, told)
        except Exception as error:
            self._note(call, error)
        try:
            return not_understood(case, told)
        except Exception as error:
            self._note(call, error)
            return None

    def _fail(self, call: OpenCall | None, id_of_row: str, error: Exception) -> None:
        """One call's trouble must not become every call's: note it, and go on."""
        if call is None:
            self._failures.append((id_of_row, repr(error)))
            return
        self._note(call, error)
        self._touch(call)

    def _note(self, call: OpenCall, error: Exception) -> None:
        self._failures.append((call.id, repr(error)))
        call.facts.gap = True

    def _tell(self, call: OpenCall, row: CelRow) -> CallRecord | None:
        """Tells what the row made true; the record, if one had to be made for it."""
        if not call.life.may_go_on_at(row, call.facts, call.directory):
            return None
        record = self._record(call)
        if record is None:
            return None
        self._events += call.life.reached(record, row.at, len(call.facts.transfers))
        if row.event == "USER_DEFINED" and row.user_type not in KNOWN_USER_EVENTS and record.account:
            text = row.extra.get("extra", "")
            self._events.append(custom_event(record.account, call.id, row.at, row.user_type, text))
        return record

    def _close(self, call: OpenCall, *, at: Instant | None = None, lost: bool = False) -> None:
        try:
            self._tell_the_end(call, at if at is not None else _ended_at(call.facts), lost=lost)
        except Exception as error:
            # It is over all the same, and so told of no more.
            self._note(call, error)
        self._closed += call.facts.linked_ids
        self._touched.pop(call.id, None)
        self._doubts.remove(call)
        self._open.remove(call)
        self._over.update(dict.fromkeys(call.facts.linked_ids))
        while len(self._over) > LATE:
            self._over.popitem(last=False)

    def _tell_the_end(self, call: OpenCall, ended_at: Instant, *, lost: bool) -> None:
        record = self._record(call, ended_at, lost=lost)
        if record is None:
            self.unowned += 1
            return
        self._records.append(record)
        self._events += call.life.over(record, len(call.facts.transfers))

    def _settle_doubts(self, now: Instant) -> bool:
        """Close what was doubted for long enough; whether there was any."""
        settled = False
        for call in self._doubts.settled(now):
            call.facts.gap = settled = True
            self._close(call)
        return settled

    def _close_the_dead(self, alive: ChannelsAlive) -> None:
        for call in self._open.each():
            try:
                self._close_if_dead(call, alive)
            except Exception as error:
                self._fail(call, call.id, error)

    def _close_if_dead(self, call: OpenCall, alive: ChannelsAlive) -> None:
        lives = not alive.unique_ids.isdisjoint(call.facts.channels)
        if not lives and call.facts.last_row_at < alive.since:
            self._lose(call)
        elif call.facts.end_unheard(alive):
            self._touch(call)
            self._weigh(call, alive.at)

    def _lose_the_stalest(self) -> None:
        """Calls whose ends were missed must not fill the memory. One that goes on for days has rows now and then."""
        for call in nsmallest(max(1, MOST_OPEN // 100), self._open.each(), key=lambda call: call.facts.last_row_at):
            self._lose(call)

    def _lose(self, call: OpenCall) -> None:
        call.facts.gap = True
        self._close(call, at=call.facts.last_row_at, lost=not call.facts.all_channels_hung_up)

    def _touch(self, call: OpenCall, record: CallRecord | None = None) -> None:
        """The call changed; `record`: as it stands now, if that was made already."""
        self._touched[call.id] = (call, record)


def _is_of_a_call(row: CelRow) -> bool:
    """Whether the bridge that this row enters holds one call: rooms and parking lots hold many."""
    if row.app in ROOM_APPS or "bridge_id" not in row.extra:
        return False
    return row.extra.get("bridge_technology") not in (HOLDING, "softmix")


def _ended_at(facts: CallFacts) -> Instant:
    """When the last channel ended; where an end is missing, the last that was heard."""
    ends = [channel.ended_at for channel in facts.channels.values()]
    known = [end for end in ends if end is not None]
    return facts.last_row_at if len(known) < len(ends) or not known else max(known)
