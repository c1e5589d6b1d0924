"""Whom the call rang, and what came of each: one attempt a device or outside number and ring.

Contacts of one device that ring together are one attempt. A device that the dial string names
but for which no channel was made was not reachable.
"""

from dataclasses import dataclass

from gateway.calls.case import Case
from gateway.calls.channels import Channel
from gateway.calls.dialling import Ringing
from gateway.calls.forwarding import rung_by_forward
from gateway.calls.record import Attempt, AttemptResult, Via
from gateway.calls.rows import SAME_MOMENT, Instant
from gateway.calls.transfers import rung_by_transfer
from gateway.calls.visits import VisitSpan, left_by_key, span_of

NORMAL, BUSY, DECLINED, FORWARDED, ELSEWHERE, CANCELLED = 16, 17, 21, 23, 26, 127
GIVEN_UP = (0, NORMAL, CANCELLED)
"""Causes of a leg that rang and was never connected: whose doing it was, the caller's leg tells."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One device or outside number, rung once: its legs (none: unreachable) and the run that rang it."""

    endpoint: str
    legs: tuple[Channel, ...]
    ringing: Ringing | None

    @property
    def started_at(self) -> Instant:
        if self.legs:
            return min(leg.first_seen for leg in self.legs)
        assert self.ringing is not None
        return self.ringing.run.started_at

    @property
    def answered_at(self) -> Instant | None:
        """When it was connected; where a program rang it first, when it answered, though nobody else may ever have."""
        answers = (leg.answered_at if leg.summoned else leg.first_bridged_at() for leg in self.legs)
        return next((answer for answer in answers if answer is not None), None)


def rung(case: Case) -> list[Rung]:
    """Everything that was rung, and who picked up, in the order in which it began."""
    groups: dict[tuple[str, int], list[list[Channel]]] = {}
    for leg in case.facts.legs():
        root = case.roots.get(leg.unique_id)
        alike = groups.setdefault((leg.endpoint, id(root)), [])
        first = alike[-1][0] if alike and _is_device(case, leg) else None
        if first and (first.ended_at is None or leg.first_seen < first.ended_at):
            alike[-1].append(leg)
        else:
            alike.append([leg])
    found = [
        Rung(group[0].endpoint, tuple(group), case.roots.get(group[0].unique_id))
        for alike in groups.values()
        for group in alike
    ]
    others = [case.facts.channels[pickup.picker] for pickup in case.pickups]
    others += [channel for channel in case.facts.channels.values() if case.is_originated_device(channel)]
    found += [Rung(channel.endpoint, (channel,), None) for channel in others]
    return sorted(found + _unreachable(case, found), key=lambda one: one.started_at)


def attempts(case: Case, everyone: list[Rung], spans: list[VisitSpan]) -> tuple[Attempt, ...]:
    return tuple(_attempt(case, one, spans) for one in everyone)


def _is_device(case: Case, leg: Channel) -> bool:
    """Two legs to a trunk are two numbers; two legs to a device are its contacts."""
    endpoint = case.endpoint(leg.endpoint)
    return endpoint is None or endpoint.role == "user"


def _unreachable(case: Case, found: list[Rung]) -> list[Rung]:
    missing: list[Rung] = []
    for ringing in case.runs:
        for target in ringing.targets():
            if target.endpoint.startswith("Local/"):
                continue
            reached = any(
                (one.endpoint == target.endpoint and one.started_at >= ringing.run.started_at - SAME_MOMENT)
                or (one.endpoint == target.endpoint and one.ringing is ringing)
                for one in found
            )
            tried = ringing.ended_at is not None or any(one.ringing is ringing for one in found)
            if tried and not reached:
                missing.append(Rung(target.endpoint, (), ringing))
    return missing


def _attempt(case: Case, one: Rung, spans: list[VisitSpan]) -> Attempt:
    endpoint = case.endpoint(one.endpoint)
    user = endpoint.user if endpoint else None
    span = span_of(spans, (one.legs and case.chains.get(one.legs[0].unique_id)) or (one.ringing,))
    ends = [leg.ended_at for leg in one.legs]
    if not one.legs:
        ends = [one.started_at]
    return Attempt(
        user=user.ref if user else None,
        device=one.endpoint if user else None,
        number=None if user else _number(case, one),
        via=_via(case, one, span),
        started_at=one.started_at,
        answered_at=one.answered_at,
        ended_at=None if None in ends else max(end for end in ends if end is not None),
        result=result_of(case, one),
        visit=span.key if span else None,
    )


def _number(case: Case, one: Rung) -> str | None:
    if one.legs:
        return case.number_called(one.legs[0])
    targets = one.ringing.targets() if one.ringing else ()
    number = next((t.number for t in targets if t.endpoint == one.endpoint), None)
    return case.public(number) if number else None


def _via(case: Case, one: Rung, span: VisitSpan | None) -> Via:
    if case.rings_the_user(one.ringing) or (one.legs and one.legs[0] is case.facts.first):
        return "click_to_call"
    if _picked_up(case, one):
        return "pickup"
    if span:
        return span.kind
    if _called_back(case, one) or (one.ringing and rung_by_transfer(case, one.ringing)):
        return "transfer"
    if one.ringing and one.legs and rung_by_forward(case, one.legs[0], one.ringing):
        return "forward"
    return "direct"


def _called_back(case: Case, one: Rung) -> bool:
    """Whether Asterisk rang a transferer anew, since the target did not answer."""
    return one.ringing is None and bool(one.legs) and case.is_originated_device(one.legs[0])


def _picked_up(case: Case, one: Rung) -> bool:
    return bool(one.legs) and any(pickup.picker == one.legs[0].unique_id for pickup in case.pickups)


def result_of(case: Case, one: Rung) -> AttemptResult | None:
    """None while it rings."""
    if not one.legs:
        return "unreachable"
    if one.answered_at is not None:
        return "answered"
    results = [_leg_result(case, leg, one.ringing) for leg in one.legs]
    if None in results:
        return None
    # One contact that was declined or busy says more than another that merely rang.
    for result in ("answered_elsewhere", "declined", "busy", "cancelled", "no_answer", "failed"):
        if result in results:
            return result
    return "failed"


def _leg_result(case: Case, leg: Channel, ringing: Ringing | None) -> AttemptResult | None:
    if leg.ended_at is None:
        return None
    cause = leg.hangup.cause if leg.hangup else 0
    if cause == BUSY:
        return "busy"
    if cause == DECLINED:
        return "declined"
    if cause == ELSEWHERE or any(pickup.rang == leg.unique_id for pickup in case.facts.pickups):
        return "answered_elsewhere"
    if cause == FORWARDED or _sent_on(case, leg, ringing):
        return "answered_elsewhere" if _another_answered(case, ringing) else "no_answer"
    if cause in GIVEN_UP:
        if _another_answered(case, ringing, leg.ended_at):
            return "answered_elsewhere"
        given_up = cause == CANCELLED or _taken_away(case, leg) or _caller_gave_up(case, leg.ended_at, ringing)
        return "cancelled" if given_up else "no_answer"
    return "failed"


def _sent_on(case: Case, leg: Channel, ringing: Ringing | None) -> bool:
    """Whether the phone sent the call elsewhere when this leg ended: its cause need not say so."""
    return ringing is not None and any(
        forward.unique_id == ringing.channel.unique_id and _ended_at(leg, forward.at) for forward in case.facts.forwards
    )


def _another_answered(case: Case, ringing: Ringing | None, at: Instant | None = None) -> bool:
    """Whether the same run was answered by another leg; `at`: just then, or before."""
    answer = case.first_answers.get(id(ringing))
    return answer is not None and (at is None or answer <= at + SAME_MOMENT)


def _taken_away(case: Case, leg: Channel) -> bool:
    """Whether an operator ended the channel that rang it: a Dial that rang out tells no cause, this one 16.

    Where a Local channel is between, a time-out looks the same; and a phone that answered but did not accept.
    """
    told = leg.hangup is not None and leg.hangup.cause == NORMAL and not leg.hangup.source
    return told and leg.answered_at is None and len(case.chains.get(leg.unique_id, ())) == 1


def _caller_gave_up(case: Case, at: Instant, ringing: Ringing | None) -> bool:
    """Whether the caller, or who rang in their place, hung up or left by key just then.

    The ends may be written in any order.
    """
    if ringing and left_by_key(ringing) and abs((ringing.ended_at or 0) - at) <= SAME_MOMENT:
        return True
    for_whom = {*case.caller_channels, *((ringing.channel.unique_id,) if ringing else ())}
    return any(
        channel.hung_up_itself and _ended_at(channel, at)
        for channel in (case.facts.channels[unique_id] for unique_id in for_whom)
    )


def _ended_at(channel: Channel, at: Instant) -> bool:
    return channel.ended_at is not None and abs(channel.ended_at - at) <= SAME_MOMENT
