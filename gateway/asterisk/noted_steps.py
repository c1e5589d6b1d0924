"""Where in the journal Asterisk's clock was set: noted when AMI tells of it, given when the reader comes by.

That may be long after: while Postgres is away, or another gateway reads. Who takes over behind the place has no need
of it, as the other committed what stood there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.asterisk.source import Position
from gateway.asterisk.tail import beginning
from gateway.calls.rows import ClockStep, Row

MOST = 100
"""A gateway that stands by for ever notes and never reads."""


class NotedSteps:
    """For one reader. A batch begins with `begin`, asks what is `due` after each record, and may be `committed`.

    `begin` with `ahead`: while the batch before may still be. Else what was given and not committed is due again.
    """

    def __init__(self) -> None:
        self._noted: list[_Noted] = []
        self._given: list[_Noted] = []
        self._at: Position | None = None

    def note(self, step: ClockStep, end: Position | None) -> None:
        """`end`: of the journal just now; None where there was none, or nothing in it."""
        self._noted = [*self._noted, _Noted(step, end)][-MOST:]

    def begin(self, position: Position | None, *, ahead: bool = False) -> None:
        if not ahead:
            self._given = []
        self._noted = [one for one in self._noted if one in self._given or not one.is_behind(position)]
        self._at = position

    def due(self, here: Position | None) -> list[Row]:
        """Those that belong before what comes after `here`, to which was read since this was asked last."""
        before, self._at = self._at, here
        if len(self._noted) == len(self._given):
            return []
        due = [one for one in self._noted if one not in self._given and one.is_due(before, here)]
        self._given += due
        return [one.step for one in due]

    def committed(self, rows: Sequence[Row]) -> None:
        """Those of these rows."""
        over = [one for one in self._given if any(row is one.step for row in rows)]
        self._noted = [one for one in self._noted if one not in over]
        self._given = [one for one in self._given if one not in over]


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
