"""A caller's visits to queues and ring groups: where they began, ended, and how.

A queue is a run of Queue; a ring group is one run of Dial, or several in a row, while the
dialplan stood at an extension that the directory names as a ring group.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.calls.case import Case
from gateway.calls.dialling import Ringing
from gateway.calls.record import Attempt, GroupRef, UserRef, Visit, VisitKind
from gateway.calls.rows import QUEUE_ENTERING, QUEUE_LEAVING, QUEUE_OVER, SAME_MOMENT, Instant, QueueRow
from gateway.calls.talk import Talk, connected_ms

BY_DIALPLAN = "dialplan/builtin"
"""The hangupsource of a channel that the dialplan ended."""

QUEUE_LOG_STATUS = {
    "EXITWITHTIMEOUT": "timed_out",
    "EXITWITHKEY": "left_by_key",
    "EXITEMPTY": "left_empty",
    "JOINEMPTY": "joined_empty",
}
"""queue_log's events (Asterisk: queue_log(5)) as a visit's status. ABANDON is not among them: AMI
tells it of a caller who waited in vain, too."""

QUEUESTATUS = {
    "TIMEOUT": "timed_out",
    "JOINEMPTY": "joined_empty",
    "JOINUNAVAIL": "joined_empty",
    "LEAVEEMPTY": "left_empty",
    "LEAVEUNAVAIL": "left_empty",
    "FULL": "failed",
}
"""Queue's channel variable, where the dialplan tells it with CELGenUserEvent(QUEUESTATUS,…)."""


@dataclass(slots=True)
class VisitSpan:
    """One visit before its outcome is known: the runs that belong to it.

    `queue_rows`: what `queue_log` or AMI told of a visit to a queue; empty where neither is there.
    """

    key: str
    kind: VisitKind
    group: GroupRef
    runs: list[Ringing] = field(default_factory=list)
    queue_rows: list[QueueRow] = field(default_factory=list)
    talk: Talk | None = None
    """The talk that goes on when the Local channel that visited was taken out of its path."""

    @property
    def started_at(self) -> Instant:
        return self.runs[0].run.started_at

    @property
    def ended_at(self) -> Instant | None:
        return self.talk.ended_at if self.talk else self.runs[-1].ended_at


def spans(case: Case) -> list[VisitSpan]:
    """The visits of the call, in order; keys are q1, q2 … and g1, g2 …"""
    found: list[VisitSpan] = []
    told = _told_by_queues(case)
    for ringing in case.runs:
        if ringing.is_queue:
            queue = case.node.queue(case.account, ringing.queue_name)
            group = queue.ref if queue else GroupRef(None, ringing.queue_name)
            found.append(VisitSpan(_key(found, "queue"), "queue", group, [ringing], _next_told(told, ringing)))
            continue
        last = found[-1] if found else None
        ring_group = _ring_group(case, ringing)
        if last and last.kind == "ring_group" and _goes_on(case, last, ringing) and ring_group in (None, last.group):
            last.runs.append(ringing)
        elif ring_group is not None:
            found.append(VisitSpan(_key(found, "ring_group"), "ring_group", ring_group, [ringing]))
    for span in found:
        span.talk = _outlasting(case, span)
    return found


def _outlasting(case: Case, span: VisitSpan) -> Talk | None:
    end = span.ended_at
    if end is None or not span.runs[-1].channel.is_local:
        return None
    talk = _first_talk(case, span)
    return talk if talk and (talk.ended_at is None or talk.ended_at > end) else None


def span_of(found: Iterable[VisitSpan], chain: Iterable[Ringing | None]) -> VisitSpan | None:
    """The visit in which a leg was rung, by the runs that rang it."""
    runs = [id(ringing.run) for ringing in chain if ringing is not None]
    return next((span for span in found if any(id(ringing.run) in runs for ringing in span.runs)), None)


def visit(case: Case, call_id: str, span: VisitSpan, rung: tuple[Attempt, ...], until: Instant) -> Visit:
    """The row of this visit; `rung` are the call's attempts."""
    own = [attempt for attempt in rung if attempt.visit == span.key]
    talk = _first_talk(case, span)
    ended_at = span.ended_at
    answered_at = talk.started_at if talk else None
    waited_until = answered_at if answered_at is not None else ended_at
    return Visit(
        id=f"{call_id}-{span.key}",
        kind=span.kind,
        group=span.group,
        status="answered" if talk else (None if ended_at is None else _status(case, span, own)),
        user=_answerer(case, span, talk) if talk else None,
        started_at=span.started_at,
        answered_at=answered_at,
        ended_at=ended_at,
        wait_ms=None if waited_until is None else (waited_until - span.started_at) // 1000,
        talk_ms=_talk_ms(case, span, until) if talk else 0,
        position_at_entry=_position(span, "ENTERQUEUE"),
        position_at_leave=None if talk else _position(span, *QUEUE_LEAVING),
    )


def _key(found: list[VisitSpan], kind: VisitKind) -> str:
    return f"{'q' if kind == 'queue' else 'g'}{sum(1 for span in found if span.kind == kind) + 1}"


def _ring_group(case: Case, ringing: Ringing) -> GroupRef | None:
    """The ring group at whose extension this Dial runs.

    A dialplan that dials in a subroutine shows `s` or a routine's name: the extension came before.
    """
    for exten in reversed(case.places(ringing.channel, ringing.run)):
        if case.node.user(case.account, exten):
            return None
        group = case.node.ring_group(case.account, exten)
        if group:
            return group.ref
    return None


def _goes_on(case: Case, span: VisitSpan, ringing: Ringing) -> bool:
    """Whether this Dial is the next round: by the same channel, neither sent elsewhere nor answered."""
    channel, last = ringing.channel, span.runs[-1]
    if last.channel is not channel or last.connected_at() is not None:
        return False
    between = [run for run in channel.runs if last.run.started_at < run.started_at < ringing.run.started_at]
    return not between and not any(case.node.user(case.account, place) for place in ringing.run.places)


def _caller_ids(case: Case, span: VisitSpan) -> frozenset[str]:
    """Who visits: the channel that runs the application, or who is behind it, and who took its place."""
    heirs = {ringing.heir.unique_id for ringing in span.runs if ringing.heir}
    return case.on_behalf_of(span.runs[0].channel) | heirs


def _first_talk(case: Case, span: VisitSpan) -> Talk | None:
    caller = _caller_ids(case, span)
    end = span.ended_at
    return next(
        (
            talk
            for talk in case.talks
            if not caller.isdisjoint(talk.parties)
            and talk.started_at >= span.started_at
            and (end is None or talk.started_at <= end)
        ),
        None,
    )


def _answerer(case: Case, span: VisitSpan, talk: Talk) -> UserRef | None:
    others = (unique_id for unique_id in talk.parties if unique_id not in _caller_ids(case, span))
    return next((case.party(unique_id).user for unique_id in others), None)


def _talk_ms(case: Case, span: VisitSpan, until: Instant) -> int:
    end = until if span.ended_at is None else span.ended_at
    inside = [
        Talk(talk.parties, talk.started_at, min(end, until if talk.ended_at is None else talk.ended_at))
        for talk in case.talks
        if span.started_at <= talk.started_at <= end
    ]
    return connected_ms(inside, _caller_ids(case, span), end)


def _told_by_queues(case: Case) -> dict[tuple[str, str], list[list[QueueRow]]]:
    """What was told of each visit, by channel and queue: a visit begins with ENTERQUEUE, or is over before it began."""
    told: dict[tuple[str, str], list[list[QueueRow]]] = {}
    for row in case.facts.queue_rows:
        visits = told.setdefault((row.unique_id, row.queue), [])
        if not visits or row.event in QUEUE_ENTERING:
            visits.append([])
        visits[-1].append(row)
    return told


def _next_told(told: dict[tuple[str, str], list[list[QueueRow]]], ringing: Ringing) -> list[QueueRow]:
    """The rows of this visit. The queue goes on to tell them of the channel that took over, if one did."""
    visitors = [ringing.channel, *([ringing.heir] if ringing.heir else ())]
    visits = [told.get((channel.unique_id, ringing.queue_name)) for channel in visitors]
    return [row for own in visits if own for row in own.pop(0)]


def told_whole(span: VisitSpan) -> bool:
    """Whether no row of the queue's is missing: who tells of a visit tells how it began and how it ended."""
    if not span.queue_rows:
        return True
    events = [row.event for row in span.queue_rows]
    ended = span.ended_at is None or not QUEUE_OVER.isdisjoint(events)
    return events[0] in QUEUE_ENTERING and ended


def _position(span: VisitSpan, *events: str) -> int | None:
    return next((row.position for row in span.queue_rows if row.event in events), None)


def _status(case: Case, span: VisitSpan, own: list[Attempt]) -> str:
    return _queue_status(case, span) if span.kind == "queue" else _ring_group_status(case, span, own)


def _queue_status(case: Case, span: VisitSpan) -> str:
    for row in span.queue_rows:
        if row.event in QUEUE_LOG_STATUS:
            return QUEUE_LOG_STATUS[row.event]
    if left_by_key(span.runs[0]):
        return "left_by_key"
    channel, end = span.runs[0].channel, span.ended_at
    for told in case.facts.user_events:
        if told.unique_id == channel.unique_id and told.type == "QUEUESTATUS" and end is not None and told.at >= end:
            return QUEUESTATUS.get(told.text, "left")
    if _caller_left(case, span) or _taken_away(span):
        return "abandoned"
    return "timed_out" if _waited_as_long_as_it_may(span) else "left"


def _waited_as_long_as_it_may(span: VisitSpan) -> bool:
    """Whether the visit lasted Queue's own time-out, its fifth argument, in seconds."""
    arguments = span.runs[0].run.data.split(",")
    seconds = arguments[4] if len(arguments) > 4 else ""
    if not seconds.isdecimal() or span.ended_at is None:
        return False
    return 0 < int(seconds) * 1_000_000 <= span.ended_at - span.started_at + SAME_MOMENT


def left_by_key(ringing: Ringing) -> bool:
    """Whether a key took the caller out of the queue: Queue then stands at an extension of one digit."""
    run = ringing.run
    return ringing.is_queue and run.left_for != run.exten and run.left_for in set("0123456789*#")


def _taken_away(span: VisitSpan) -> bool:
    """Whether the caller's channel was hung up from outside while it waited: the queue calls it abandoned."""
    channel, end = span.runs[0].channel, span.ended_at
    if all(row.event != "ABANDON" for row in span.queue_rows) or channel.hangup is None or end is None:
        return False
    return channel.hangup.source != BY_DIALPLAN and abs(channel.hangup.at - end) <= SAME_MOMENT


def _ring_group_status(case: Case, span: VisitSpan, own: list[Attempt]) -> str:
    if _caller_left(case, span):
        return "cancelled"
    results = {attempt.result for attempt in own}
    if "no_answer" in results or not results:
        return "no_answer"
    if results <= {"busy", "declined", "unreachable"} and "busy" in results:
        return "busy"
    return "failed" if results <= {"failed", "unreachable"} else "no_answer"


def _caller_left(case: Case, span: VisitSpan) -> bool:
    """Whether the caller hung up in the visit itself, not after it."""
    end = span.ended_at
    for unique_id in _caller_ids(case, span):
        channel = case.facts.channels[unique_id]
        if channel.hung_up_itself and end is not None and channel.ended_at is not None:
            return abs(channel.ended_at - end) <= SAME_MOMENT
    return False
