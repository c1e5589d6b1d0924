"""Which faults are made, and when: a function of the seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

FaultKind: TypeAlias = Literal[
    "gateway_killed",
    "leader_paused",
    "asterisk_died",
    "ami_cut",
    "ami_stalled",
    "ami_trickling",
    "ami_garbled",
    "postgres_stopped",
    "journal_rotated",
    "disk_full",
]

LANES: tuple[tuple[FaultKind, ...], ...] = (
    ("gateway_killed", "leader_paused", "asterisk_died", "ami_cut", "gateway_killed"),
    ("postgres_stopped", "disk_full", "ami_stalled", "ami_trickling", "ami_garbled", "journal_rotated"),
)
"""What is in one lane happens one after the other; what is in two may overlap."""

KINDS: tuple[FaultKind, ...] = tuple(dict.fromkeys(kind for lane in LANES for kind in lane))


FIRST_VARIANT: Mapping[FaultKind, float] = {"gateway_killed": 0.65, "leader_paused": 0.2}
"""What a short run has time for is the hardest: killed while it places a call, paused until another leads."""

GOLDEN = 0.618


@dataclass(frozen=True, slots=True)
class Fault:
    """`at`: seconds from the beginning; `hold`: for how long; `variant`: 0 to 1, of which sort it is."""

    at: float
    kind: FaultKind
    hold: float
    variant: float


def plan(seed: int, count: int, seconds: float) -> list[list[Fault]]:
    """By lane, `count` faults together; each kind before any comes again."""
    dice = random.Random(f"faults {seed}")
    shares = [round(count * len(lane) / sum(map(len, LANES))) for lane in LANES]
    shares[0] = count - sum(shares[1:])
    return [_lane(dice, lane, share, seconds) for lane, share in zip(LANES, shares, strict=True)]


def _lane(dice: random.Random, lane: tuple[FaultKind, ...], count: int, seconds: float) -> list[Fault]:
    kinds: list[FaultKind] = []
    while len(kinds) < count:
        again = list(lane)
        dice.shuffle(again)
        kinds += again
    each = seconds / max(count, 1)
    variant: dict[FaultKind, float] = {kind: FIRST_VARIANT.get(kind, dice.random()) for kind in sorted(set(lane))}
    faults = []
    for number, kind in enumerate(kinds[:count]):
        at = number * each + dice.uniform(0.1, 0.6) * each
        faults.append(Fault(at, kind, dice.uniform(0.3, 2.5), variant[kind]))
        variant[kind] = (variant[kind] + GOLDEN) % 1.0
    return faults
