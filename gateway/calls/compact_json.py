"""JSON as it is kept and sent: compact, UTF-8, keys in the order given, the same bytes for the same value."""

import json
from typing import Any

import orjson

_anything = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: Any) -> str:
    """The text. Numbers of any size: those beyond 64 bits take longer."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return _anything(value)
