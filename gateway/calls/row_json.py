"""A row as one line of JSON, and back: the form in which rows are kept."""

import json
from typing import Any

import orjson

from gateway.calls.compact_json import compact
from gateway.calls.rows import NOTHING, CelRow, ChannelsAlive, ClockStep, Gap, QueueRow, Row, Watermark


def row_to_json(row: Row) -> str:
    """`["cel", …fields in their order]`, `["queue", …]`, `["gap", at]`, `["step", at]`, `["alive", …]`,
    `["watermark", at]`.
    """
    return compact(_values(row))


def kind_of(row: Row) -> str:
    """The first of its values there."""
    kind: str = _values(row)[0]
    return kind


def row_from_json(line: bytes) -> Row:
    """Exact inverse.

    Raises:
        ValueError: not such a line.
    """
    try:
        # All of a channel's row is text, but for a time of no more than 64 bits.
        kind, *fields = orjson.loads(line) if line.startswith(b'["cel",') else json.loads(line)
        match kind:
            case "cel":
                fields[-1] = fields[-1] or NOTHING
                return CelRow(*fields)
            case "queue":
                return QueueRow(*fields)
            case "gap":
                return Gap(*fields)
            case "step":
                return ClockStep(*fields)
            case "watermark":
                return Watermark(*fields)
            case "alive":
                at, since, unique_ids = fields
                return ChannelsAlive(at, since, frozenset(unique_ids))
    except (TypeError, IndexError) as error:
        raise ValueError("not a row") from error
    raise ValueError("not a row")


def _values(row: Row) -> list[Any]:
    match row:
        case CelRow():
            return [
                "cel", row.event, row.at, row.channel, row.unique_id, row.linked_id, row.exten, row.context,
                row.caller_number, row.caller_name, row.app, row.app_data, row.peer, row.account_code, row.dnid,
                row.user_type, dict(row.extra),
            ]  # fmt: skip
        case QueueRow():
            return [
                "queue", row.event, row.at, row.unique_id, row.queue, row.member, row.position,
                row.original_position,
            ]  # fmt: skip
        case Gap():
            return ["gap", row.at]
        case ClockStep():
            return ["step", row.at]
        case Watermark():
            return ["watermark", row.at]
        case ChannelsAlive():
            return ["alive", row.at, row.since, sorted(row.unique_ids)]
