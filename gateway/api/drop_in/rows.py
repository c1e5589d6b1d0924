"""Rows as integrations of the hosted product read them: of the rows that `/v1` shows, by other names.

Durations are whole seconds. What is missing is an empty string, a time as well as a name.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]


def user_row(row: Row) -> dict[str, Any]:
    """Of a row of `GET /v1/user-calls`."""
    return {
        "unique_call_id": row["call_id"],
        "type": row["type"],
        "caller_id": _text(row["caller_id"]),
        "caller_name": _text(row["caller_name"]),
        "dest_number": _text(row["destination_number"]),
        "user_name": row["user"]["name"],
        "user_number": row["user"]["number"],
        "call_start_at": row["started_at"],
        "connected_at": _text(row["answered_at"]),
        "call_duration": _seconds(row["ring_duration"] + row["talk_duration"]),
        "conversation_duration": _seconds(row["talk_duration"]),
    }


def queue_row(row: Row) -> dict[str, Any]:
    """Of a row of `GET /v1/queue-calls`."""
    return _visit(row) | {"queue_name": row["queue"]["name"], "status": _status(row)}


def ring_group_row(row: Row) -> dict[str, Any]:
    """Of a row of `GET /v1/ring-group-calls`."""
    return _visit(row) | {"ring_group_name": row["ring_group"]["name"], "status": _status(row)}


def of_text(shape: Callable[[Row], dict[str, Any]], text: str) -> dict[str, Any]:
    """Of a row as the store keeps it."""
    return shape(json.loads(text))


def _visit(row: Row) -> dict[str, Any]:
    user = row["user"] or {"name": "", "number": ""}
    return {
        "unique_call_id": row["call_id"],
        "callerid": _text(row["caller_id"]),
        "caller_name": _text(row["caller_name"]),
        "dest_number": _text(row["destination_number"]),
        "call_start_at": row["started_at"],
        "connected_at": _text(row["answered_at"]),
        "call_duration": _seconds((row["wait_duration"] or 0) + row["talk_duration"]),
        "conversation_duration": _seconds(row["talk_duration"]),
        "user_name": user["name"],
        "user_number": user["number"],
    }


def _status(row: Row) -> str:
    return "answered" if row["status"] == "answered" else "abandoned"


def _text(value: str | None) -> str:
    return "" if value is None else value


def _seconds(duration: float) -> int:
    """To the nearest, halves up: a sum is never less than its parts."""
    return int(duration + 0.5)
