"""How a call came out, and who ended it."""

from dataclasses import dataclass

from gateway.calls.attempts import Rung, result_of
from gateway.calls.case import Case
from gateway.calls.channels import Channel
from gateway.calls.record import HungUpBy, Outcome, Visit
from gateway.calls.rows import SAME_MOMENT, Instant
from gateway.calls.talk import Talk
from gateway.calls.voicemail import voicemail

DESTINATIONS = ("Echo", "VoiceMailMain", "ConfBridge", "MeetMe", "Page")
"""Applications that are what the caller wanted: reaching one is being answered, though by nobody."""

# What several devices rung together come to: the first of these that any of them says.
PRECEDENCE: tuple[tuple[str, Outcome], ...] = (
    ("cancelled", "cancelled"),
    ("no_answer", "no_answer"),
    ("answered_elsewhere", "no_answer"),
    ("declined", "declined"),
    ("busy", "busy"),
    ("failed", "failed"),
    ("unreachable", "failed"),
)

REFUSED: dict[int, Outcome] = {17: "busy", 21: "declined"}
"""What a dialplan says that refuses a caller without ringing anybody: by its cause."""

REFUSING_APPS: dict[str, Outcome] = {"Busy": "busy", "Congestion": "failed"}
"""The same by its application: a Local half, for which click to call runs the dialplan, is given no cause by them."""

NORMAL_CLEARING = 16

VISIT_OUTCOME: dict[str, Outcome] = {"abandoned": "abandoned", "timed_out": "timed_out"}


@dataclass(frozen=True, slots=True)
class Ending:
    outcome: Outcome
    hung_up_by: HungUpBy | None
    hangup_cause: int | None
    end_reason: str


def ending(case: Case, everyone: list[Rung], visits: tuple[Visit, ...], answer: Talk | None, lost: bool) -> Ending:
    """The end of a call all of whose channels have ended, or (`lost`) were seen no more."""
    if lost:
        return Ending("lost", None, None, "lost")
    if answer is not None:
        by = _who_hung_up(case, _rung_last(everyone))
        return Ending("answered", by, _cause_of_talk(case, answer), "hangup" if by != "system" else "system")
    last = _rung_last(_wanted(case, everyone))
    phase = _phase(case)
    outcome, reason = _unanswered(case, last, visits)
    return Ending(outcome, _who_gave_up(case, last, outcome), _cause(case, last, outcome), phase + reason)


def _unanswered(case: Case, last: list[Rung], visits: tuple[Visit, ...]) -> tuple[Outcome, str]:
    if voicemail(case):
        return "voicemail", "voicemail"
    if any(run.app in DESTINATIONS for channel in _of_the_caller(case) for run in channel.runs):
        return "answered", "hangup" if _caller_hung_up(case) else "system"
    queue = _queue_last_visited(visits, last)
    if queue and queue.status in VISIT_OUTCOME:
        outcome = VISIT_OUTCOME[queue.status]
        return outcome, outcome
    results = [result_of(case, one) for one in last]
    for result, outcome in PRECEDENCE:
        if result in results:
            return outcome, "unreachable" if result == "unreachable" else outcome
    outcome = "failed" if last else _without_ringing(case)
    return outcome, outcome


def _without_ringing(case: Case) -> Outcome:
    """What a dialplan made of a caller for whom it rang nobody."""
    if _caller_hung_up(case):
        return "cancelled"
    first = case.facts.first
    refusing = [REFUSING_APPS[run.app] for run in first.runs if run.app in REFUSING_APPS]
    if refusing:
        return refusing[-1]
    cause = _told(first)
    if cause in REFUSED:
        return REFUSED[cause]
    # The half that speaks for a user was answered by that user: only its end tells whether something was played.
    announced = cause == NORMAL_CLEARING if _user_answered(case) else first.answered_at is not None
    return "no_answer" if announced else "failed"


def _wanted(case: Case, everyone: list[Rung]) -> list[Rung]:
    """Those who were wanted: once a user has answered in click to call, their own devices are no more."""
    if not _user_answered(case):
        return everyone
    return [one for one in everyone if not case.rings_the_user(one.ringing)]


def _user_answered(case: Case) -> bool:
    return _phase(case) == "destination_"


def _of_the_caller(case: Case) -> list[Channel]:
    """The caller's channel, and in click to call the half that speaks for the user."""
    return [case.facts.first, *(case.facts.channels[unique_id] for unique_id in case.caller_channels)]


def _queue_last_visited(visits: tuple[Visit, ...], last: list[Rung]) -> Visit | None:
    """The last queue, unless the caller went on to where somebody else was rung."""
    queue = next((visit for visit in reversed(visits) if visit.kind == "queue"), None)
    if queue is None or queue.ended_at is None:
        return queue
    went_on = any(
        one.started_at >= queue.ended_at - SAME_MOMENT for one in last if not (one.ringing and one.ringing.is_queue)
    )
    return None if went_on else queue


def _rung_last(everyone: list[Rung]) -> list[Rung]:
    """What the last run of Dial or Queue rang: what came before was given up for it."""
    if not everyone:
        return []
    last = max(
        (one.ringing.run.started_at if one.ringing else one.started_at for one in everyone),
    )
    return [one for one in everyone if (one.ringing.run.started_at if one.ringing else one.started_at) == last]


def _phase(case: Case) -> str:
    """In click to call, on which leg it ended."""
    if not (case.origination or case.facts.first.is_local):
        return ""
    if case.caller_channels:
        return "destination_"
    return "user_"


def _caller_hung_up(case: Case) -> bool:
    return any(case.facts.channels[unique_id].hung_up_itself for unique_id in case.caller_channels)


def _who_hung_up(case: Case, last: list[Rung]) -> HungUpBy:
    """By those who were there to the end: hangupsource does not cross Local halves, so each is asked for itself."""
    there = _there_at_the_end(case)
    for channel in there:
        if channel.hung_up_itself:
            return "caller" if channel.unique_id in case.caller_channels else "callee"
    if _refused_after_a_transfer(case, last):
        return "callee"
    names = {channel.name: channel.unique_id for channel in there}
    for channel in there:
        if channel.hangup and channel.hangup.source in names:
            return "caller" if names[channel.hangup.source] in case.caller_channels else "callee"
    return "system"


def _refused_after_a_transfer(case: Case, last: list[Rung]) -> bool:
    talked = max((talk.ended_at or talk.started_at for talk in case.talks), default=0)
    results = {result_of(case, one) for one in last if one.started_at >= talked - SAME_MOMENT}
    return bool(results) and results <= {"busy", "declined"}


def _there_at_the_end(case: Case) -> list[Channel]:
    """The caller, and who talked: those that ended with the call, who left last first."""
    talked = {unique_id for talk in case.talks for unique_id in talk.parties} | case.caller_channels
    channels = [case.facts.channels[unique_id] for unique_id in talked]
    ends = {channel.unique_id: _left_at(channel) for channel in channels}
    last = max(ends.values())
    there = [channel for channel in channels if ends[channel.unique_id] >= last - SAME_MOMENT]
    return sorted(there, key=lambda channel: (ends[channel.unique_id], channel.unique_id))


def _left_at(channel: Channel) -> Instant:
    return channel.ended_at if channel.ended_at is not None else channel.first_seen


def _who_gave_up(case: Case, last: list[Rung], outcome: Outcome) -> HungUpBy:
    if _caller_hung_up(case):
        return "caller"
    if not last or outcome not in ("busy", "declined"):
        return "system"
    own = case.rings_the_user(last[0].ringing) or case.facts.first in last[0].legs
    return "caller" if own else "callee"


def _cause_of_talk(case: Case, answer: Talk) -> int | None:
    return _told(case.facts.channels[answer.parties[0]])


def _cause(case: Case, last: list[Rung], outcome: Outcome) -> int | None:
    if outcome in ("busy", "declined", "failed"):
        for one in last:
            for leg in one.legs:
                if leg.hangup and leg.hangup.cause:
                    return leg.hangup.cause
    return _told(case.facts.first)


def _told(channel: Channel) -> int | None:
    return channel.hangup.cause or None if channel.hangup else None
