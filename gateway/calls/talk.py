"""Who was connected with whom, and when: a sweep over the stays in bridges.

Two channels are connected while they are in one bridge, or in bridges that Local channels
join. Local halves are no parties; neither parking nor a conference room is a connection of
this kind. An exit and an enter less than `FLICKER` apart, as when Asterisk takes a Local
channel out of the path, cut nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.calls.channels import Channel, Stay
from gateway.calls.facts import CallFacts
from gateway.calls.rows import Instant

FLICKER = 50_000
"""Microseconds."""

ROOM_APPS = ("ConfBridge", "MeetMe", "Page")
"""Applications that put a channel into a room with others, each by a call of its own."""


@dataclass(slots=True)
class Talk:
    """Parties (unique ids, in the order of the call's channels) connected from `started_at` on."""

    parties: tuple[str, ...]
    started_at: Instant
    ended_at: Instant | None


def talks(facts: CallFacts) -> list[Talk]:
    """Every spell in which the same two or more parties were connected, in order of time."""
    stays = [(channel, stay) for channel in facts.channels.values() for stay in channel.stays if _talks(channel, stay)]
    moments = {stay.entered_at for _, stay in stays} | {s.left_at for _, s in stays if s.left_at is not None}
    found: list[Talk] = []
    running: dict[tuple[str, ...], Talk] = {}
    for at in sorted(moments):
        together = _connected(stays, at)
        for parties in [parties for parties in running if parties not in together]:
            running.pop(parties).ended_at = at
        for parties in together:
            if parties in running:
                continue
            again = next((t for t in reversed(found) if t.parties == parties), None)
            if again and again.ended_at is not None and at - again.ended_at < FLICKER:
                again.ended_at = None
                running[parties] = again
            else:
                running[parties] = Talk(parties, at, None)
                found.append(running[parties])
    return found


def connected_ms(spells: Iterable[Talk], unique_ids: frozenset[str], until: Instant) -> int:
    """Milliseconds in which any of `unique_ids` was connected with another party. Open spells end at `until`."""
    total, covered = 0, 0
    for talk in spells:
        if unique_ids.isdisjoint(talk.parties):
            continue
        start, end = max(talk.started_at, covered), until if talk.ended_at is None else talk.ended_at
        if end > start:
            total += end - start
            covered = end
    return total // 1000


def in_room(channel: Channel, stay: Stay) -> str | None:
    """The name of the conference room in which the channel stayed; None if it was none."""
    for run in channel.runs:
        inside = run.started_at <= stay.entered_at and (run.ended_at is None or stay.entered_at <= run.ended_at)
        if inside and run.app in ROOM_APPS:
            return run.data.split(",", 1)[0]
    return None


def _talks(channel: Channel, stay: Stay) -> bool:
    return not stay.holding and in_room(channel, stay) is None


def _connected(stays: list[tuple[Channel, Stay]], at: Instant) -> list[tuple[str, ...]]:
    """The groups of two or more parties connected from `at` until the next moment."""
    root: dict[str, str] = {}

    def find(node: str) -> str:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    members: dict[str, None] = {}
    for channel, stay in stays:
        if stay.entered_at <= at and (stay.left_at is None or stay.left_at > at):
            node = f"local {channel.pair}" if channel.is_local else f"party {channel.unique_id}"
            root[find(node)] = find(f"bridge {stay.bridge_id}")
            if not channel.is_local:
                members[channel.unique_id] = None
    groups: dict[str, list[str]] = {}
    for unique_id in members:
        groups.setdefault(find(f"party {unique_id}"), []).append(unique_id)
    return [tuple(group) for group in groups.values() if len(group) > 1]
