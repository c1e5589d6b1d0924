"""The rows that were read before, where a source's place does not tell which: they are not to count twice.

A journal that is set later holds those that AMI told, and the reverse; and one whose file is gone to which it was read
goes on in the others from their beginning.

All sources tell of channels in one order, that in which Asterisk raised the events. So what comes after the row that
was stored last is new, whatever its time: Asterisk's clock may have been set. Where that row is not found, the new
begins with the first one that is not stored, and of its time or younger.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from gateway.asterisk.source import Batch
from gateway.calls.row_json import kind_of
from gateway.calls.rows import CelRow, Gap, Instant, QueueRow, Row, Watermark
from gateway.store import raw_rows
from gateway.store.connection import Connection

SAME_ROW = 250_000
"""Microseconds between two sources' times of one row of a channel: AMI's is that of telling, a little later."""

ONCE = frozenset({"CHAN_START", "HANGUP", "CHAN_END", "LINKEDID_END"})
"""Events of which a channel has one."""

SAME_ONCE = 10_000_000
"""As SAME_ROW, of these: AMI may be late, or tell whole seconds (without `timestampevents`)."""

SAME_FACT = 2_000_000
"""Microseconds between two sources' times of one fact of a queue: queue_log's are whole seconds, AMI's are not."""


class ToldBefore:
    """For one reading of one source, from its beginning. `looks`: whether the row that was stored last may be in it.

    `begins_again`: it was not; the source is to be read from its beginning once more. `is_over`: none that was told
    can come any more.
    """

    def __init__(
        self,
        connection: Connection,
        node: str,
        last: CelRow | None,
        last_at: Instant,
        youngest: Instant,
        begin: Instant,
        *,
        looks: bool,
    ) -> None:
        """`last`: stored last, of all of channels, if it is kept; `youngest`: the greatest of their times.

        `begin`: a row of a channel that is not stored, and not older, is the first new one.
        """
        self.last_at = last_at
        self._last = last
        self.is_over = self.begins_again = False
        self._connection = connection
        self._node = node
        self._youngest = youngest
        self._begin = begin
        self._looks = looks
        self._since = last_at
        """The oldest of the new rows of channels."""

        self._found = self._reached = False
        self._met: set[int] = set()
        """The sequences of stored rows that were given again."""

    async def without(self, batch: Batch) -> Batch:
        """The batch with its new rows alone."""
        self.begins_again = False
        if self._looks and not self._found:
            at = None if self._last is None else _place_of(self._last, batch.rows)
            self._found = at is not None
            if at is not None:
                new = batch.rows[at + 1 :]
            else:
                self.begins_again, self._looks = batch.at_end, not batch.at_end
                # What is lost just now, and what queue_log tells of later, is not told by any row here.
                new = [row for row in batch.rows if batch.lost and isinstance(row, Gap)]
        elif self._found:
            new = batch.rows
        else:
            new = await self._unstored(batch.rows)
        new = [row for row in new if not isinstance(row, QueueRow)]
        times = [row.at for row in new if isinstance(row, CelRow)]
        facts = [row for row in batch.rows if isinstance(row, QueueRow)]
        self._since = min([self._since, *times])
        wanted = {id(row) for row in [*new, *await self._new_facts(facts, self._since)]}
        self.is_over = (batch.at_end and not self.begins_again) or (
            max(times, default=0) > self._youngest + SAME_FACT and min(times) > self.last_at - SAME_FACT
        )
        return replace(batch, rows=[row for row in batch.rows if id(row) in wanted])

    async def _unstored(self, rows: Sequence[Row]) -> list[Row]:
        noted = await raw_rows.noted(
            self._connection, self._node, [row.at for row in rows if not isinstance(row, CelRow | QueueRow)]
        )
        of_channels = [row for row in rows if isinstance(row, CelRow)]
        candidates = of_channels if self._reached or any(row.at >= self._begin for row in of_channels) else []
        linked_ids = {row.linked_id for row in candidates}
        stored = defaultdict[tuple[str, str], list[raw_rows.StoredRow]](list)
        for one in await raw_rows.of_calls(self._connection, self._node, linked_ids):
            if one.seq not in self._met:
                stored[one.event, one.unique_id].append(one)
        new: list[Row] = []
        for row in rows:
            if isinstance(row, CelRow):
                same = stored[row.event, row.unique_id]
                nearest = min(same, key=lambda one: abs(one.at - row.at), default=None)
                if nearest is not None and abs(nearest.at - row.at) < SAME_ROW:
                    same.remove(nearest)
                    self._met.add(nearest.seq)
                    continue
                self._reached |= row.at >= self._begin
                if not self._reached:
                    continue
            elif isinstance(row, Watermark):
                # It is told often, and stored where anything came of it.
                if not self._reached:
                    continue
            elif (kind_of(row), row.at) in noted:
                continue
            new.append(row)
        return new

    async def _new_facts(self, facts: Sequence[QueueRow], since: Instant) -> list[QueueRow]:
        """`queue_log` is read beside the journal, each in an order of its own."""
        recent = [row for row in facts if row.at > since - SAME_FACT]
        stored = await raw_rows.stored_facts(self._connection, self._node, {row.unique_id for row in recent})
        return [
            row
            for row in recent
            if not any(
                (one.event, one.unique_id, one.queue) == (row.event, row.unique_id, row.queue)
                and abs(one.at - row.at) < SAME_FACT
                for one in stored
            )
        ]


def _place_of(last: CelRow, rows: Sequence[Row]) -> int | None:
    """Where it is among these: a channel may have several of an event, of which the nearest counts."""
    places = [
        (abs(row.at - last.at), place)
        for place, row in enumerate(rows)
        if isinstance(row, CelRow) and (row.event, row.unique_id) == (last.event, last.unique_id)
    ]
    within = SAME_ONCE if last.event in ONCE else SAME_ROW
    return min((place for place in places if place[0] < within), default=(0, None))[1]


async def told_before(
    connection: Connection, node: str, *, looks: bool = False, all_was_read: bool = False
) -> ToldBefore | None:
    """None where nothing was ever stored of the node's channels.

    `all_was_read`: the source is the one that was read before, and tells of all: what is not stored is new, but for
    what was before the first that is; else but for what was before the last.
    """
    at = await raw_rows.last_at(connection, node)
    if at is None:
        return None
    last = await raw_rows.last_of_channel(connection, node, at)
    eldest = await raw_rows.eldest(connection, node) if all_was_read else None
    begin = at - raw_rows.LATELY if eldest is None else eldest + raw_rows.LATELY
    if last is None:
        # It is kept no more: nothing shows what else was stored about its time.
        begin = at + SAME_ROW
    youngest = await raw_rows.youngest(connection, node) or at
    return ToldBefore(connection, node, last, at, youngest, begin, looks=looks)
