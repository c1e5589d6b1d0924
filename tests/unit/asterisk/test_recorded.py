"""Recorded files of a journal and its queue_log, merged."""

import io
from collections.abc import Sequence

from gateway.asterisk.recorded import NamedFile, Recorded
from gateway.calls.rows import CelRow, QueueRow
from tests.unit.asterisk.test_journal import cel, queue


def order_of(rows: Sequence[int], facts: Sequence[int]) -> list[tuple[type[CelRow] | type[QueueRow], int]]:
    files = [
        NamedFile("Master.csv", io.BytesIO(b"".join(map(cel, rows)))),
        NamedFile("queue_log", io.BytesIO(b"".join(map(queue, facts)))),
    ]
    return [
        (type(row), int(row.unique_id.rpartition(".")[2]))
        for row in Recorded(lambda _: None).journal(files[:1], files[1:])
    ]


def test_a_step_that_the_facts_do_not_show_brings_none_of_them_forward() -> None:
    order = order_of([1000, 997, 2000, 3000], [900, 1500, 2500, 2900])
    assert order == [
        (QueueRow, 900), (CelRow, 1000), (CelRow, 997), (QueueRow, 1500), (CelRow, 2000),
        (QueueRow, 2500), (QueueRow, 2900), (CelRow, 3000),
    ]  # fmt: skip


def test_a_fact_of_a_queue_comes_before_the_rows_of_its_second_though_asterisks_clock_was_set_back() -> None:
    order = order_of((998, 999, 500, 501, 502), (998, 1000, 500, 502))
    assert order == [
        (QueueRow, 998), (CelRow, 998), (CelRow, 999), (QueueRow, 1000),
        (QueueRow, 500), (CelRow, 500), (CelRow, 501), (QueueRow, 502), (CelRow, 502),
    ]  # fmt: skip
