"""The record of one call's CDRs: as far as CDRs can say, for the time before there were channel events.

What a CDR does not know stays unknown: who hung up, why a queue was left, whether a phone declined or nobody took
it up, and how long a caller whom the dialplan had answered waited for a person. Such a record is never complete,
and has no linked ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from gateway.calls.case import ToE164
from gateway.calls.cdr_parties import Parties, account_of
from gateway.calls.cdr_rows import CALLED_LEG, CdrRow, endpoint_of, in_order, local_number, pair_of
from gateway.calls.cdr_visits import Visits, kind_of
from gateway.calls.directory import Directory, NodeDirectory
from gateway.calls.identity import call_id
from gateway.calls.record import (
    AnsweredBy,
    Attempt,
    AttemptResult,
    Callee,
    Caller,
    CallRecord,
    Outcome,
    Party,
    Segment,
    Visit,
    Voicemail,
)
from gateway.calls.rows import Instant

RESULTS: dict[str, AttemptResult] = {
    "ANSWERED": "answered",
    "NO ANSWER": "no_answer",
    "BUSY": "busy",
    "FAILED": "failed",
    "CONGESTION": "failed",
}
OUTCOMES: tuple[tuple[AttemptResult, Outcome], ...] = (
    ("no_answer", "no_answer"),
    ("answered_elsewhere", "no_answer"),
    ("busy", "busy"),
    ("failed", "failed"),
)
"""What several devices rung together come to: the first of these that any of them says."""


def call_of(rows: Sequence[CdrRow], node: str, known: NodeDirectory, to_e164: ToE164) -> CallRecord | None:
    """The record of one call's CDRs; None if no account owns it."""
    ordered = in_order(rows)
    account = account_of(ordered, known)
    if account is None:
        return None
    return _Call(ordered, node, known, known.accounts[account], to_e164).record()


class _Call:
    """One call's CDRs and who is who in them."""

    def __init__(
        self, rows: list[CdrRow], node: str, known: NodeDirectory, directory: Directory, to_e164: ToE164
    ) -> None:
        self._rows = rows
        self._node = node
        self._known = known
        self._directory = directory
        self._first = rows[0]
        self._id = call_id(node, self._first.linked_id or self._first.unique_id, self._first.started_at)
        self._parties = Parties(rows, known, directory, to_e164)
        self._visits = Visits(rows, self._id, known, directory)
        self._started_at = min(row.started_at for row in rows)
        self._ended_at = max(row.ended_at for row in rows)

    def record(self) -> CallRecord:
        attempts = self._attempts
        answer = next((one for one in attempts if one.result == "answered"), None)
        answered_at = answer.answered_at if answer else None
        mailbox = next((row for row in self._rows if row.app == "VoiceMail"), None)
        return CallRecord(
            account=self._directory.account,
            id=self._id,
            node=self._node,
            linked_ids=(),
            merged_ids=(),
            state="ended",
            direction=self._parties.direction,
            outcome=self._outcome(attempts, answer, mailbox),
            caller=Caller(self._parties.caller.number, self._parties.caller.name, self._parties.caller.user),
            callee=self._callee(attempts),
            answered_by=_answered_by(answer) if answer else None,
            started_at=self._started_at,
            answered_at=answered_at,
            ended_at=self._ended_at,
            duration_ms=_ms(self._started_at, self._ended_at),
            ring_ms=_ms(attempts[0].started_at, answered_at or self._ended_at) if attempts else 0,
            talk_ms=_together_ms(attempts),
            hung_up_by=None,
            hangup_cause=None,
            end_reason=None,
            origin=None,
            attempts=attempts,
            visits=tuple(self._visit(visit_id, rows) for visit_id, rows in self._visits.by_id.items()),
            segments=tuple(self._segment(attempt) for attempt in attempts if attempt.result == "answered"),
            voicemail=Voicemail(_mailbox(mailbox.app_data), None) if mailbox and not answer else None,
            complete=False,
            settled=True,
        )

    def _callee(self, attempts: Sequence[Attempt]) -> Callee:
        dst = self._first.dst
        user = self._parties.extension(dst)
        queue = next((one.ref for one in self._directory.queues if one.number == dst), None)
        group = self._known.ring_group(self._directory.account, dst)
        if self._parties.direction == "inbound":
            visited = (rows for visit, rows in self._visits.by_id.items() if kind_of(visit) == "queue")
            queue = queue or next((self._visits.group("queue", rows[0]) for rows in visited), None)
            if not (user or queue or group):
                user = next((one.user for one in attempts if one.user), None)
        return Callee(
            dst if user and user.number == dst else self._parties.public(dst), user, queue, group.ref if group else None
        )

    @cached_property
    def _attempts(self) -> tuple[Attempt, ...]:
        """A device's contacts rung together are one; a Local channel whose far side is told of is none."""
        halves = {row.channel for row in self._rows}
        own_phones = f"{pair_of(self._first.channel)};2" if pair_of(self._first.channel) else None
        rung: dict[str, list[CdrRow]] = {}
        for row in self._rows:
            looked_through = pair_of(row.dst_channel) and f"{pair_of(row.dst_channel)};2" in halves
            if row.dst_channel and not looked_through and row.channel != own_phones and row.app != CALLED_LEG:
                rung.setdefault(row.dst_channel, []).append(row)
        together: dict[tuple[str, str, Instant], list[CdrRow]] = {}
        for rows in rung.values():
            row = rows[0]
            together.setdefault((row.channel, endpoint_of(row.dst_channel), row.started_at), []).extend(rows)
        found = [self._attempt(rows) for rows in together.values()]
        return tuple(sorted((_elsewhere(one, found) for one in found), key=lambda one: one.started_at))

    def _attempt(self, rows: Sequence[CdrRow]) -> Attempt:
        # Of several CDRs of one leg, that of the channel that dialled it names the number.
        row = next((one for one in rows if pair_of(one.channel)), rows[0])
        answered = [one for one in rows if one.answered]
        user = self._parties.user_at(row.dst_channel)
        device = endpoint_of(row.dst_channel) if user else None
        if user is None and pair_of(row.dst_channel):
            user = self._parties.extension(local_number(row.dst_channel))
        visit = self._visits.of(row)
        return Attempt(
            user=user,
            device=device,
            number=None if user else self._parties.public(local_number(row.dst_channel) or row.dst),
            via=kind_of(visit) if visit else "direct",
            started_at=min(one.started_at for one in rows),
            answered_at=min((one.answered_at or one.started_at for one in answered), default=None),
            ended_at=max(one.ended_at for one in rows),
            result="answered" if answered else RESULTS.get(row.disposition, "no_answer"),
            visit=visit,
        )

    def _visit(self, visit_id: str, rows: Sequence[CdrRow]) -> Visit:
        kind = kind_of(visit_id)
        own = [attempt for attempt in self._attempts if attempt.visit == visit_id]
        answer = next((attempt for attempt in own if attempt.result == "answered"), None)
        started_at = min(row.started_at for row in rows)
        ended_at = max(row.ended_at for row in rows)
        answered_at = answer.answered_at if answer else None
        return Visit(
            id=visit_id,
            kind=kind,
            group=self._visits.group(kind, rows[0]),
            status="answered" if answer else "left" if kind == "queue" else _group_status(own),
            user=answer.user if answer else None,
            started_at=started_at,
            answered_at=answered_at,
            ended_at=ended_at,
            wait_ms=_ms(started_at, answered_at or ended_at),
            talk_ms=_together_ms(own),
        )

    def _segment(self, attempt: Attempt) -> Segment:
        user = attempt.user
        other = Party(user.number if user else attempt.number, user.name if user else None, user)
        parties = (self._parties.caller, other)
        return Segment(parties, "dial", attempt.answered_at or attempt.started_at, attempt.ended_at)

    def _outcome(self, attempts: Sequence[Attempt], answer: Attempt | None, mailbox: CdrRow | None) -> Outcome:
        if answer:
            return "answered"
        if mailbox:
            return "voicemail"
        if not attempts:
            return "no_answer" if self._rows[-1].disposition in ("ANSWERED", "NO ANSWER") else _failed(self._rows[-1])
        last = max(attempt.started_at for attempt in attempts)
        results = [attempt.result for attempt in attempts if attempt.started_at == last]
        return next((outcome for result, outcome in OUTCOMES if result in results), "failed")


def _answered_by(answer: Attempt) -> AnsweredBy:
    return AnsweredBy(answer.user, answer.device, None if answer.user else answer.number)


def _failed(row: CdrRow) -> Outcome:
    return "busy" if row.disposition == "BUSY" else "failed"


def _elsewhere(attempt: Attempt, others: Iterable[Attempt]) -> Attempt:
    """A device that rang on until another one, rung beside it, was answered."""
    if attempt.result != "no_answer" or attempt.ended_at is None:
        return attempt
    for other in others:
        beside = other.started_at == attempt.started_at or attempt.started_at < other.started_at < attempt.ended_at
        until_then = other.answered_at is not None and attempt.ended_at >= other.answered_at
        if other.result == "answered" and beside and until_then and other.visit == attempt.visit:
            return replace(attempt, result="answered_elsewhere")
    return attempt


def _group_status(own: Sequence[Attempt]) -> str:
    results = {attempt.result for attempt in own}
    return next((outcome for result, outcome in OUTCOMES if result in results), "no_answer")


def _together_ms(attempts: Iterable[Attempt]) -> int:
    """How long the caller was connected with anybody: what overlaps counts once."""
    spans = sorted((one.answered_at, one.ended_at) for one in attempts if one.answered_at and one.ended_at)
    total, until = 0, 0
    for start, end in spans:
        total += _ms(max(start, until), end)
        until = max(until, end)
    return total


def _ms(start: Instant, end: Instant) -> int:
    return max(0, end // 1000 - start // 1000)


def _mailbox(app_data: str) -> str:
    """`103@default` of VoiceMail's arguments."""
    return app_data.partition(",")[0].partition("&")[0]
