"""The JSON of an event, the same in the event log's API and in a webhook's body."""

import json
from datetime import datetime
from typing import Protocol

from gateway.calls.instant import datetime_text


class Told(Protocol):
    """What the envelope needs of an event. `data` is JSON text."""

    @property
    def sequence(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def account(self) -> str: ...
    @property
    def data(self) -> str: ...


def event_text(event_id: str, event: Told) -> str:
    """`{"id", "sequence", "type", "occurred_at", "account", "data"}`; the data leaves as the fold wrote it."""
    head = {
        "id": event_id,
        "sequence": event.sequence,
        "type": event.type,
        "occurred_at": datetime_text(event.occurred_at),
        "account": event.account,
    }
    return json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"data":' + event.data + "}"
