"""The Extra field of a CEL event: a JSON object, read as text values."""

import json
from collections.abc import Mapping

from gateway.calls.rows import NOTHING


def decode_extra(text: str) -> Mapping[str, str]:
    """Every value as text; {} for what is absent or no JSON object. What is no text to Postgres becomes `?`."""
    if not text:
        return NOTHING
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(decoded, dict):
        return NOTHING
    if "\\" not in text:
        # Nothing is escaped in it, so that nothing is in it that text could not hold.
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in decoded.items()}
    return {
        _storable(name): _storable(value) if isinstance(value, str) else json.dumps(value)
        for name, value in decoded.items()
    }


def _storable(text: str) -> str:
    """Without the NUL and the halves of surrogate pairs that JSON can escape."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()
