"""Whether the source's files, the raw rows, the records and the event log of a time agree.

Each is compared with the one before it: files with rows, rows (folded anew) with records, records
with events. Nothing is changed. Memory holds what differs, and the calls that are open at once.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.asterisk.kept_files import KeptFiles
from gateway.calls.instant import from_datetime, to_datetime, to_text
from gateway.calls.row_json import row_to_json
from gateway.calls.rows import CelRow, Instant, QueueRow
from gateway.ingest.refold import refold
from gateway.store import amended, audited, directories, stored_rows
from gateway.store.connection import Connection

EXAMPLES = 100
SLICE_ROWS = 2_000
NEARLY = 1_000_000
"""Microseconds by which rows may be out of order in their file."""

PRUNED_SLACK = timedelta(hours=1)
"""What ended so shortly after the oldest event that is kept may have been told of before it."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    text: str
    account: str | None = None
    call: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "account": self.account, "call": self.call, "text": self.text}


@dataclass(slots=True)
class OfAccount:
    calls: int = 0
    events: int = 0
    differences: int = 0


@dataclass(slots=True)
class Audited:
    """`compared_from`: raw rows before it are kept no more."""

    node: str
    since: Instant
    until: Instant
    compared_from: Instant
    counts: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)
    accounts: dict[str, OfAccount] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "from": to_text(self.since),
            "to": to_text(self.until),
            "compared_from": to_text(self.compared_from),
            "agrees": self.agrees,
            "counts": dict(self.counts),
            "differences": dict(self.differences),
            "examples": [one.as_json() for one in self.examples],
        }


class Audit:
    """`on_difference` hears of each; `on_progress` of (rows done, of about, what is being done)."""

    def __init__(
        self,
        connection: Connection,
        node: str,
        since: Instant,
        until: Instant,
        files: KeptFiles,
        *,
        on_difference: Callable[[Difference], None] = lambda _: None,
        on_progress: Callable[[int, int, str], None] = lambda *_: None,
        pause: float = 0,
    ) -> None:
        self._connection = connection
        self._node = node
        self._files = files
        self._on_difference = on_difference
        self._on_progress = on_progress
        self._pause = pause
        self._done = Audited(node, since, until, since)

    async def run(self) -> Audited:
        done, began, ended = self._done, to_datetime(self._done.since), to_datetime(self._done.until)
        await audited.begin(self._connection)
        try:
            # Also where nothing is left of this time: a day may be gone while an older one is kept for an open call.
            dropped_until = await stored_rows.dropped_until(self._connection, self._node)
            if dropped_until is not None:
                done.compared_from = max(done.since, dropped_until)
            await self._files_and_rows()
            await self._rows_and_records()
            for account in await directories.accounts(self._connection):
                done.accounts[account] = done.accounts.get(account, OfAccount())
                await self._records_and_events(account, began, ended)
                await self._event_log(account)
            for owner, linked_id, call in await audited.twice(self._connection, self._node, began, ended):
                self._differs("recorded_twice", f"linked id {linked_id} is in two records", owner, call)
        finally:
            await audited.end(self._connection)
        return done

    def _differs(self, kind: str, text: str, account: str | None = None, call: str | None = None) -> None:
        difference = Difference(kind, text, account, call)
        self._done.differences[kind] += 1
        if account is not None:
            self._done.accounts.setdefault(account, OfAccount()).differences += 1
        if len(self._done.examples) < EXAMPLES:
            self._done.examples.append(difference)
        self._on_difference(difference)

    # ── files and rows ──────────────────────────────────────────────────────

    async def _files_and_rows(self) -> None:
        done = self._done
        began, ended = to_datetime(done.compared_from), to_datetime(done.until)
        after, balance = (began - timedelta(seconds=1), -1), _Balance()
        # What was written before this gateway first read is nobody's loss.
        first = await audited.first_stored(self._connection, self._node)
        in_files = self._files.rows(max(done.compared_from, first or 0), done.until)
        while slice_ := await audited.stored(self._connection, self._node, began, ended, after, SLICE_ROWS):
            last = slice_[-1]
            after = last[0], last[1]
            balance.take_files(in_files, from_datetime(last[0]))
            for at, _, text in slice_:
                balance.stored(text, from_datetime(at))
            self._on_progress(balance.stored_rows, 0, "rows compared with the files")
            await asyncio.sleep(self._pause)
        balance.take_files(in_files, None)
        done.counts.update(file_rows=balance.file_rows, stored_rows=balance.stored_rows)
        missing, surplus = balance.unmatched()
        # Each gateway has its own spool. What the writer did not hear, or this one did not, is a gap that is told.
        spooled = self._files.journal is None
        unheard = await audited.gaps(self._connection, self._node, began, ended) if spooled else []
        for text in missing:
            if not _within(text, unheard):
                self._differs("not_stored", f"a row of the files is not in raw_rows: {_short(text)}")
        if self._files.whole and balance.first is not None and balance.last is not None:
            own_gaps = self._files.gaps()
            for text in surplus:
                if balance.first <= _at(text) <= balance.last and not _within(text, own_gaps):
                    self._differs("not_in_files", f"a row of raw_rows is not in the files: {_short(text)}")

    # ── rows and records ────────────────────────────────────────────────────

    async def _rows_and_records(self) -> None:
        done = self._done
        async for folded in refold(self._connection, self._node, done.compared_from, done.until, pause=self._pause):
            given = [(record.account or "", record.id) for record in folded.records]
            await audited.note_given(self._connection, given)
            done.counts["calls_of_rows"] += len(given)
            for failure in folded.failures:
                self._differs("not_understood", failure)
            for one in await amended.differing(self._connection, folded.records):
                text = {
                    "no_record": "the rows give a call of which there is no record",
                    "record_differs": "the record is not what the rows give",
                    "listed_rows_differ": "the listed rows are not what the rows give",
                    "recorded_as_merged": "is recorded as part of another call",
                    "not_recorded_as_merged": f"{', '.join(one.merged)} joined it, and stand alone",
                }[one.kind]
                self._differs(one.kind, text, one.record.account, one.record.id)
            self._on_progress(folded.rows, folded.of, f"{done.counts['calls_of_rows']} calls compared")

    # ── records and events ──────────────────────────────────────────────────

    async def _records_and_events(self, account: str, began: datetime, ended: datetime) -> None:
        done = self._done
        log = await audited.sequences(self._connection, account)
        pruned = log.since if log.first is not None and log.first > 1 else None
        after = (began - timedelta(seconds=1), UUID(int=0))
        while some := await audited.calls(self._connection, account, self._node, began, ended, after):
            after = some[-1].started_at, some[-1].id
            told = await audited.told(self._connection, account, [call.id for call in some])
            for call in some:
                about = told.get(call.id, audited.Told())
                done.accounts[account].calls += not call.merged
                done.accounts[account].events += about.events
                done.counts.update(records=not call.merged, merged=call.merged, events=about.events)
                if not call.ended:
                    self._check_open(call, about)
                elif pruned is not None and (call.ended_at or call.started_at) < pruned + PRUNED_SLACK:
                    self._check_pruned(call, about)
                else:
                    self._check_ended(call, about)
            await asyncio.sleep(self._pause)
        since = max(began, to_datetime(done.compared_from))
        for owner, call_id in await audited.not_given(self._connection, account, self._node, since, ended):
            self._differs("not_given", "its rows give no such call, or none that is over", owner, call_id)

    def _check_open(self, call: audited.AuditedCall, about: audited.Told) -> None:
        self._done.counts["open_calls"] += 1
        if not call.has_open_id:
            self._differs("no_end", "it has no end, and is not open either", call.account, str(call.id))
        if about.terminal:
            self._differs("ended_while_open", "its end was told, and it is open", call.account, str(call.id))

    def _check_pruned(self, call: audited.AuditedCall, about: audited.Told) -> None:
        """Of its events some are kept no more."""
        if about.terminal > 1:
            self._differs("ends", f"{about.terminal} terminal events", call.account, str(call.id))

    def _check_ended(self, call: audited.AuditedCall, about: audited.Told) -> None:
        account, call_id = call.account, str(call.id)
        if not about.started and not about.terminal and (about.amended or not call.given_by_rows):
            # Imported, or found by a rebuild: nobody was told of its life.
            self._done.counts["never_told"] += 1
        elif about.terminal != 1:
            self._differs("ends", f"{about.terminal or 'no'} terminal events", account, call_id)
        elif about.started != 1:
            self._differs("starts", f"call.started was told {about.started} times", account, call_id)
        elif about.last_of_life is not None and about.ended_at is not None and about.last_of_life > about.ended_at:
            self._differs("told_after_end", f"event {about.last_of_life} came after its end", account, call_id)

    async def _event_log(self, account: str) -> None:
        log = await audited.sequences(self._connection, account)
        if log.first is None or log.youngest is None:
            if log.last:
                self._differs("sequence_gap", f"events 1 to {log.last} are missing", account)
            return
        if log.youngest != log.last:
            self._differs("sequence_gap", f"the last event is {log.youngest}, not {log.last}", account)
        if log.count != log.youngest - log.first + 1:
            for sequence in await audited.missing_after(self._connection, account):
                self._differs("sequence_gap", f"an event is missing after {sequence}", account)


class _Balance:
    """Rows of the files against those that are stored; only what is not on both sides is held."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._next: CelRow | QueueRow | None = None
        self._at_end = False
        self.file_rows = 0
        self.stored_rows = 0
        self.first: Instant | None = None
        self.last: Instant | None = None

    def take_files(self, rows: Iterator[CelRow | QueueRow], until: Instant | None) -> None:
        """Those that are not younger, or all."""
        while True:
            row = self._next if self._next is not None else next(rows, None)
            self._next = None
            if row is None:
                self._at_end = True
                return
            if until is not None and row.at > until:
                self._next = row
                return
            self.file_rows += 1
            self.first = row.at if self.first is None else min(self.first, row.at)
            self.last = row.at if self.last is None else max(self.last, row.at)
            self._add(row_to_json(row), 1)

    def stored(self, text: str, at: Instant) -> None:
        """Of a time of which the files hold nothing, as they are let go, it is counted only."""
        self.stored_rows += 1
        first = self.first if self.first is not None else self._next.at if self._next is not None else None
        if first is None or at < first - NEARLY or (self._at_end and self.last is not None and at > self.last + NEARLY):
            return
        self._add(text, -1)

    def _add(self, text: str, one: int) -> None:
        self._open[text] += one
        if not self._open[text]:
            del self._open[text]

    def unmatched(self) -> tuple[list[str], list[str]]:
        """Rows of the files that are not stored, and the reverse.

        One that AMI told before the journal was set bears the time at which it was told: the same
        row of the same channel counts as the same.
        """
        surplus: dict[str, list[str]] = {}
        for text, count in self._open.items():
            for _ in range(-count):
                surplus.setdefault(_without_time(text), []).append(text)
        missing = []
        for text, count in self._open.items():
            for _ in range(count):
                same = surplus.get(_without_time(text))
                if same:
                    same.pop()
                else:
                    missing.append(text)
        return missing, [text for texts in surplus.values() for text in texts]


def _without_time(text: str) -> str:
    kind, event, _, *rest = json.loads(text)
    if kind == "queue":
        rest = rest[:2]
    return json.dumps([kind, event, *rest])


def _at(text: str) -> Instant:
    at: Instant = json.loads(text)[2]
    return at


def _within(text: str, spans: Iterable[tuple[Instant, Instant]]) -> bool:
    return any(since - NEARLY <= _at(text) <= until + NEARLY for since, until in spans)


def _short(text: str) -> str:
    """Which row, without names and numbers of people."""
    kind, event, at, *rest = json.loads(text)
    channel = f" of channel {rest[1]}, linked id {rest[2]}" if kind == "cel" else f" of {rest[0]} in {rest[1]}"
    return f"{event} at {to_text(at)}{channel}"
