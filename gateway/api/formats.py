"""In which form a list leaves: what `format` says, else what `Accept` likes best."""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from gateway.api.problems import Problem

Format: TypeAlias = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
}
_RANGES: dict[Format, tuple[tuple[str, ...], ...]] = {
    "json": (("application/json",), ("application/*",), ("*/*",)),
    "csv": (("text/csv",), ("text/*",), ("*/*",)),
    "ndjson": (
        ("application/x-ndjson", "application/ndjson", "application/jsonl"),
        ("application/*",),
        ("*/*",),
    ),
}
"""What may stand in `Accept` for each: its own names, then what means it among others."""

_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def chosen(asked: Format | None, accept: Sequence[str]) -> Format:
    """`accept`: the header's lines. Raises: Problem 406 where none of ours is accepted."""
    if asked is not None:
        return asked
    ranges = _ranges(accept)
    if not ranges:
        return "json"
    liked = {form: _liked(form, ranges) for form in MEDIA_TYPES}
    best = max(liked, key=lambda form: liked[form])
    if liked[best][0] == 0:
        raise Problem(406, "not_acceptable", "This leaves as application/json, text/csv or application/x-ndjson.")
    return best


def _ranges(accept: Sequence[str]) -> dict[str, tuple[float, int]]:
    """Each media range with its weight, and its place counted from the first one down."""
    found: dict[str, tuple[float, int]] = {}
    for part in ",".join(accept).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            found.setdefault(name, (_weight(parameters), -len(found)))
    return found


def _liked(form: Format, ranges: dict[str, tuple[float, int]]) -> tuple[float, int]:
    """By what names it most narrowly (RFC 9110 section 12.5.1); of two liked alike, what is named first wins."""
    named = (ranges[name] for names in _RANGES[form] for name in names if name in ranges)
    return next(named, (0.0, 0))


def _weight(parameters: Sequence[str]) -> float:
    """RFC 9110 section 12.4.2; what cannot be read counts as 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 1.0
    return 1.0
