"""`gateway replay`: a recorded stream folded, with no database and no Asterisk."""

import heapq
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from gateway.calls.compact_json import compact
from gateway.calls.directory import Directory, NodeDirectory
from gateway.calls.document import call_document
from gateway.calls.fold import Changes, Fold
from gateway.calls.instant import to_text
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import Instant, Row
from gateway.cli.run import fail
from gateway.cli.streams import Format, Formats, QueueLogs, Streams
from gateway.directory_file import DirectoryFaults, read
from gateway.numbering import to_e164

BATCH_ROWS = 2_000
HELD_BACK = 10_000
"""Ended calls that wait, for the sake of their order, until those that began before them have ended."""

DEFAULT_NODE = "pbx1"


def replay(
    directory: Annotated[
        list[Path], typer.Option(metavar="FILE", help="A directory: YAML. May be repeated, once an account.")
    ],
    cel: Annotated[
        list[str], typer.Option(metavar="FILE", help="The recorded events; - is standard input. May be repeated.")
    ],
    queue_log: QueueLogs = None,
    wanted: Formats = Format.AUTO,
    node: Annotated[str, typer.Option(help="Default: the one that the directories name, else pbx1.")] = "",
    events: Annotated[bool, typer.Option("--events", help="Print the events that tell of the calls.")] = False,
) -> None:
    """Fold a recorded stream and print its calls, one JSON document a line. Needs no database, no Asterisk."""
    directories = [_with_ids(_read(file)) for file in directory]
    node = node or _only_node(directories)
    known = NodeDirectory(_of_node(directories, node))
    fold = Fold(node, lambda _: known, to_e164)
    with Streams([*cel, *(queue_log or ())]) as streams:
        printer = Events() if events else Calls(fold)
        rows = streams.rows(cel, queue_log or (), wanted)
        try:
            for changes in _folded(fold, rows, streams):
                printer.take(changes)
                sys.stdout.flush()
            printer.finish()
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read this has seen enough; nor may the interpreter flush into it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        if fold.unowned:
            streams.say(f"{fold.unowned} {'call belongs' if fold.unowned == 1 else 'calls belong'} to no account")
        streams.conclude()


def _folded(fold: Fold, rows: Iterable[Row], streams: Streams) -> Iterator[Changes]:
    rest = iter(rows)
    while batch := list(islice(rest, BATCH_ROWS)):
        for row in batch:
            fold.take(row)
        changes = fold.drain()
        for call, fault in changes.failures:
            streams.say(f"call {call}: {fault}")
        yield changes
        streams.progress.at(streams.recorded.bytes_read, f"{streams.recorded.rows} rows, {fold.open_calls} calls open")


class Calls:
    """Prints each call once: in the order of their start, but for a call that outlasts `HELD_BACK` others."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._open: dict[str, CallRecord] = {}
        self._ended: list[tuple[Instant, str, str]] = []

    def take(self, changes: Changes) -> None:
        for record in changes.records:
            for gone in record.merged_ids:
                self._open.pop(gone, None)
            if record.settled:
                self._open.pop(record.id, None)
                self._hold(record)
            else:
                self._open[record.id] = record
        for _, gone, _ in changes.merged:
            self._open.pop(gone, None)
        if self._fold.open_calls > len(self._open):
            # One whose account is not known yet may come with any start.
            self._print(before=0)
        else:
            self._print(before=min((record.started_at for record in self._open.values()), default=None))

    def finish(self) -> None:
        """Calls whose end was not seen, as they stand."""
        for record in self._open.values():
            self._hold(record)
        self._print(before=None)

    def _hold(self, record: CallRecord) -> None:
        told = compact({"account": record.account} | call_document(record))
        heapq.heappush(self._ended, (record.started_at, record.id, told))

    def _print(self, before: Instant | None) -> None:
        """Those that began before (None: all), and as many as are too many to wait."""
        ended = self._ended
        while ended and (before is None or ended[0][0] < before or len(ended) > HELD_BACK):
            print(heapq.heappop(ended)[2])


class Events:
    """Prints what the event log would hold: its sequences are dense in each account."""

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}

    def take(self, changes: Changes) -> None:
        for event in changes.events:
            sequence = self._sequences[event.account] = self._sequences.get(event.account, 0) + 1
            print(_event_text(event, sequence))

    def finish(self) -> None:
        """All was printed as it came."""


def _event_text(event: DomainEvent, sequence: int) -> str:
    head = {
        "sequence": sequence,
        "type": event.type,
        "occurred_at": to_text(event.occurred_at),
        "account": event.account,
    }
    return json.dumps(head, separators=(",", ":"))[:-1] + ',"data":' + event.data + "}"


def _read(file: Path) -> Directory:
    try:
        return read(file)
    except DirectoryFaults as error:
        for fault in error.faults:
            typer.echo(f"gateway: {file}: {fault}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{file}: {error.strerror}")


def _with_ids(directory: Directory) -> Directory:
    """A user's id is the store's to give; without one it is made of the number, the same each time."""
    users = (replace(user, id=user.id or f"user-{user.number}") for user in directory.users)
    return replace(directory, users=tuple(users))


def _only_node(directories: Iterable[Directory]) -> str:
    named = {node for directory in directories for node in directory.nodes}
    return named.pop() if len(named) == 1 else DEFAULT_NODE


def _of_node(directories: list[Directory], node: str) -> list[Directory]:
    """Those whose calls this node carries; a directory that names no nodes is of every node."""
    accounts = [directory.account for directory in directories]
    if len(set(accounts)) < len(accounts):
        fail("--directory: two of the files are of one account", 2)
    found = [directory for directory in directories if not directory.nodes or node in directory.nodes]
    if not found:
        nodes = sorted({name for directory in directories for name in directory.nodes})
        fail(f"--node: the directories are of {', '.join(nodes)}, not of {node}", 2)
    return found
