"""Who was connected with whom, and when: a sweep over the stays in bridges.

Two channels are connected while they are in one bridge, or in bridges that Local channels
join. Local halves are no parties, holding bridges no connection. An exit and an enter less
than `FLICKER` apart, as when Asterisk takes a Local channel out of the path, cut nothing.
"""

from dataclasses import dataclass

from gateway.calls.facts import CallFacts
from gateway.calls.rows import Instant

FLICKER = 50_000
"""Microseconds."""


@dataclass(slots=True)
class Talk:
    """Parties (unique ids, in the order of the call's channels) connected from `started_at` on."""

    parties: tuple[str, ...]
    started_at: Instant
    ended_at: Instant | None


def talks(facts: CallFacts) -> list[Talk]:
    """Every spell in which the same two or more parties were connected, in order of time."""
    moments = _moments(facts)
    found: list[Talk] = []
    running: dict[tuple[str, ...], Talk] = {}
    for at in moments:
        together = set(_connected(facts, at))
        for parties in [parties for parties in running if parties not in together]:
            running.pop(parties).ended_at = at
        for parties in sorted(together.difference(running)):
            again = next((t for t in reversed(found) if t.parties == parties), None)
            if again and again.ended_at is not None and at - again.ended_at < FLICKER:
                again.ended_at = None
                running[parties] = again
            else:
                running[parties] = Talk(parties, at, None)
                found.append(running[parties])
    return found


def connected_ms(spells: list[Talk], unique_ids: frozenset[str], until: Instant) -> int:
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


def _moments(facts: CallFacts) -> list[Instant]:
    moments = set()
    for channel in facts.channels.values():
        for stay in channel.stays:
            if not stay.holding:
                moments.add(stay.entered_at)
                if stay.left_at is not None:
                    moments.add(stay.left_at)
    return sorted(moments)


def _connected(facts: CallFacts, at: Instant) -> list[tuple[str, ...]]:
    """The groups of two or more parties connected from `at` until the next moment."""
    root: dict[str, str] = {}

    def find(node: str) -> str:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    members: list[str] = []
    for unique_id, channel in facts.channels.items():
        inside = [
            s for s in channel.stays if not s.holding and s.entered_at <= at and (s.left_at is None or s.left_at > at)
        ]
        if not inside:
            continue
        node = f"local {channel.pair}" if channel.is_local else f"party {unique_id}"
        for stay in inside:
            root[find(node)] = find(f"bridge {stay.bridge_id}")
        if not channel.is_local:
            members.append(unique_id)
    groups: dict[str, list[str]] = {}
    for unique_id in members:
        groups.setdefault(find(f"party {unique_id}"), []).append(unique_id)
    return [tuple(group) for group in groups.values() if len(group) > 1]
