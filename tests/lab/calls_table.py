"""`python -m tests.lab.calls_table`: every scenario and what the fold says of it, one line a call.

Right is what the scenario says, what the phones logged, and events that say what the record does, in both forms of
a recording. Exit status 0 only if all are; the last line is one JSON object with the figures.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence

from gateway.calls.record import CallRecord
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.unit.calls.test_lives import test_a_recorded_life_has_one_end_and_tells_what_the_record_does as as_lived
from tests.unit.calls.test_recordings import test_a_recorded_call_is_told_as_it_was as as_played
from tests.unit.calls.test_testimony import test_a_record_says_what_the_phones_did as as_testified

JUDGES = {"scenario": as_played, "phones": as_testified, "events": as_lived}

HEADINGS = ("pbx", "scenario", "outcome", "direction", "caller → callee", "attempts", "segments", "told")


def main() -> int:
    lines: list[tuple[str, ...]] = [HEADINGS]
    counts: Counter[str] = Counter()
    for recording in RECORDINGS:
        wrong = [f"{name}, {source}" for name in JUDGES for source in SOURCES if not _is_right(name, recording, source)]
        records = recording.fold(asyncio.run(recording.rows("journal")))
        told = f"wrong ({'; '.join(wrong)})" if wrong else "right"
        lines += [_line(recording, record, told) for record in records] or [_silent(recording, told)]
        counts.update(scenarios=1, records=len(records), right=not wrong, wrong=bool(wrong))
    _print(lines)
    pbxs = Counter(recording.pbx for recording in RECORDINGS)
    print(json.dumps({**counts, "pbxs": dict(pbxs)}))
    return 1 if counts["wrong"] else 0


def _is_right(judge: str, recording: Recording, source: str) -> bool:
    try:
        asyncio.run(JUDGES[judge](recording, source))
    except AssertionError:
        return False
    return True


def _line(recording: Recording, record: CallRecord, told: str) -> tuple[str, ...]:
    parties = f"{record.caller.number or '–'} → {record.callee.number or '–'}"
    counts = str(len(record.attempts)), str(len(record.segments))
    return (
        recording.pbx, recording.scenario, record.outcome or record.state, record.direction, parties, *counts, told,
    )  # fmt: skip


def _silent(recording: Recording, told: str) -> tuple[str, ...]:
    """A call that left no row of CEL, or none that is anybody's."""
    return (recording.pbx, recording.scenario, "no record", "", "", "", "", told)


def _print(lines: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
