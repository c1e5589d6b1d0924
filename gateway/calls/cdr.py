"""Calls told by CDRs, for the time before there were channel events: as far as CDRs can say.

A CDR tells of one channel and of one that it rang, in whole seconds. Those of one unique id are the
ringing devices of one call; a Local channel's halves join the CDRs of either side; so does the
linked id, where Asterisk was told to write it. What a CDR does not know stays unknown: who hung up,
why a queue was left, whether a phone declined or nobody took it up, and how long a caller whom the
dialplan had answered waited for a person. Such a record is never complete, and has no linked ids.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from gateway.calls.case import ToE164
from gateway.calls.directory import Directory, Endpoint, NodeDirectory
from gateway.calls.identity import call_id
from gateway.calls.record import (
    AnsweredBy,
    Attempt,
    AttemptResult,
    Callee,
    Caller,
    CallRecord,
    Direction,
    GroupRef,
    Outcome,
    Party,
    Segment,
    UserRef,
    Visit,
    VisitKind,
    Voicemail,
)
from gateway.calls.rows import Instant

OPEN_GROUPS = 10_000
"""Calls that may still get a CDR; beyond, those that had none for longest are taken to be whole."""

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

CALLED_LEG = "AppDial"
"""What Asterisk says a channel runs that somebody dialled."""

HIDDEN = ("", "s", "anonymous", "Anonymous", "unknown")


@dataclass(frozen=True, slots=True)
class CdrRow:
    """One CDR; absent texts are "". `linked_id` is "" where Asterisk was not told to write it."""

    src: str
    dst: str
    caller_name: str
    channel: str
    dst_channel: str
    app: str
    app_data: str
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant
    disposition: str
    unique_id: str
    context: str = ""
    account_code: str = ""
    linked_id: str = ""

    @property
    def answered(self) -> bool:
        return self.disposition == "ANSWERED"


@dataclass(slots=True)
class _Group:
    rows: list[CdrRow] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def overlaps(self, row: CdrRow) -> bool:
        return any(one.started_at <= row.ended_at and row.started_at <= one.ended_at for one in self.rows)


class CdrCalls:
    """Puts CDRs together that are of one call. They come as their channels end, so nearly side by side."""

    def __init__(self, open_groups: int = OPEN_GROUPS) -> None:
        self._most = open_groups
        self._by_key: dict[str, _Group] = {}
        self._groups: OrderedDict[int, _Group] = OrderedDict()

    def take(self, row: CdrRow) -> Iterator[list[CdrRow]]:
        """The calls that are whole now."""
        # A Local channel's name begins again when Asterisk does; the ids do not.
        pairs = [pair for name in (row.channel, row.dst_channel) if (pair := _pair(name))]
        found = [self._by_key.get(key) for key in (row.unique_id, row.linked_id) if key]
        found += [group for pair in pairs if (group := self._by_key.get(pair)) and group.overlaps(row)]
        joined = list({id(group): group for group in found if group}.values()) or [_Group()]
        group = joined[0]
        for other in joined[1:]:
            group.rows += other.rows
            group.keys += other.keys
            del self._groups[id(other)]
        group.rows.append(row)
        group.keys += [key for key in (row.unique_id, row.linked_id, *pairs) if key]
        self._by_key.update(dict.fromkeys(group.keys, group))
        self._groups[id(group)] = group
        self._groups.move_to_end(id(group))
        while len(self._groups) > self._most:
            yield self._close()

    def finish(self) -> Iterator[list[CdrRow]]:
        while self._groups:
            yield self._close()

    def _close(self) -> list[CdrRow]:
        _, group = self._groups.popitem(last=False)
        for key in group.keys:
            if self._by_key.get(key) is group:
                del self._by_key[key]
        return group.rows


def call_of(rows: Sequence[CdrRow], node: str, known: NodeDirectory, to_e164: ToE164) -> CallRecord | None:
    """The record of one call's CDRs; None if no account owns it."""
    ordered = _in_order(rows)
    account = _account(ordered, known)
    if account is None:
        return None
    return _Call(ordered, node, known, known.accounts[account], to_e164).record()


def _in_order(rows: Iterable[CdrRow]) -> list[CdrRow]:
    """By their time; first of all the CDR of the channel that began the call."""
    by_time = sorted(rows, key=lambda row: row.started_at)
    rung = {_pair(row.dst_channel) for row in by_time}

    def plumbing(row: CdrRow) -> tuple[bool, bool]:
        pair = _pair(row.channel)
        far_side = bool(pair) and (row.channel.endswith(";2") or pair in rung)
        return far_side or row.app == CALLED_LEG, row.linked_id not in ("", row.unique_id)

    first = min(by_time, key=plumbing)
    return [first, *(row for row in by_time if row is not first)]


def _account(rows: Sequence[CdrRow], known: NodeDirectory) -> str | None:
    first = rows[0]
    endpoint = known.endpoint(_endpoint(first.channel))
    if endpoint and not (endpoint.trunk and endpoint.trunk.shared):
        return endpoint.account
    told = known.account_of_number(first.dst) or known.account_of_context(first.context)
    if told:
        return told
    if first.account_code in known.accounts:
        return first.account_code
    for row in rows:
        # The number that was called from outside may have been changed by the dialplan: whom it rang tells.
        rung = known.endpoint(_endpoint(row.dst_channel))
        if rung and not (rung.trunk and rung.trunk.shared):
            return rung.account
    trunk = _endpoint(first.channel)
    sharing = [one for one in known.accounts.values() if trunk in {shared.endpoint for shared in one.trunks}]
    reached = [one for one in sharing if _has_extension(one, first)]
    return reached[0].account if len(reached) == 1 else None


def _has_extension(directory: Directory, row: CdrRow) -> bool:
    """Whether what the CDR says was reached is something of this account."""
    if row.app == "Queue":
        return row.app_data.partition(",")[0] in {queue.name for queue in directory.queues}
    groups = (*directory.queues, *directory.ring_groups)
    return row.dst in {*(user.number for user in directory.users), *(group.number for group in groups)}


class _Call:
    """One call's CDRs and who is who in them."""

    def __init__(
        self, rows: list[CdrRow], node: str, known: NodeDirectory, directory: Directory, to_e164: ToE164
    ) -> None:
        self._rows = rows
        self._node = node
        self._known = known
        self._directory = directory
        self._to_e164 = to_e164
        self._first = rows[0]
        self._id = call_id(node, self._first.linked_id or self._first.unique_id, self._first.started_at)
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
            direction=self._direction,
            outcome=self._outcome(attempts, answer, mailbox),
            caller=Caller(self._caller.number, self._caller.name, self._caller.user),
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
            visits=tuple(self._visit(visit_id, rows) for visit_id, rows in self._visits.items()),
            segments=tuple(self._segment(attempt) for attempt in attempts if attempt.result == "answered"),
            voicemail=Voicemail(_mailbox(mailbox.app_data), None) if mailbox and not answer else None,
            complete=False,
            settled=True,
        )

    # ── who ─────────────────────────────────────────────────────────────────

    def _own(self, channel: str) -> Endpoint | None:
        """The channel's endpoint, if it is this account's."""
        endpoint = self._known.endpoint(_endpoint(channel))
        shared = bool(endpoint and endpoint.trunk and endpoint.trunk.shared)
        return endpoint if endpoint and (shared or endpoint.account == self._directory.account) else None

    def _user_at(self, channel: str) -> UserRef | None:
        endpoint = self._own(channel)
        return endpoint.user.ref if endpoint and endpoint.user else None

    def _extension(self, number: str) -> UserRef | None:
        user = self._known.user(self._directory.account, number)
        return user.ref if user else None

    def _public(self, number: str) -> str | None:
        return None if number in HIDDEN else self._to_e164(number, self._directory.country) or number

    @cached_property
    def _caller(self) -> Party:
        user = self._user_at(self._first.channel)
        if user is None and _pair(self._first.channel):
            # Placed for a user, whose phone was rung first: by the other half.
            other = f"{_pair(self._first.channel)};2"
            phones = [row for row in self._rows if row.channel == other and row.answered]
            user = next((found for row in phones if (found := self._user_at(row.dst_channel))), None)
        if user:
            return Party(user.number, user.name, user)
        return Party(self._public(self._first.src), self._first.caller_name or None, None)

    @cached_property
    def _direction(self) -> Direction:
        endpoint = self._own(self._first.channel)
        local = _pair(self._first.channel)
        if not local and (endpoint is None or endpoint.role == "trunk"):
            return "inbound"
        dst = self._first.dst
        queues = (queue.number for queue in self._directory.queues)
        if self._extension(dst) or self._known.ring_group(self._directory.account, dst) or dst in queues:
            return "internal"
        rung = [self._own(row.dst_channel) for row in self._rows]
        outside = any(one and one.role == "trunk" for one in rung) or self._to_e164(dst, self._directory.country)
        return "outbound" if outside else "internal"

    def _callee(self, attempts: Sequence[Attempt]) -> Callee:
        dst = self._first.dst
        user = self._extension(dst)
        queue = next((one.ref for one in self._directory.queues if one.number == dst), None)
        group = self._known.ring_group(self._directory.account, dst)
        if self._direction == "inbound":
            queue = queue or next(
                (self._group("queue", rows[0]) for visit, rows in self._visits.items() if _kind(visit) == "queue"), None
            )
            if not (user or queue or group):
                user = next((one.user for one in attempts if one.user), None)
        return Callee(
            dst if user and user.number == dst else self._public(dst), user, queue, group.ref if group else None
        )

    # ── rung ────────────────────────────────────────────────────────────────

    @cached_property
    def _attempts(self) -> tuple[Attempt, ...]:
        """A device's contacts rung together are one; a Local channel whose far side is told of is none."""
        halves = {row.channel for row in self._rows}
        own_phones = f"{_pair(self._first.channel)};2" if _pair(self._first.channel) else None
        rung: dict[str, list[CdrRow]] = {}
        for row in self._rows:
            looked_through = _pair(row.dst_channel) and f"{_pair(row.dst_channel)};2" in halves
            if row.dst_channel and not looked_through and row.channel != own_phones and row.app != CALLED_LEG:
                rung.setdefault(row.dst_channel, []).append(row)
        together: dict[tuple[str, str, Instant], list[CdrRow]] = {}
        for rows in rung.values():
            row = rows[0]
            together.setdefault((row.channel, _endpoint(row.dst_channel), row.started_at), []).extend(rows)
        found = [self._attempt(rows) for rows in together.values()]
        return tuple(sorted((_elsewhere(one, found) for one in found), key=lambda one: one.started_at))

    def _attempt(self, rows: Sequence[CdrRow]) -> Attempt:
        # Of several CDRs of one leg, that of the channel that dialled it names the number.
        row = next((one for one in rows if _pair(one.channel)), rows[0])
        answered = [one for one in rows if one.answered]
        user = self._user_at(row.dst_channel)
        device = _endpoint(row.dst_channel) if user else None
        if user is None and _pair(row.dst_channel):
            user = self._extension(_local_number(row.dst_channel))
        visit = self._visit_of(row)
        return Attempt(
            user=user,
            device=device,
            number=None if user else self._public(_local_number(row.dst_channel) or row.dst),
            via=_kind(visit) if visit else "direct",
            started_at=min(one.started_at for one in rows),
            answered_at=min((one.answered_at or one.started_at for one in answered), default=None),
            ended_at=max(one.ended_at for one in rows),
            result="answered" if answered else RESULTS.get(row.disposition, "no_answer"),
            visit=visit,
        )

    def _ringing(self, row: CdrRow) -> CdrRow:
        """The CDR of whoever rang in the end, looking through Local channels."""
        for _ in self._rows:
            pair = _pair(row.channel)
            outer = next((one for one in self._rows if pair and _pair(one.dst_channel) == pair), None)
            if outer is None or outer is row:
                return row
            row = outer
        return row

    # ── visits ──────────────────────────────────────────────────────────────

    @cached_property
    def _visits(self) -> dict[str, list[CdrRow]]:
        """By their ids, the CDRs of each visit to a queue or a ring group."""
        found: dict[str, list[CdrRow]] = {}
        open_visit: tuple[str, VisitKind, GroupRef] | None = None
        for row in sorted(self._rows, key=lambda row: row.started_at):
            if self._ringing(row) is not row:
                continue
            kind = self._visited(row)
            if kind is None:
                continue
            group = self._group(kind, row)
            if open_visit is None or open_visit[1:] != (kind, group):
                number = 1 + sum(_kind(visit) == kind for visit in found)
                letter = "q" if kind == "queue" else "g"
                open_visit = (f"{self._id}-{letter}{number}", kind, group)
            found.setdefault(open_visit[0], []).append(row)
        return found

    def _visited(self, row: CdrRow) -> VisitKind | None:
        if row.app == "Queue":
            return "queue"
        ring_group = row.app == "Dial" and self._known.ring_group(self._directory.account, row.dst)
        return "ring_group" if ring_group else None

    def _group(self, kind: VisitKind, row: CdrRow) -> GroupRef:
        if kind == "queue":
            name = row.app_data.partition(",")[0]
            queue = self._known.queue(self._directory.account, name)
            return queue.ref if queue else GroupRef(None, name)
        group = self._known.ring_group(self._directory.account, row.dst)
        return group.ref if group else GroupRef(row.dst, row.dst)

    def _visit_of(self, row: CdrRow) -> str | None:
        ringing = self._ringing(row)
        return next((visit for visit, rows in self._visits.items() if any(one is ringing for one in rows)), None)

    def _visit(self, visit_id: str, rows: Sequence[CdrRow]) -> Visit:
        kind = _kind(visit_id)
        own = [attempt for attempt in self._attempts if attempt.visit == visit_id]
        answer = next((attempt for attempt in own if attempt.result == "answered"), None)
        started_at = min(row.started_at for row in rows)
        ended_at = max(row.ended_at for row in rows)
        answered_at = answer.answered_at if answer else None
        return Visit(
            id=visit_id,
            kind=kind,
            group=self._group(kind, rows[0]),
            status="answered" if answer else "left" if kind == "queue" else _group_status(own),
            user=answer.user if answer else None,
            started_at=started_at,
            answered_at=answered_at,
            ended_at=ended_at,
            wait_ms=_ms(started_at, answered_at or ended_at),
            talk_ms=_together_ms(own),
        )

    # ── how it came out ─────────────────────────────────────────────────────

    def _segment(self, attempt: Attempt) -> Segment:
        user = attempt.user
        other = Party(user.number if user else attempt.number, user.name if user else None, user)
        return Segment((self._caller, other), "dial", attempt.answered_at or attempt.started_at, attempt.ended_at)

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


def _kind(visit_id: str) -> VisitKind:
    return "queue" if visit_id.rpartition("-")[2].startswith("q") else "ring_group"


def _endpoint(channel: str) -> str:
    """`PJSIP/101-desk` of the channel `PJSIP/101-desk-0000001a`."""
    return channel.rpartition("-")[0]


def _pair(channel: str) -> str:
    """What both halves of a Local channel are called; "" for any other."""
    return channel.rpartition(";")[0] if channel.startswith("Local/") else ""


def _local_number(channel: str) -> str:
    return channel.removeprefix("Local/").partition("@")[0] if _pair(channel) else ""


def _mailbox(app_data: str) -> str:
    """`103@default` of VoiceMail's arguments."""
    return app_data.partition(",")[0].partition("&")[0]
