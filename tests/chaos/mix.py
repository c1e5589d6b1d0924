"""Which calls are made, when, and how everybody behaves: a function of the seed."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.chaos.pbx import CLICKING, DIRECT, GROUPS, QUEUES, TARGETS, did

Kind: TypeAlias = Literal[
    "answered", "busy", "declined", "no_answer", "cancelled", "outbound", "group", "queue", "transfer", "click"
]

SHARES: Mapping[Kind, int] = {
    "answered": 24,
    "busy": 6,
    "declined": 4,
    "no_answer": 5,
    "cancelled": 7,
    "outbound": 12,
    "group": 10,
    "queue": 10,
    "transfer": 9,
    "click": 13,
}


@dataclass(frozen=True, slots=True)
class Act:
    """What an agent does when called: rings `after` seconds, then answers with `code` (0: rings on).

    Having answered: `refer` to an extension after `talk`, or hangs up after it; None: leaves that to the other.
    """

    code: int = 0
    after: float = 0.5
    talk: float | None = None
    refer: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """`at`: seconds from the beginning. `identity`: the number that is this call's alone.

    `by`: who calls, "trunk" or a device, or for click to call the user. `acts`: by device, or "trunk".
    """

    at: float
    kind: Kind
    identity: str
    by: str
    to: str
    acts: Mapping[str, Act] = field(default_factory=dict)
    cancel_after: float | None = None
    talk: float = 20.0


def plan(seed: int, count: int, seconds: float) -> list[Planned]:
    """`count` calls spread over `seconds`, in order."""
    dice = random.Random(f"calls {seed}")
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    begins = sorted(dice.uniform(0, seconds) for _ in range(count))
    # Each kind has its share also of a short run.
    drawn = [kinds[(number * len(kinds)) // count] for number in range(count)]
    dice.shuffle(drawn)
    return [_planned(dice, number, at, drawn[number]) for number, at in enumerate(begins)]


def spare_clicks(seed: int) -> Iterator[Planned]:
    """More calls of one kind, for whoever needs one at a certain moment."""
    dice = random.Random(f"spare {seed}")
    return (_click(dice, 0.0, f"+614{51_000_000 + number}", *_conversation(dice)) for number in itertools.count())


def _talk(dice: random.Random) -> float:
    """Most calls are short; some last through several faults."""
    return dice.uniform(8, 20) if dice.random() < 0.15 else dice.uniform(0.5, 4)


def _conversation(dice: random.Random) -> tuple[float | None, float]:
    """When the callee hangs up (None: never), and when the caller does."""
    talk = _talk(dice)
    return (None, talk) if dice.random() < 0.5 else (talk, talk + 5)


def _planned(dice: random.Random, number: int, at: float, kind: Kind) -> Planned:
    identity = f"+614{11_000_000 + number}"
    user = dice.choice(DIRECT)
    after = dice.uniform(0.3, 1.2)
    by_callee, by_caller = _conversation(dice)
    answers = Act(200, after, by_callee)
    refusal = {"busy": 486, "declined": 603}
    if kind == "answered":
        return Planned(at, kind, identity, "trunk", did(user), {user: answers}, talk=by_caller)
    if kind in refusal:
        return Planned(at, kind, identity, "trunk", did(user), {user: Act(refusal[kind], after)})
    if kind == "no_answer":
        return Planned(at, kind, identity, "trunk", did(user), {user: Act()})
    if kind == "cancelled":
        return Planned(at, kind, identity, "trunk", did(user), {user: Act()}, cancel_after=dice.uniform(0.8, 2))
    if kind == "outbound":
        return _outbound(dice, at, identity, user, answers, by_caller)
    if kind == "transfer":
        first = Act(200, after, dice.uniform(0.6, 2), refer=(target := dice.choice(TARGETS)))
        acts = {user: first, target: Act(200, dice.uniform(0.3, 1), by_callee)}
        return Planned(at, kind, identity, "trunk", did(user), acts, talk=by_caller + 6)
    if kind == "click":
        return _click(dice, at, identity, by_callee, by_caller)
    places = GROUPS if kind == "group" else QUEUES
    place = dice.choice(sorted(places))
    members = list(places[place])
    dice.shuffle(members)
    fate = dice.random()
    if fate < 0.7:
        return Planned(
            at, kind, identity, "trunk", did(place), {members[0]: answers, members[1]: Act()}, talk=by_caller
        )
    acts = {member: Act() for member in members}
    if fate < 0.85:
        return Planned(at, kind, identity, "trunk", did(place), acts, cancel_after=dice.uniform(1.5, 2.5))
    return Planned(at, kind, identity, "trunk", did(place), acts)


def _outbound(dice: random.Random, at: float, identity: str, user: str, answers: Act, by_caller: float) -> Planned:
    fate = dice.random()
    if fate < 0.6:
        return Planned(at, "outbound", identity, user, identity, {"trunk": answers}, talk=by_caller)
    if fate < 0.8:
        return Planned(at, "outbound", identity, user, identity, {"trunk": Act(486, answers.after)})
    return Planned(at, "outbound", identity, user, identity, {"trunk": Act()}, cancel_after=dice.uniform(0.8, 2))


def _click(dice: random.Random, at: float, identity: str, by_callee: float | None, by_caller: float) -> Planned:
    user = dice.choice(CLICKING)
    fate = dice.random()
    if fate < 0.15:
        acts = {f"{user}-desk": Act(603, 0.3), f"{user}-mobile": Act(603, 0.5)}
    else:
        there = Act(486, 0.5) if fate < 0.3 else Act(200, dice.uniform(0.3, 1), by_callee)
        acts = {f"{user}-desk": Act(200, dice.uniform(0.3, 1), by_caller + 2), f"{user}-mobile": Act(), "trunk": there}
    return Planned(at, "click", identity, user, identity, acts, talk=by_caller)
