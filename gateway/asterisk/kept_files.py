"""The source files of a node that are still there, read once more from their beginnings: for the audit.

Unlike a recorded file of somebody's, what cannot be read here was passed over by the source as well.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.asterisk.journal import LONGEST_QUEUE_SECONDS
from gateway.asterisk.packed import NOT_READ, opened
from gateway.asterisk.recorded import NamedFile, Recorded
from gateway.calls.row_json import row_from_json
from gateway.calls.rows import CelRow, Gap, Instant, QueueRow, Row

MOST_BEFORE = 100_000
SLACK = 86_400_000_000
"""A file that was last written so long before the time asked for holds nothing of it, whatever the clocks."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """`journal` and `queue_log` as they are being written, or the spool's directory."""

    journal: Path | None = None
    queue_log: Path | None = None
    spool: Path | None = None

    @property
    def whole(self) -> bool:
        """Whether all that is there can be read."""
        return not any(path.name.endswith(NOT_READ) for path in _siblings(self.journal))

    def rows(self, since: Instant, until: Instant) -> Iterator[CelRow | QueueRow]:
        """Those of that time, nearly in order.

        Raises:
            OSError: a file that is there cannot be read.
        """
        found = self._spooled() if self.journal is None else self._journalled(since)
        return (row for row in found if since <= row.at < until)

    def gaps(self) -> list[tuple[Instant, Instant]]:
        """From when to when the spool's rows are missing, by the rows around; the journal has no such times."""
        found: list[tuple[Instant, Instant]] = []
        since: Instant | None = None
        heard: Instant = 0
        for row in self._spool_rows() if self.journal is None else ():
            if isinstance(row, Gap):
                since = heard if since is None else since
            else:
                if since is not None:
                    found.append((since, row.at))
                since, heard = None, row.at
        return found

    def _journalled(self, since: Instant) -> Iterator[CelRow | QueueRow]:
        with ExitStack() as stack:
            cel = [_opened(path, stack) for path in _of_time(self.journal, since)]
            queue = [_opened(path, stack) for path in _of_time(self.queue_log, since)] if cel else []
            rows = Recorded(lambda _: None).journal(cel, queue)
            # The source leaves out what queue_log tells of the time before the journal.
            before: deque[QueueRow] = deque(maxlen=MOST_BEFORE)
            for row in rows:
                if isinstance(row, CelRow):
                    first = row.at // 1_000_000 - LONGEST_QUEUE_SECONDS
                    yield from (fact for fact in before if fact.at // 1_000_000 >= first)
                    yield row
                    break
                before.append(row)
            yield from rows

    def _spooled(self) -> Iterator[CelRow | QueueRow]:
        return (row for row in self._spool_rows() if isinstance(row, CelRow | QueueRow))

    def _spool_rows(self) -> Iterator[Row]:
        if self.spool is None:
            return
        # Standbys have a spool of their own beside it, and may have been the writer.
        for path in sorted(self.spool.glob("spool-*.jsonl")):
            try:
                lines = path.read_bytes().split(b"\n")[:-1]
            except FileNotFoundError:
                continue
            for line in lines:
                with suppress(ValueError):
                    yield row_from_json(line)


def _siblings(path: Path | None) -> list[Path]:
    if path is None or not path.parent.is_dir():
        return []
    return [one for one in path.parent.iterdir() if one.name.startswith(path.name) and one.is_file()]


def _of_time(path: Path | None, since: Instant) -> list[Path]:
    """The file and those that it was rotated into, the oldest first."""
    dated = [(one.stat().st_mtime_ns, one == path, one) for one in _siblings(path) if one.suffix not in NOT_READ]
    return [one for written, _, one in sorted(dated) if written // 1000 >= since - SLACK]


def _opened(path: Path, stack: ExitStack) -> NamedFile:
    return NamedFile(str(path), stack.enter_context(opened(path)))
