"""Recorded files of a journal and its queue_log, merged."""

import io

from gateway.asterisk.recorded import NamedFile, Recorded
from gateway.calls.rows import CelRow, QueueRow
from tests.unit.asterisk.test_journal import cel, queue


def test_a_fact_of_a_queue_comes_before_the_rows_of_its_second_though_asterisks_clock_was_set_back() -> None:
    rows, facts = (998, 999, 500, 501, 502), (998, 1000, 500, 502)
    files = [
        NamedFile("Master.csv", io.BytesIO(b"".join(map(cel, rows)))),
        NamedFile("queue_log", io.BytesIO(b"".join(map(queue, facts)))),
    ]
    order = [
        (type(row), int(row.unique_id.rpartition(".")[2]))
        for row in Recorded(lambda _: None).journal(files[:1], files[1:])
    ]
    assert order == [
        (QueueRow, 998), (CelRow, 998), (CelRow, 999), (QueueRow, 1000),
        (QueueRow, 500), (CelRow, 500), (CelRow, 501), (QueueRow, 502), (CelRow, 502),
    ]  # fmt: skip
