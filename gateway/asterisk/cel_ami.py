"""Rows from AMI's events: `CEL`, and the queue's own.

The headers are those of `cel_manager.c` and `app_queue.c`. A CEL event's `Timestamp` (manager.conf,
`timestampevents`) is the time of sending, at most some milliseconds late; `EventTime` has whole
seconds of local time and is the last resort.
"""

from collections.abc import Mapping

from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.cel_extra import decode_extra
from gateway.asterisk.long_texts import SUSPICIOUS, cut
from gateway.calls.rows import CelRow, Instant, QueueRow

QUEUE_EVENTS = {
    "QueueCallerJoin": "ENTERQUEUE",
    "QueueCallerAbandon": "ABANDON",
    "QueueCallerLeave": "LEAVE",
    "AgentConnect": "CONNECT",
}
"""AMI's event and what queue_log calls it; LEAVE, without a reason, has no name there."""

WHOLE = ("AppData", "Extra")

ROW_EVENTS = frozenset({"CEL", *QUEUE_EVENTS})


def row_of_event(headers: Mapping[str, str], heard_at: Instant) -> CelRow | QueueRow | None:
    """The row that an event is; None for digits, which are not kept, and for events of no interest.

    `heard_at` dates a queue event that carries no time.

    Raises:
        ValueError, KeyError: an event of interest that lacks what makes it a row.
    """
    name = headers["Event"]
    if sum(map(len, headers.values())) > SUSPICIOUS:
        headers = _cut(headers)
    if name == "CEL":
        return _cel_row(headers)
    queue_event = QUEUE_EVENTS.get(name)
    return None if queue_event is None else _queue_row(queue_event, headers, heard_at)


def _cut(headers: Mapping[str, str]) -> Mapping[str, str]:
    whole = [place for place, name in enumerate(headers) if name in WHOLE]
    return dict(zip(headers, cut(list(headers.values()), whole), strict=True))


def _cel_row(headers: Mapping[str, str]) -> CelRow | None:
    event = headers["EventName"]
    if event == "DTMF":
        return None
    get = headers.get
    return CelRow(
        event,
        read_time(get("Timestamp") or headers["EventTime"]),
        headers["Channel"],
        headers["UniqueID"],
        headers["LinkedID"],
        get("Exten", ""),
        get("Context", ""),
        get("CallerIDnum", ""),
        get("CallerIDname", ""),
        get("Application", ""),
        get("AppData", ""),
        get("Peer", ""),
        get("AccountCode", ""),
        get("CallerIDdnid", ""),
        get("UserDefType", ""),
        decode_extra(get("Extra", "")),
    )


def _queue_row(event: str, headers: Mapping[str, str], heard_at: Instant) -> QueueRow:
    timestamp = headers.get("Timestamp")
    return QueueRow(
        event,
        read_time(timestamp) if timestamp else heard_at,
        headers["Uniqueid"],
        headers["Queue"],
        headers.get("Interface") or headers.get("MemberName", ""),
        _number(headers.get("Position")),
        _number(headers.get("OriginalPosition")),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
