"""Rows as CSV (RFC 4180): columns that never change their order, and cells that no spreadsheet runs.

A column is added at the end only. docs/paging.md has them for people; a test holds it to these tables.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from gateway.store.list_query import Kind

Path: TypeAlias = tuple[str, ...]
"""Where in the row's document a cell comes from."""

_USER = ("id", "number", "name")


def _columns(*given: str | tuple[str, Path]) -> tuple[tuple[str, Path], ...]:
    return tuple((one, (one,)) if isinstance(one, str) else one for one in given)


def _user(prefix: str, path: Path) -> tuple[tuple[str, Path], ...]:
    return tuple((f"{prefix}_{name}", (*path, name)) for name in _USER)


def _group(prefix: str, path: Path) -> tuple[tuple[str, Path], ...]:
    return tuple((f"{prefix}_{name}", (*path, name)) for name in ("number", "name"))


_LAST = _columns("revision", "updated_at", "merged_into")
_TIMES = _columns("started_at", "answered_at", "ended_at")


def _visit(kind: str, *more: str) -> tuple[tuple[str, Path], ...]:
    return (
        *_columns("id", "call_id", "caller_id", "caller_name", "destination_number"),
        *_group(kind, (kind,)),
        *_columns("status"),
        *_user("user", ("user",)),
        *_columns(*more),
        *_TIMES,
        *_columns("duration", "wait_duration", "talk_duration", "reference"),
        *_LAST,
    )


COLUMNS: dict[Kind, tuple[tuple[str, Path], ...]] = {
    "calls": (
        *_columns("id", "node", "state", "direction", "outcome"),
        *_columns(("caller_number", ("caller", "number")), ("caller_name", ("caller", "name"))),
        *_user("caller_user", ("caller", "user")),
        *_columns(("callee_number", ("callee", "number"))),
        *_user("callee_user", ("callee", "user")),
        *_group("queue", ("callee", "queue")),
        *_group("ring_group", ("callee", "ring_group")),
        *_user("answered_by", ("answered_by", "user")),
        *_columns(("answered_by_device", ("answered_by", "device"))),
        *_TIMES,
        *_columns("duration", "ring_duration", "talk_duration", "hung_up_by", "hangup_cause", "end_reason"),
        *_columns(("origin", ("origin", "kind")), ("reference", ("origin", "reference"))),
        *_columns("complete", "settled"),
        *_LAST,
    ),
    "user_calls": (
        *_columns("id", "call_id", "type", "direction", "caller_id", "caller_name", "destination_number"),
        *_user("user", ("user",)),
        *_columns("device"),
        *_group("queue", ("via", "queue")),
        *_group("ring_group", ("via", "ring_group")),
        *_columns("result"),
        *_TIMES,
        *_columns("duration", "ring_duration", "talk_duration", "reference"),
        *_LAST,
    ),
    "queue_calls": _visit("queue", "position_at_entry", "position_at_leave"),
    "ring_group_calls": _visit("ring_group"),
}

# What makes a spreadsheet read a cell as a formula (OWASP, "CSV Injection"), with the wide forms of the same.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
# Where a semicolon or tab separates cells, as many countries' spreadsheets have it, a cell or line begins inside ours.
_FORMULA_INSIDE = re.compile(r"([;\t\r\n][\s\x22]*)(?=[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"\+?[0-9]+")


class Writer:
    """One list as CSV; `head` is its first line."""

    def __init__(self, kind: Kind) -> None:
        self.head = _lines([[name for name, _ in COLUMNS[kind]]])
        self._paths = [path for _, path in COLUMNS[kind]]

    def lines(self, rows: Sequence[str]) -> str:
        """`rows`: JSON texts."""
        return _lines([[_cell(_at(document, path)) for path in self._paths] for document in map(_parsed, rows)])

    def foot(self) -> str:
        return ""


_parsed: Callable[[str], Any] = json.loads


def _at(document: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def _cell(value: Any) -> str | int | float:
    """Numbers stay numbers, and a phone number is one; what else would begin a formula gets a `'` before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = str(value)
    if _NUMBER.fullmatch(text):
        return text
    text = _FORMULA_INSIDE.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def _lines(table: Sequence[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(table)
    return buffer.getvalue()
