"""The rows of recorded files: Asterisk's own journal with its queue_log, or AMI's events a line.

Unlike the sources of a running node these files are whole and are read once, from their beginning,
whatever their size. A line that is no row is told of with its place and left out. The last line of
a file that was copied while Asterisk wrote it may be cut short: that is no fault.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias

from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.cel_csv import RECORD_START, cel_row
from gateway.asterisk.own_clock import LEAST
from gateway.asterisk.queue_log import queue_row
from gateway.asterisk.tail import MAX_RECORD_BYTES
from gateway.calls.rows import CelRow, Instant, QueueRow

Format: TypeAlias = Literal["journal", "ami"]
RecordedRow: TypeAlias = CelRow | QueueRow

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON can spell and neither a terminal nor a database takes."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    name: str
    file: BinaryIO


@dataclass(frozen=True, slots=True)
class Fault:
    """A line (from 1) that is no row, and why."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}: line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Record:
    """`ended`: its line end is there, so nothing of it can be missing."""

    line: int
    text: bytes
    ended: bool


class Recorded:
    """Reads files and keeps count: `bytes_read`, `rows`, `faults` of which `on_fault` was told."""

    def __init__(self, on_fault: Callable[[Fault], None]) -> None:
        self._on_fault = on_fault
        self.bytes_read = 0
        self.rows = 0
        self.faults = 0
        self.cut_short: list[str] = []
        """The files whose last line is not whole."""

    def journal(self, cel: Sequence[NamedFile], queue_log: Sequence[NamedFile] = ()) -> Iterator[RecordedRow]:
        """Files in the order of their time. A fact of queue_log comes before the CEL rows of its second:
        it was written before the last row of its call. Where Asterisk's clock was set back, what was written before
        comes before, in both.
        """
        facts = self._each(queue_log, self._queue_rows)
        fact, fact_at, row_at = next(facts, None), 0, 0
        for row in self._each(cel, self._journal_rows):
            is_set_back = row.at < row_at - LEAST
            while fact is not None:
                is_set_back &= fact_at - LEAST <= fact.at <= row_at + LEAST
                if not is_set_back and fact.at > row.at:
                    break
                yield fact
                fact_at = fact.at
                fact = next(facts, None)
            yield row
            row_at = row.at
        while fact is not None:
            yield fact
            fact = next(facts, None)

    def ami(self, files: Sequence[NamedFile]) -> Iterator[RecordedRow]:
        """Events as JSON objects, one a line; those that are no rows of a call are passed over."""
        return self._each(files, self._ami_rows)

    def records(self, named: NamedFile, *, quoted: bool, begins: re.Pattern[bytes] | None = None) -> Iterator[Record]:
        """The lines of a file that are not empty. `quoted`: a quote opened in a line is closed in a later one;
        `begins` then says where a record begins, to go on after one whose quote is never closed.
        """
        opened: Record | None = None
        for number, line in self._lines(named):
            text = line.rstrip(b"\n")
            record = Record(number, text, ended=len(text) < len(line))
            if opened is not None:
                if (begins and begins.match(text)) or len(opened.text) > MAX_RECORD_BYTES:
                    self.fault(named, opened.line, "a quote is opened and not closed")
                else:
                    record = Record(opened.line, opened.text + b"\n" + text, record.ended)
                opened = None
            if quoted and record.text.count(b'"') % 2:
                opened = record
                continue
            if stripped := record.text.strip(b"\0\r\n\t "):
                yield Record(record.line, stripped.replace(b"\0", b""), record.ended)
        if opened is not None:
            self.cut_short.append(named.name)

    def _lines(self, named: NamedFile) -> Iterator[tuple[int, bytes]]:
        number, overlong = 0, False
        while line := named.file.readline(MAX_RECORD_BYTES):
            self.bytes_read += len(line)
            if overlong:
                overlong = not line.endswith(b"\n")
                continue
            number += 1
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if len(line) == MAX_RECORD_BYTES and not line.endswith(b"\n"):
                overlong = True
                self.fault(named, number, f"is longer than {MAX_RECORD_BYTES} bytes")
                continue
            yield number, line

    def _each(
        self, files: Sequence[NamedFile], read: Callable[[NamedFile], Iterator[RecordedRow]]
    ) -> Iterator[RecordedRow]:
        for named in files:
            for row in read(named):
                self.rows += 1
                yield row

    def _journal_rows(self, named: NamedFile) -> Iterator[RecordedRow]:
        for record in self.records(named, quoted=True, begins=RECORD_START):
            try:
                row = cel_row(record.text)
            except ValueError as error:
                self.not_read(named, record, str(error))
                continue
            # Cut between two doubled quotes a record still has all its columns, but not the end of Extra.
            if not record.ended and row is not None and not row.extra and not record.text.endswith(b',""'):
                self.cut_short.append(named.name)
            elif row is not None:
                yield row

    def _queue_rows(self, named: NamedFile) -> Iterator[RecordedRow]:
        for record in self.records(named, quoted=False):
            if not record.ended:
                self.cut_short.append(named.name)
                continue
            try:
                row = queue_row(record.text)
            except ValueError as error:
                self.not_read(named, record, str(error))
                continue
            if row is not None:
                yield row

    def _ami_rows(self, named: NamedFile) -> Iterator[RecordedRow]:
        heard_at: Instant = 0
        for record in self.records(named, quoted=False):
            try:
                row = row_of_event(_headers(record.text), heard_at)
            except KeyError as error:
                self.not_read(named, record, f"the event has no {error.args[0]}")
                continue
            except (ValueError, RecursionError) as error:
                self.not_read(named, record, _reason(error))
                continue
            if row is not None:
                heard_at = row.at
                yield row

    def not_read(self, named: NamedFile, record: Record, reason: str) -> None:
        """A record that is none of what was wanted: a fault, unless it is what a copy cut off."""
        if record.ended:
            self.fault(named, record.line, reason)
        else:
            self.cut_short.append(named.name)

    def fault(self, named: NamedFile, line: int, text: str) -> None:
        self.faults += 1
        self._on_fault(Fault(named.name, line, text))


def guess_format(beginning: bytes) -> Format:
    """By the first line that is not empty: AMI's events are JSON objects."""
    return "ami" if beginning.removeprefix(_BYTE_ORDER_MARK).lstrip(b"\0\r\n\t ").startswith(b"{") else "journal"


def _headers(text: bytes) -> Mapping[str, str]:
    event = json.loads(text.decode("utf-8", "replace"))
    if not isinstance(event, dict):
        raise ValueError("not a JSON object")
    return {
        name: _NO_TEXT.sub("�", value if isinstance(value, str) else json.dumps(value)) for name, value in event.items()
    }


def _reason(error: Exception) -> str:
    return "not JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
