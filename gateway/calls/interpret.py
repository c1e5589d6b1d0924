"""From facts to the record: the rules, each asked once, put together."""

from dataclasses import dataclass, replace

from gateway.calls.attempts import Rung, attempts, rung
from gateway.calls.case import Case, dialled_number, is_click_to_call
from gateway.calls.dialling import unexplained
from gateway.calls.ending import ending
from gateway.calls.record import (
    AnsweredBy,
    Attempt,
    Callee,
    Caller,
    CallRecord,
    Direction,
    GroupRef,
    Origin,
    State,
    UserRef,
    Visit,
)
from gateway.calls.rows import Instant
from gateway.calls.segments import segments
from gateway.calls.talk import Talk, connected_ms, in_room
from gateway.calls.visits import VisitSpan, spans, told_whole, visit
from gateway.calls.voicemail import voicemail


@dataclass(frozen=True, slots=True)
class Told:
    """What the fold knows of a call beside its facts.

    `ended_at` is set once the call is over; `lost`: its end was never seen.
    """

    call_id: str
    node: str
    merged_ids: tuple[str, ...] = ()
    ended_at: Instant | None = None
    lost: bool = False


def interpret(case: Case, told: Told) -> CallRecord:
    """The record as it stands."""
    call_id, ended_at, lost = told.call_id, told.ended_at, told.lost
    facts = case.facts
    until = ended_at if ended_at is not None else facts.last_row_at
    everyone = rung(case)
    visit_spans = spans(case)
    rung_attempts = attempts(case, everyone, visit_spans)
    answer = _answer(case)
    visits = tuple(visit(case, call_id, span, rung_attempts, until) for span in visit_spans)
    end = ending(case, everyone, visits, answer, lost) if ended_at is not None else None
    direction = _direction(case)
    return CallRecord(
        account=case.account,
        id=call_id,
        node=told.node,
        linked_ids=tuple(facts.linked_ids),
        merged_ids=told.merged_ids,
        state=_state(case, everyone, answer, over=ended_at is not None),
        direction=direction,
        outcome=end.outcome if end else None,
        caller=_caller(case),
        callee=_callee(case, everyone, visit_spans, direction),
        answered_by=_answered_by(case, answer),
        started_at=facts.started_at,
        answered_at=answer.started_at if answer else None,
        ended_at=ended_at,
        duration_ms=None if ended_at is None else _milliseconds(facts.started_at, ended_at),
        ring_ms=_ring_ms(case, everyone, answer, until),
        talk_ms=_talk_ms(case, until),
        hung_up_by=end.hung_up_by if end else None,
        hangup_cause=end.hangup_cause if end else None,
        end_reason=end.end_reason if end else None,
        origin=_origin(case),
        attempts=tuple(_with_visit_id(attempt, call_id, ended_at) for attempt in rung_attempts),
        visits=tuple(_closed(v, ended_at) for v in visits),
        segments=segments(case, ended_at),
        voicemail=voicemail(case),
        complete=_is_complete(case, visit_spans) and not lost,
        settled=ended_at is not None,
    )


def _is_complete(case: Case, visit_spans: list[VisitSpan]) -> bool:
    if not case.facts.complete or unexplained(case.facts, case.runs):
        return False
    return all(told_whole(span) for span in visit_spans)


def not_understood(case: Case, told: Told) -> CallRecord:
    """What is beyond doubt of a call that the rules could not make sense of: when it was, and who began it."""
    first, ended_at = case.facts.first, told.ended_at
    return CallRecord(
        account=case.account,
        id=told.call_id,
        node=told.node,
        linked_ids=tuple(case.facts.linked_ids),
        merged_ids=told.merged_ids,
        state="ringing" if ended_at is None else "ended",
        direction="internal" if case.user_of(first) else "inbound",
        outcome=None if ended_at is None else "failed",
        caller=Caller(case.public(first.caller_number), first.caller_name or None, None),
        callee=Callee(case.public(dialled_number(first))),
        answered_by=None,
        started_at=case.facts.started_at,
        answered_at=None,
        ended_at=ended_at,
        duration_ms=None if ended_at is None else _milliseconds(case.facts.started_at, ended_at),
        ring_ms=0,
        talk_ms=0,
        hung_up_by=None,
        hangup_cause=None,
        end_reason=None if ended_at is None else "not_understood",
        origin=_origin(case) if case.origination else None,
        attempts=(),
        visits=(),
        segments=(),
        voicemail=None,
        complete=False,
        settled=ended_at is not None,
    )


def _milliseconds(start: Instant, end: Instant) -> int:
    return max(0, end // 1000 - start // 1000)


def _with_visit_id(attempt: Attempt, call_id: str, ended_at: Instant | None) -> Attempt:
    if not attempt.visit and (ended_at is None or (attempt.ended_at is not None and attempt.result)):
        return attempt
    return replace(
        attempt,
        ended_at=attempt.ended_at if attempt.ended_at is not None else ended_at,
        result=attempt.result if attempt.result or ended_at is None else "failed",
        visit=f"{call_id}-{attempt.visit}" if attempt.visit else None,
    )


def _closed(row: Visit, ended_at: Instant | None) -> Visit:
    """A visit whose own end was not seen ends with its call."""
    if ended_at is None or row.ended_at is not None:
        return row
    wait = row.wait_ms if row.wait_ms is not None else _milliseconds(row.started_at, ended_at)
    status = row.status or ("left" if row.kind == "queue" else "failed")
    return replace(row, ended_at=ended_at, status=status, wait_ms=wait)


def _answer(case: Case) -> Talk | None:
    """The first time that the caller was connected with a person: in click to call, with the destination."""
    caller = case.caller_channels
    return next((talk for talk in case.talks if not caller.isdisjoint(talk.parties)), None)


def _direction(case: Case) -> Direction:
    wanted = case.wanted
    endpoint = case.endpoint(case.facts.first.endpoint)
    if not case.originated and (endpoint is None or endpoint.role == "trunk"):
        return "inbound"
    if _is_extension(case, wanted):
        return "internal"
    outside = any(_is_outside(case, target.endpoint) for run in case.runs for target in run.targets())
    return "outbound" if outside or case.to_e164(wanted, case.directory.country) else "internal"


def _is_outside(case: Case, name: str) -> bool:
    """Whether the endpoint is a trunk, or another account's: who is there is no colleague."""
    endpoint = case.node.endpoint(name)
    return endpoint is not None and (endpoint.role == "trunk" or endpoint.account != case.account)


def _is_extension(case: Case, number: str) -> bool:
    return bool(
        case.node.user(case.account, number)
        or case.node.ring_group(case.account, number)
        or any(queue.number == number for queue in case.directory.queues)
    )


def _caller(case: Case) -> Caller:
    if case.origination or case.facts.first.is_local:
        user = _originating_user(case)
        return Caller(user.number if user else None, user.name if user else None, user)
    party = case.party(case.facts.first.unique_id)
    return Caller(party.number, party.name, party.user)


def _originating_user(case: Case) -> UserRef | None:
    """For whom a Local channel was originated: the user who clicked, or the one whose device was rung."""
    if case.origination:
        return case.origination.user
    number = case.facts.first.name.removeprefix("Local/").partition("@")[0]
    user = case.node.user(case.account, number)
    rung = (case.user_of(leg) for leg in case.facts.legs() if case.rings_the_user(case.roots.get(leg.unique_id)))
    user = user or next((one for one in rung if one), None)
    return user.ref if user else None


def _callee(case: Case, everyone: list[Rung], visit_spans: list[VisitSpan], direction: Direction) -> Callee:
    """Whom the caller wanted: the number first dialled, and who or what is at it."""
    wanted = case.wanted
    exten = case.node.extension_of(case.account, wanted) if direction == "inbound" else wanted
    user = case.node.user(case.account, exten)
    queue = next((q.ref for q in case.directory.queues if q.number == exten), None)
    group = case.node.ring_group(case.account, exten)
    if direction == "inbound":
        first_visit = visit_spans[0] if visit_spans else None
        queue = queue or _group_of(first_visit, "queue")
        ring_group = (group.ref if group else None) or _group_of(first_visit, "ring_group")
        called = user.ref if user else (None if first_visit else _first_user(case, everyone))
        return Callee(case.public(wanted), called, queue, ring_group)
    return Callee(
        case.public(wanted) if user is None else wanted,
        user.ref if user else None,
        queue,
        group.ref if group else None,
    )


def _group_of(span: VisitSpan | None, kind: str) -> GroupRef | None:
    return span.group if span and span.kind == kind else None


def _first_user(case: Case, everyone: list[Rung]) -> UserRef | None:
    for one in everyone:
        endpoint = case.endpoint(one.endpoint)
        if endpoint and endpoint.user:
            return endpoint.user.ref
    return None


def _answered_by(case: Case, answer: Talk | None) -> AnsweredBy | None:
    if answer is None:
        return None
    other = next((unique_id for unique_id in answer.parties if unique_id not in case.caller_channels), None)
    if other is None:
        return None
    party = case.party(other)
    device = case.facts.channels[other].endpoint if party.user else None
    return AnsweredBy(party.user, device, None if party.user else party.number)


def _ring_ms(case: Case, everyone: list[Rung], answer: Talk | None, until: Instant) -> int:
    """From the first ring of the called side to the answer, or to the end."""
    starts = [one.started_at for one in everyone if one.legs and not case.rings_the_user(one.ringing)]
    if not starts:
        return 0
    answered = [answer.started_at] if answer else []
    return _milliseconds(min(starts), min([*answered, *(room.started_at for room in _rooms(case)), until]))


def _origin(case: Case) -> Origin | None:
    if case.origination is None and not is_click_to_call(case.facts):
        return None
    return Origin("click_to_call", _originating_user(case), case.origination.reference if case.origination else None)


def _talk_ms(case: Case, until: Instant) -> int:
    """The time in which the caller was connected with a person, or was in a conference room."""
    spells = sorted(case.talks + _rooms(case), key=lambda talk: talk.started_at)
    return connected_ms(spells, case.caller_channels, until)


def _rooms(case: Case) -> list[Talk]:
    """The caller's stays in conference rooms, as talks with whoever is there."""
    return [
        Talk((channel.unique_id, "room"), stay.entered_at, stay.left_at)
        for channel in case.channels(case.caller_channels)
        for stay in channel.stays
        if in_room(channel, stay)
    ]


def _state(case: Case, everyone: list[Rung], answer: Talk | None, *, over: bool) -> State:
    if over:
        return "ended"
    if answer:
        return "in_progress"
    if not case.facts.first.is_local:
        return "ringing"
    if any(not case.rings_the_user(one.ringing) for one in everyone if one.legs):
        return "ringing_destination"
    if case.caller_channels:
        return "user_answered"
    return "ringing_user" if everyone else "queued"
