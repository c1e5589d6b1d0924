"""Reading the event log: dense sequences per account. Ingest alone writes it, in the transaction of the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.store.connection import Pool


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as it was told. `data` is JSON text, as the fold wrote it."""

    account: str
    sequence: int
    id: str
    type: str
    occurred_at: datetime
    data: str


async def after(pool: Pool, account: str, sequence: int, limit: int, types: Sequence[str] = ()) -> list[LoggedEvent]:
    """Up to `limit` events that come after `sequence`, in order; of `types` only, where any are named."""
    records = await pool.fetch(
        """
        select account_id, sequence, id, type, occurred_at, data
        from events
        where account_id = $1 and sequence > $2 and ($4::text[] = '{}' or type = any($4::text[]))
        order by sequence
        limit $3
        """,
        account,
        sequence,
        limit,
        list(types),
    )
    return [LoggedEvent(*record.values()) for record in records]
