"""Where in the journal Asterisk's clock was set: noted when AMI tells of it, given when the reader comes by.

That may be long after: while Postgres is away, or another gateway reads. Who takes over behind the place has no need
of it, as the other committed what stood there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.asterisk.source import Position
from gateway.asterisk.tail import beginning
from gateway.calls.rows import ClockStep, Row

MOST = 100
"""A gateway that stands by for ever notes and never reads."""


class NotedSteps:
    """For one reader. A batch begins with `begin`, asks what is `due` after each record, has `ended`, and may be
    `committed`.

    `begin` with `ahead`: while the batch before may still be. Else what was given and not committed is due again. It
    was, though nobody was told so, where reading goes on from the place to which that batch came.
    """

    def __init__(self) -> None:
        self._noted: list[_Noted] = []
        self._batches: list[_Batch] = []
        """That which is being committed, if there is one, and that which is read."""
        self._at: Position | None = None

    def note(self, step: ClockStep, end: Position | None) -> None:
        """`end`: of the journal just now; None where there was none, or nothing in it."""
        self._noted = [*self._noted, _Noted(step, end)][-MOST:]

    def begin(self, position: Position | None, *, ahead: bool = False) -> None:
        if not ahead:
            committed = [number for number, batch in enumerate(self._batches, 1) if batch.came_to(position)]
            over = [one for batch in self._batches[: max(committed, default=0)] for one in batch.given]
            self._noted = [one for one in self._noted if one not in over]
            self._batches = []
        self._batches = [*self._batches[-1:], _Batch(position, position)]
        self._noted = [one for one in self._noted if self._is_given(one) or not one.is_behind(position)]
        self._at = position

    def due(self, here: Position | None, *, at_end: bool = False) -> list[Row]:
        """Those that belong before what comes after `here`, to which was read since this was asked last.

        `at_end`: all that was there when they were noted has been read.
        """
        before, self._at = self._at, here
        if not self._noted:
            return []
        due = [one for one in self._noted if not self._is_given(one) and (at_end or one.is_due(before, here))]
        self._batches[-1].given += due
        return [one.step for one in due]

    def ended(self, position: Position | None) -> None:
        self._batches[-1].end = position

    def committed(self, rows: Sequence[Row]) -> None:
        """Those of these rows."""
        for batch in self._batches:
            over = [one for one in batch.given if any(row is one.step for row in rows)]
            batch.given = [one for one in batch.given if one not in over]
            self._noted = [one for one in self._noted if one not in over]

    def _is_given(self, noted: "_Noted") -> bool:
        return any(noted in batch.given for batch in self._batches)


@dataclass(slots=True)
class _Batch:
    begin: Position | None
    end: Position | None
    given: list["_Noted"] = field(default_factory=list)

    def came_to(self, position: Position | None) -> bool:
        """And not from there."""
        return self.end == position != self.begin


@dataclass(frozen=True, slots=True, eq=False)
class _Noted:
    step: ClockStep
    end: Position | None

    def is_behind(self, position: Position | None) -> bool:
        return self._same_file(position) and self._offset(position) > self._offset(self.end)

    def is_due(self, before: Position | None, here: Position | None) -> bool:
        if self.end is None:
            return True
        if self._same_file(here):
            return self._offset(here) >= self.end.byte_offset
        return self._same_file(before)

    def _same_file(self, position: Position | None) -> bool:
        return self.end is not None and position is not None and beginning(self.end) == beginning(position)

    @staticmethod
    def _offset(position: Position | None) -> int:
        return position.byte_offset if position is not None else 0
