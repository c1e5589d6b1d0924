"""The rows that were read before, where a source's place does not tell which: they are not to count twice.

A journal that is set later holds those that AMI told, and the reverse; and one whose file is gone to which it was read
goes on in the others from their beginning.
"""

from dataclasses import replace

from gateway.asterisk.source import Batch
from gateway.calls.rows import CelRow, Gap, Instant, Row
from gateway.store import raw_rows
from gateway.store.connection import Connection

Key = tuple[str, Instant, str]


class ToldBefore:
    """What was stored of the node until now, as far as it tells which rows are new.

    Rows come only nearly in order of their times: those of the last second are looked up one by one, as reading may
    have ended before a row that is a little older than the last. But facts of queues, of which each source has times
    of its own, are told by their time alone.
    """

    def __init__(self, until: Instant, lately: frozenset[Key]) -> None:
        self.until = until
        self._lately = lately
        self.is_over = False

    def without(self, batch: Batch) -> Batch:
        """The batch with its new rows alone; `is_over` once none that was told can come any more."""
        self.is_over = batch.at_end or any(
            isinstance(row, CelRow) and row.at > self.until + raw_rows.LATELY for row in batch.rows
        )
        # What was lost is known only now, and bears the gateway's time, which may be behind Asterisk's.
        return replace(
            batch,
            rows=[row for row in batch.rows if self._is_new(row) or (batch.lost and isinstance(row, Gap))],
        )

    def _is_new(self, row: Row) -> bool:
        if row.at > self.until:
            return True
        return isinstance(row, CelRow) and row.at >= self.until - raw_rows.LATELY and _key(row) not in self._lately


async def told_before(connection: Connection, node: str) -> ToldBefore | None:
    """None where nothing is stored of the node."""
    until = await raw_rows.youngest(connection, node)
    if until is None:
        return None
    return ToldBefore(until, frozenset(map(_key, await raw_rows.lately(connection, node, until))))


def _key(row: CelRow) -> Key:
    return row.event, row.at, row.unique_id
