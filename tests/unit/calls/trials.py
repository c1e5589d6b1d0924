"""Every recording, damaged in every place: run on all cores, since there are some hundred thousand calls to fold.

The journal's form is damaged in every way. AMI's has the same rows but for the queues' facts, so it is
damaged where they differ, and cut off at either end always. What is no loss of a row is tried at each
`STEP`th place, another one for each recording.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

from gateway.calls.rows import QueueRow, Row
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.unit.calls.damage import KINDS, Scene, start_of

EVERYWHERE = ("suffixes", "dropped", "doubled", "swapped", "killed")
CUTS = ("suffixes", "killed")
STEP = 4
MOST_SHOWN = 20


class Trial(NamedTuple):
    kind: str
    recording: Recording
    source: str


class Outcome(NamedTuple):
    """How many variants were folded, how many had a fault, and what the first of these were."""

    folded: int
    faulty: int
    faults: Sequence[str]


def trials(kind: str) -> list[Trial]:
    return [
        Trial(kind, recording, source)
        for recording in RECORDINGS
        for source in SOURCES
        if source == "journal" or kind in CUTS or any(isinstance(row, QueueRow) for row in rows_of(recording, source))
    ]


@cache
def rows_of(recording: Recording, source: str) -> list[Row]:
    return asyncio.run(recording.rows(source))


@cache
def scene_of(recording: Recording, source: str) -> Scene:
    rows = rows_of(recording, source)
    return Scene(rows, lambda: recording.new_fold(start_of(rows)), _bystander_of(recording.pbx, source))


@cache
def _bystander_of(pbx: str, source: str) -> list[Row]:
    """The shortest call of this PBX."""
    plain = [one for one in RECORDINGS if one.pbx == pbx and not one.placed and len(one.expected) == 1]
    whole = [one for one in plain if one.expected[0].complete and one.expected[0].account]
    return min((rows for one in whole if (rows := rows_of(one, source))), key=len)


def outcome(trial: Trial) -> Outcome:
    scene = scene_of(trial.recording, trial.source)
    kind = KINDS[trial.kind]
    step = 1 if trial.kind in EVERYWHERE else STEP
    folded, faulty, shown = 0, 0, list[str]()
    for variant in islice(kind.variants(scene.rows), RECORDINGS.index(trial.recording) % step, None, step):
        folded += 1
        faults = kind.faults(scene, variant)
        faulty += bool(faults)
        shown += [f"{variant.what}: {fault}" for fault in faults]
    return Outcome(folded, faulty, shown[:MOST_SHOWN])


class Court:
    """Tries everything in processes of its own, in the order in which it will be asked."""

    def __init__(self, wanted: Iterable[Trial]) -> None:
        self._pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork"))
        self._outcomes: dict[Trial, Future[Outcome]] = {one: self._pool.submit(outcome, one) for one in wanted}

    def outcome(self, trial: Trial) -> Outcome:
        return self._outcomes[trial].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
