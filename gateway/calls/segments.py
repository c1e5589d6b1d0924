"""Who talked with whom, and how they came together."""

from gateway.calls.case import Case
from gateway.calls.record import How, Segment
from gateway.calls.rows import Instant
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
        found.append(Segment(parties, how, talk.started_at, talk.ended_at))
    return found


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
    if any(_came_from_parking(case, unique_id, talk) for unique_id in talk.parties):
        return "park"
    return "dial" if any(_dialled_here(case, unique_id, talk) for unique_id in talk.parties) else "transfer"


def _came_from_parking(case: Case, unique_id: str, talk: Talk) -> bool:
    stays = [s for s in case.facts.channels[unique_id].stays if s.entered_at < talk.started_at - FLICKER]
    return bool(stays) and stays[-1].holding


def _dialled_here(case: Case, unique_id: str, talk: Talk) -> bool:
    """Whether this party is a leg that one of the others rang, of its own accord, and met here first."""
    ringing = case.roots.get(unique_id)
    if ringing is None or _first_talk_of(case, unique_id) is not talk:
        return False
    by = case.on_behalf_of(ringing.channel)
    if by.isdisjoint(talk.parties):
        return False
    if ringing.channel.is_local:
        return True
    return not any(was_moved(case, case.facts.channels[one], ringing.run.started_at) for one in by)


def _first_talk_of(case: Case, unique_id: str) -> Talk | None:
    return next((talk for talk in case.talks if unique_id in talk.parties), None)


def _closed(segment: Segment, ended_at: Instant | None) -> Segment:
    if segment.ended_at is not None or ended_at is None:
        return segment
    return Segment(segment.parties, segment.how, segment.started_at, ended_at, segment.room)
