"""The shortest damage that still touches every kind of row: what a mutant of the fold is put through."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count, islice
from random import Random

from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.rows import CelRow, Row
from gateway.numbering import to_e164
from tests.lab.recordings import NODE, RECORDINGS, Recording, directories
from tests.unit.calls.damage import KINDS, Scene, start_of
from tests.unit.calls.generated import START, played
from tests.unit.calls.telling import faults_of_any, tell

MADE_UP = 60
EVERYWHERE = ("dropped", "suffixes")
STEP = 3


def demo_fold() -> Fold:
    node = NodeDirectory(directories())
    return Fold(NODE, lambda _: node, to_e164)


@cache
def plain_call() -> list[Row]:
    """The first made-up call in which two people talk."""
    calls = (played(Random(seed), START, 0) for seed in count())
    return next(call.rows for call in calls if call.talked)


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Named checks, each of which raises if what it looks at is told wrong."""
    for seed in range(MADE_UP):
        yield f"made up {seed}", partial(_made_up, seed)
    for recording in telling():
        for name in KINDS:
            yield f"{name} {recording.name}", partial(_damaged, recording, name)


def telling() -> list[Recording]:
    """The shortest recordings in which every event occurs that occurs anywhere."""
    kinds = {one: {row.event for row in _rows(one) if isinstance(row, CelRow)} for one in RECORDINGS}
    missing = set().union(*kinds.values())
    chosen: list[Recording] = []
    for one in sorted(RECORDINGS, key=lambda one: len(_rows(one))):
        if kinds[one] & missing:
            chosen.append(one)
            missing -= kinds[one]
    return chosen


def _rows(recording: Recording) -> list[Row]:
    """The journal's; it is read already, or at once."""
    reading = recording.rows("journal")
    try:
        reading.send(None)
    except StopIteration as done:
        rows: list[Row] = done.value
        return rows
    raise RuntimeError("the journal's rows are waited for")


def _made_up(seed: int) -> None:
    call = played(Random(seed), START, 0)
    told = tell(demo_fold(), call.rows)
    (record,) = told.records.values()
    assert not faults_of_any(told)
    assert (record.settled, record.complete) == (True, True)
    assert (record.outcome == "answered") == call.talked


def _damaged(recording: Recording, name: str) -> None:
    rows = _rows(recording)
    scene = Scene(rows, lambda: recording.new_fold(start_of(rows)), plain_call())
    for variant in islice(KINDS[name].variants(scene.rows), 0, None, 1 if name in EVERYWHERE else STEP):
        assert not KINDS[name].faults(scene, variant)
