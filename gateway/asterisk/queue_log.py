"""Rows from the lines of `queue_log`: `time|call|queue|agent|EVENT|data…`, times in whole seconds.

What the data mean is `app_queue.c`'s; only what tells of a caller's visit becomes a row. The key
that a caller pressed to leave is not kept.
"""

from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.long_texts import SUSPICIOUS, cut
from gateway.calls.rows import QueueRow

_POSITIONS: dict[str, tuple[int | None, int | None]] = {
    "ENTERQUEUE": (7, None),
    "ABANDON": (5, 6),
    "EXITWITHTIMEOUT": (5, 6),
    "EXITEMPTY": (5, 6),
    "EXITWITHKEY": (6, 7),
    "WITHDRAW": (5, 6),
    "JOINEMPTY": (None, None),
    "CONNECT": (None, None),
    "COMPLETEAGENT": (None, None),
    "COMPLETECALLER": (None, None),
    "BLINDTRANSFER": (None, None),
    "ATTENDEDTRANSFER": (None, None),
    "RINGNOANSWER": (None, None),
    "RINGCANCELED": (None, None),
}
"""Event → the columns of the position and of the position at entry."""


def queue_row(line: bytes) -> QueueRow | None:
    """The row of one line without its end; None for what is about no caller.

    Raises:
        ValueError: not a line of queue_log.
    """
    columns = line.decode("utf-8", "replace").split("|")
    if len(columns) < 5 or not columns[0].isdecimal() or b"\0" in line:
        raise ValueError("not a line of queue_log")
    if len(line) > SUSPICIOUS:
        columns = cut(columns)
    event = columns[4]
    if event not in _POSITIONS or columns[1] in ("", "NONE"):
        return None
    position, original = _POSITIONS[event]
    return QueueRow(
        event,
        read_time(columns[0]),
        columns[1],
        columns[2],
        "" if columns[3] == "NONE" else columns[3],
        _number(columns, position),
        _number(columns, original),
    )


def line_second(line: bytes) -> int | None:
    """The time of a line, in seconds since 1970, told without reading the rest; None if it has none."""
    head = line[:12].partition(b"|")[0]
    return int(head) if head.isdigit() else None


def _number(columns: list[str], index: int | None) -> int | None:
    if index is None or index >= len(columns) or not columns[index].isdecimal():
        return None
    return int(columns[index])
