"""The Extra field of a CEL event: a JSON object, read as text values."""

import json
from collections.abc import Mapping

import orjson

from gateway.calls.rows import NOTHING


def decode_extra(text: str) -> Mapping[str, str]:
    """Every value as text; {} for what is absent or no JSON object. What is no text to Postgres becomes `?`."""
    if not text:
        return NOTHING
    if (plain := _plain(text)) is not None:
        return plain
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(decoded, dict):
        return NOTHING
    return {
        _storable(name): _storable(value) if isinstance(value, str) else json.dumps(value)
        for name, value in decoded.items()
    }


def _plain(text: str) -> dict[str, str] | None:
    """What it says, if all its values are text and nothing is escaped, as it is nearly always: what needs no care."""
    if "\\" in text:
        return None
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    texts = isinstance(decoded, dict) and all(isinstance(value, str) for value in decoded.values())
    return decoded if texts else None


def _storable(text: str) -> str:
    """Without the NUL and the halves of surrogate pairs that JSON can escape."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()
