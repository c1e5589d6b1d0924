"""In which form a list leaves: what `format` says, else what `Accept` likes best."""

from typing import Literal, TypeAlias

from gateway.api.problems import Problem

Format: TypeAlias = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
}
_ACCEPTED: dict[str, Format] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/*": "json",
    "*/*": "json",
    "text/*": "csv",
}


def chosen(asked: Format | None, accept: str | None) -> Format:
    """Raises: Problem 406 where none of ours is accepted."""
    if asked is not None:
        return asked
    if not accept or not accept.strip():
        return "json"
    best: Format | None = None
    quality = 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        found = _ACCEPTED.get(name.lower())
        weight = _weight(parameters)
        if found is not None and weight > quality:
            best, quality = found, weight
    if best is None:
        raise Problem(406, "not_acceptable", "This leaves as application/json, text/csv or application/x-ndjson.")
    return best


def _weight(parameters: list[str]) -> float:
    """RFC 9110 section 12.4.2; what cannot be read counts as 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0
