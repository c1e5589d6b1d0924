"""What a node's writer tells of itself."""

from dataclasses import dataclass
from datetime import datetime

from gateway.calls.rows import Instant


@dataclass(slots=True)
class Progress:
    """What `/v1/status` tells of this writer. `read_until`: by the youngest row that was committed.

    `unread_bytes`: about how much of the source is still to be read; 0 once it has caught up. `unowned_calls`: of
    the node, all that ended without an account. `refused`: rows and calls that Postgres did not take since this
    writer started; the log says which, and `gateway audit` shows them.
    """

    running: bool = False
    caught_up: bool = False
    read_until: Instant | None = None
    unread_bytes: int = 0
    rows: int = 0
    open_calls: int = 0
    unowned_calls: int = 0
    refused: int = 0
    last_commit_at: datetime | None = None
    last_error: str | None = None
