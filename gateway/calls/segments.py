"""Who talked with whom, and how they came together."""

from itertools import pairwise

from gateway.calls.case import Case
from gateway.calls.record import How, Segment
from gateway.calls.rows import SAME_MOMENT, Instant
from gateway.calls.talk import FLICKER, Talk, in_room
from gateway.calls.transfers import was_moved


def segments(case: Case, ended_at: Instant | None) -> tuple[Segment, ...]:
    """The talks and the stays in conference rooms, by their start. What was open ends with the call."""
    found = _talks(case) + _stays_in_rooms(case)
    found.sort(key=lambda segment: segment.started_at)
    return tuple(_closed(segment, ended_at) for segment in found)


def _talks(case: Case) -> list[Segment]:
    before: dict[tuple[str, ...], How] = {}
    found: list[Segment] = []
    for talk in case.talks:
        how = before.setdefault(talk.parties, _how(case, talk))
        parties = tuple(case.party(unique_id) for unique_id in talk.parties)
        for since, until in _but_for_other_lines(case, talk):
            found.append(Segment(parties, how, since, until))
    return found


def _but_for_other_lines(case: Case, talk: Talk) -> list[tuple[Instant, Instant | None]]:
    """The spans of a talk in which none of its users talks on another line: who consults somebody waits for nobody."""
    spans: list[tuple[Instant, Instant | None]] = [(talk.started_at, talk.ended_at)]
    for other in case.talks:
        if other is not talk and other.started_at > talk.started_at and _shares_a_user(case, talk, other):
            spans = [part for span in spans for part in _without(span, other)]
    return spans


def _without(span: tuple[Instant, Instant | None], other: Talk) -> list[tuple[Instant, Instant | None]]:
    since, until = span
    if (until is not None and other.started_at >= until) or (other.ended_at is not None and other.ended_at <= since):
        return [span]
    parts: list[tuple[Instant, Instant | None]] = []
    if since < other.started_at:
        parts.append((since, other.started_at))
    if other.ended_at is not None and (until is None or other.ended_at < until - FLICKER):
        parts.append((other.ended_at, until))
    return parts


def _shares_a_user(case: Case, one: Talk, other: Talk) -> bool:
    users = {user.id for user in map(case.user_of, case.channels(one.parties)) if user}
    others = {user.id for user in map(case.user_of, case.channels(other.parties)) if user}
    return not users.isdisjoint(others) and set(one.parties).isdisjoint(other.parties)


def _stays_in_rooms(case: Case) -> list[Segment]:
    return [
        Segment((case.party(channel.unique_id),), "conference", stay.entered_at, stay.left_at, room)
        for channel in case.facts.channels.values()
        if not channel.is_local
        for stay in channel.stays
        if (room := in_room(channel, stay)) is not None and not _paged(case)
    ]


def _paged(case: Case) -> bool:
    return any(run.app == "Page" for run in case.facts.first.runs)


def _how(case: Case, talk: Talk) -> How:
    if any(pickup.picker in talk.parties and _first_talk_of(case, pickup.picker) is talk for pickup in case.pickups):
        return "pickup"
    if _came_from_parking(case, talk):
        return "park"
    return "dial" if any(_dialled_here(case, unique_id, talk) for unique_id in talk.parties) else "transfer"


def _came_from_parking(case: Case, talk: Talk) -> bool:
    """Whether one of them, or a Local channel between them, was parked and came from there into this talk."""
    for channel in case.facts.channels.values():
        if channel.is_local or channel.unique_id in talk.parties:
            for parked, next_stay in pairwise(channel.stays):
                if parked.holding and abs(next_stay.entered_at - talk.started_at) <= SAME_MOMENT:
                    return True
    return False


def _dialled_here(case: Case, unique_id: str, talk: Talk) -> bool:
    """Whether this party is a leg that one of the others rang, of its own accord, and met here first."""
    ringing = case.roots.get(unique_id)
    if ringing is None or _first_talk_of(case, unique_id) is not talk:
        return False
    by = case.on_behalf_of(ringing.channel)
    if by.isdisjoint(talk.parties):
        return False
    if ringing.channel.is_local:
        return not ringing.is_second_life
    return not any(was_moved(case, case.facts.channels[one], ringing.run.started_at) for one in by)


def _first_talk_of(case: Case, unique_id: str) -> Talk | None:
    return next((talk for talk in case.talks if unique_id in talk.parties), None)


def _closed(segment: Segment, ended_at: Instant | None) -> Segment:
    if segment.ended_at is not None or ended_at is None:
        return segment
    return Segment(segment.parties, segment.how, segment.started_at, ended_at, segment.room)
