"""The shortest damage that still touches every kind of row: what a mutant of the fold is put through."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import count
from random import Random

from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import Fold
from gateway.calls.rows import CelRow, Row
from gateway.numbering import to_e164
from tests.lab.recordings import NODE, RECORDINGS, Recording, directories
from tests.unit.calls import damage
from tests.unit.calls.damage import Scene, Variant
from tests.unit.calls.generated import START, played
from tests.unit.calls.telling import faults_of_any, tell

MADE_UP = 60
DAMAGE: Mapping[str, Callable[[Sequence[Row]], Iterator[Variant]]] = {
    "dropped": damage.dropped,
    "doubled": damage.doubled,
    "swapped": damage.swapped,
    "extra": damage.corrupt_extra,
    "wandering": damage.wandering,
    "suffixes": damage.suffixes,
}


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
        rows = _rows(recording)
        for kind, variants in DAMAGE.items():
            yield f"{kind} {recording.name}", partial(_damaged, recording, rows, variants)
        yield f"killed {recording.name}", partial(_killed, recording, rows)


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


def _damaged(recording: Recording, rows: list[Row], variants: Callable[[Sequence[Row]], Iterator[Variant]]) -> None:
    scene = Scene(rows, lambda: recording.new_fold(damage.start_of(rows)), plain_call())
    for variant in variants(rows):
        assert not scene.faults(variant)


def _killed(recording: Recording, rows: list[Row]) -> None:
    scene = Scene(rows, lambda: recording.new_fold(damage.start_of(rows)), plain_call())
    for variant in damage.killed(rows):
        assert not damage.killed_faults(scene, variant, lambda: recording.new_fold(damage.start_of(rows)))
