"""How fast the fold is, beside parsing alone, and what an open call costs.

    python -m bench.fold [OPEN_CALLS]

The mix is every recording's rows, in the order of their time within the call and with calls
overlapping, each copy under ids of its own. Parsing is measured on the very same rows, written
out as `cel_custom` writes them and, as JSON, as AMI sends them. All on one core, in turns, in one process;
each figure is the median of its turns. Last line: one JSON object. `events_per_second` are rows
of CEL a second; `fold_to_parsing` says how many times longer folding a row takes than reading it
from the journal; `slowdown_with_open_calls` how many times longer a row takes among so many open
calls than among few: 1.0 if it does not matter.
"""

import asyncio
import csv
import gc
import io
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import merge

from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.cel_csv import cel_row
from gateway.calls.directory import NodeDirectory
from gateway.calls.fold import MOST_OPEN, Fold
from gateway.calls.rows import CelRow, Row
from gateway.numbering import to_e164
from tests.lab.recordings import NODE, RECORDINGS, directories
from tests.unit.calls.damage import renamed, shifted, start_of

START = 1_795_489_263_000_000
BETWEEN_CALLS = 50_000
"""Microseconds from one call's beginning to the next one's: twenty calls a second."""

ROWS = 60_000
TURNS = 3
OPEN_CALLS = 100_000
FEW = 200
BATCH = 500
"""Rows between two drains, as when the gateway is behind and catches up."""


def mix(rows: int) -> list[Row]:
    """At least so many rows of calls that overlap, ordered by time; complete calls only."""
    whole = [one for one in RECORDINGS if all(call.complete for call in one.expected)]
    recorded = [asyncio.run(one.rows("journal")) for one in whole]
    calls: list[list[Row]] = []
    total = 0
    while total < rows:
        for one in recorded:
            place = len(calls)
            calls.append(shifted(renamed(one, f"z{place}"), START + place * BETWEEN_CALLS - start_of(one)))
            total += len(one)
    return list(merge(*(sorted(call, key=_at) for call in calls), key=_at))


def open_call(number: int) -> list[CelRow]:
    """A call in which two people talk, with its end: the shape of the plainest recording."""
    first, second = f"{START // 1_000_000}.{2 * number}", f"{START // 1_000_000}.{2 * number + 1}"
    caller, callee = f"PJSIP/102-{2 * number:08x}", f"PJSIP/103-{2 * number + 1:08x}"
    bridge = {"bridge_id": f"bridge-{number}", "bridge_technology": "simple_bridge"}
    ended = {"hangupcause": "16", "hangupsource": caller, "dialstatus": ""}
    at = START + number * 10

    def row(event: str, of_caller: bool, after: int, app: str = "", **more: object) -> CelRow:
        name, unique_id = (caller, first) if of_caller else (callee, second)
        exten = "103" if of_caller else "s"
        data = "PJSIP/103,8" if app == "Dial" else ""
        number = "102" if of_caller else "103"
        made = CelRow(event, at + after, name, unique_id, first, exten, "from-internal", number, "", app, data)
        return replace(made, **more)  # type: ignore[arg-type]

    return [
        row("CHAN_START", True, 0),
        row("APP_START", True, 1, "Dial"),
        row("CHAN_START", False, 2),
        row("ANSWER", False, 3),
        row("ANSWER", True, 4, "Dial"),
        row("BRIDGE_ENTER", False, 5, extra=bridge),
        row("BRIDGE_ENTER", True, 6, "Dial", extra=bridge),
        row("BRIDGE_EXIT", True, 7, "Dial", extra=bridge),
        row("BRIDGE_EXIT", False, 8, extra=bridge),
        row("HANGUP", False, 9, extra=ended),
        row("CHAN_END", False, 9),
        row("APP_END", True, 9, "Dial"),
        row("HANGUP", True, 9, extra=ended),
        row("CHAN_END", True, 9),
        row("LINKEDID_END", True, 9),
    ]


RINGING, TALKING = 3, 7
"""How many rows of `open_call` come until the phone rings, and until both talk."""


def measure(open_calls: int) -> dict[str, float]:
    if not FEW < open_calls <= MOST_OPEN:
        raise ValueError(f"{open_calls} open calls: more than {FEW}, and no more than the fold holds, {MOST_OPEN}")
    rows = mix(ROWS)
    cel = [row for row in rows if isinstance(row, CelRow)]
    lines, events = [as_line(row) for row in cel], [json.dumps(ami_headers(row)) for row in cel]
    works = (lambda: _fold(rows), lambda: _read(lines), lambda: _hear(events))
    turns = [[_rate(len(cel), work) for work in works] for _ in range(TURNS)]
    folded, read, heard = (statistics.median(column) for column in zip(*turns, strict=True))
    few, many = _among(2 * FEW, open_calls)
    return {
        "rows": len(cel),
        "events_per_second": round(folded),
        "journal_rows_parsed_per_second": round(read),
        "ami_rows_parsed_per_second": round(heard),
        "fold_to_parsing": round(read / folded, 2),
        "fold_to_ami_parsing": round(heard / folded, 2),
        "open_calls": open_calls,
        "rows_per_second_among_few": round(few),
        "rows_per_second_among_open_calls": round(many),
        "slowdown_with_open_calls": round(few / many, 2),
        "bytes_per_open_call": _bytes_per_open_call(),
    }


def _at(row: Row) -> int:
    return row.at


def _new_fold() -> Fold:
    node = NodeDirectory(directories())
    return Fold(NODE, lambda _: node, to_e164)


def _rate(count: int, work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return count / (time.process_time() - began)


def _fold(rows: Sequence[Row]) -> None:
    _take(_new_fold(), rows)


def _read(lines: Sequence[bytes]) -> None:
    for line in lines:
        cel_row(line)


def _hear(events: Sequence[str]) -> None:
    for event in events:
        row_of_event(json.loads(event), 0)


def _among(*crowds: int) -> list[float]:
    """Rows a second of calls that begin and end, batch by batch, while others ring: for each number of open calls.

    `FEW` of them come and go in each turn, in one crowd after the other, and are among those that are open: the fold
    lets no more than MOST_OPEN be, and loses calls beyond.
    """
    folds = [_ringing(crowd - FEW) for crowd in crowds]
    turns = [[_come_and_go(fold, max(crowds) + turn * FEW) for fold in folds] for turn in range(TURNS)]
    for fold, crowd in zip(folds, crowds, strict=True):
        if fold.open_calls != crowd - FEW:
            raise RuntimeError(f"{fold.open_calls} calls are open, not the {crowd - FEW} that ring")
    return [statistics.median(column) for column in zip(*turns, strict=True)]


def _ringing(calls: int) -> Fold:
    fold = _new_fold()
    _take(fold, [row for number in range(calls) for row in open_call(number)[:RINGING]])
    return fold


def _come_and_go(fold: Fold, first: int) -> float:
    calls = [open_call(number) for number in range(first, first + FEW)]
    rows: list[Row] = [row for column in zip(*calls, strict=True) for row in column]
    return _rate(len(rows), lambda: _take(fold, rows))


def _take(fold: Fold, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), BATCH):
        for row in rows[start : start + BATCH]:
            fold.take(row)
        fold.drain()


def _bytes_per_open_call(calls: int = 2_000) -> int:
    """What the fold holds for a call in which two people talk."""
    tracemalloc.start()
    try:
        fold = _new_fold()
        rows: list[Row] = [row for number in range(calls) for row in open_call(number)[:TALKING]]
        before = tracemalloc.get_traced_memory()[0]
        _take(fold, rows)
        gc.collect()
        return round((tracemalloc.get_traced_memory()[0] - before) / calls)
    finally:
        tracemalloc.stop()


def as_line(row: CelRow) -> bytes:
    """The row as `cel_custom` writes it."""
    text = io.StringIO()
    extra = json.dumps(dict(row.extra)) if row.extra else ""
    user_type = row.user_type or ("USER_DEFINED" if row.event == "USER_DEFINED" else "")
    columns = (
        row.event, _seconds(row), row.caller_name, row.caller_number, "", "", row.dnid, row.exten, row.context,
        row.channel, row.app, row.app_data, "3", row.account_code, row.unique_id, row.linked_id, row.peer, "",
        user_type, extra,
    )  # fmt: skip
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(columns)
    return text.getvalue().encode()


def ami_headers(row: CelRow) -> dict[str, str]:
    """The row as AMI sends it."""
    extra = json.dumps(dict(row.extra)) if row.extra else ""
    return {
        "Event": "CEL", "Privilege": "call,all", "Timestamp": _seconds(row), "EventName": row.event,
        "AccountCode": row.account_code, "CallerIDnum": row.caller_number, "CallerIDname": row.caller_name,
        "CallerIDani": "", "CallerIDrdnis": "", "CallerIDdnid": row.dnid, "Exten": row.exten,
        "Context": row.context, "Channel": row.channel, "Application": row.app, "AppData": row.app_data,
        "EventTime": "2026-11-24 21:18:10", "AMAFlags": "DOCUMENTATION", "UniqueID": row.unique_id,
        "LinkedID": row.linked_id, "Userfield": "", "Peer": row.peer, "PeerAccount": "", "Extra": extra,
    }  # fmt: skip


def _seconds(row: CelRow) -> str:
    return f"{row.at // 1_000_000}.{row.at % 1_000_000:06d}"


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else OPEN_CALLS)))
