"""What `replay` and `import` share: the files that are named, their format, and what was wrong in them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from io import BufferedReader
from typing import Annotated

import typer

from gateway.asterisk.recorded import Fault, NamedFile, Recorded, RecordedRow, guess_format
from gateway.cli.progress import Progress
from gateway.cli.run import fail

FAULTS_SHOWN = 20
STANDARD_INPUT = "-"


class Format(StrEnum):
    AUTO = "auto"
    JOURNAL = "journal"
    AMI = "ami"


QueueLogs = Annotated[
    list[str] | None,
    typer.Option("--queue-log", metavar="FILE", help="Asterisk's queue_log beside the journal. May be repeated."),
]
Formats = Annotated[
    Format,
    typer.Option("--format", help="The journal of cel_custom, or AMI's events as JSON lines; auto: by the first line."),
]


class Streams:
    """The files of a command, open as long as it is entered, and what is told of them on standard error."""

    def __init__(self, names: Sequence[str], *, logged: bool = False) -> None:
        if list(names).count(STANDARD_INPUT) > 1:
            fail("standard input (-) can be one file only", 2)
        self._names = names
        self._logged = logged
        self._open = ExitStack()
        self._faults_left = FAULTS_SHOWN
        self.recorded = Recorded(self._on_fault)

    def __enter__(self) -> "Streams":
        self.files = {name: NamedFile(name, self._opened(name)) for name in self._names}
        self.progress = Progress([named.file for named in self.files.values()], logged=self._logged)
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.clear()
        self._open.close()

    def rows(self, cel: Sequence[str], queue_log: Sequence[str], wanted: Format) -> Iterator[RecordedRow]:
        cel_files = [self.files[name] for name in cel]
        queue_files = [self.files[name] for name in queue_log]
        chosen = wanted.value if wanted != Format.AUTO else guess_format(self._beginning(cel[0]))
        if chosen == "journal":
            return self.recorded.journal(cel_files, queue_files)
        if queue_log:
            fail("--queue-log goes with a journal: among AMI's events are the queues' own", 2)
        return self.recorded.ami(cel_files)

    def say(self, text: str) -> None:
        self.progress.clear()
        print(f"gateway: {text}", file=sys.stderr)

    def conclude(self) -> None:
        """Say what was not read; to have read nothing at all is a failure."""
        recorded = self.recorded
        if recorded.faults > FAULTS_SHOWN:
            self.say("… and more such lines")
        for name in recorded.cut_short:
            self.say(f"{name}: the last line is cut short; it is left out")
        if recorded.faults:
            self.say(f"{recorded.faults} {'line' if recorded.faults == 1 else 'lines'} could not be read")
        if recorded.rows:
            return
        if recorded.faults or recorded.cut_short:
            self.progress.clear()
            fail("nothing could be read: is the --format right?")
        self.say("there was nothing to read")

    def _on_fault(self, fault: Fault) -> None:
        if self._faults_left:
            self._faults_left -= 1
            self.say(str(fault))

    def _beginning(self, name: str) -> bytes:
        file = self.files[name].file
        return file.peek() if isinstance(file, BufferedReader) else b""

    def _opened(self, name: str) -> BufferedReader:
        if name == STANDARD_INPUT:
            assert isinstance(sys.stdin.buffer, BufferedReader)
            return sys.stdin.buffer
        try:
            return self._open.enter_context(open(name, "rb"))
        except OSError as error:
            fail(f"{name}: {error.strerror}")
