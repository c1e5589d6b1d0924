"""Lines of cdr_csv, and their local times."""

from zoneinfo import ZoneInfo

import pytest

from gateway.asterisk.cdr_csv import cdr_fields, cdr_row, fits, offset_seconds
from gateway.calls.instant import to_text

SYDNEY = ZoneInfo("Australia/Sydney")
LINE = (
    '"","+61411000999","101","from-internal","""Zoë ""Z"" Q"" <+61411000999>","PJSIP/trunk-1","PJSIP/101-desk-2",'
    '"Dial","PJSIP/101-desk&PJSIP/101-mobile,3,tTkK",{start},{answer},{end},{duration},{billable},"ANSWERED",'
    '"DOCUMENTATION","{unique_id}",""'
)


def line(start: str, answer: str, end: str, duration: int, billable: int, unique_id: str) -> bytes:
    quoted = {"start": f'"{start}"', "answer": f'"{answer}"' if answer else "", "end": f'"{end}"'}
    return LINE.format(**quoted, duration=duration, billable=billable, unique_id=unique_id).encode()


def test_a_line_is_read() -> None:
    text = line("2026-11-25 08:18:10", "2026-11-25 08:18:12", "2026-11-25 08:18:15", 5, 3, "pbx-1795555090.3")
    row = cdr_row(cdr_fields(text), SYDNEY)
    assert (row.src, row.dst, row.dst_channel) == ("+61411000999", "101", "PJSIP/101-desk-2")
    assert row.caller_name == 'Zoë "Z" Q'
    assert to_text(row.started_at) == "2026-11-24T21:18:10.000Z"
    assert row.answered_at == row.started_at + 2_000_000
    assert row.ended_at == row.started_at + 5_000_000
    assert (row.answered, row.linked_id) == (True, "")


def test_with_the_newer_columns_there_is_a_linked_id() -> None:
    text = line("2026-11-25 08:18:10", "", "2026-11-25 08:18:15", 5, 0, "1795555090.3") + b',"","1795555090.1",7'
    row = cdr_row(cdr_fields(text), SYDNEY)
    assert (row.linked_id, row.answered_at) == ("1795555090.1", None)


def test_of_two_hours_with_one_name_the_channel_tells_which() -> None:
    """Sydney's clocks go from 03:00 back to 02:00 on 5 April 2026, at 16:00 UTC."""
    first, second = 1_775_316_600, 1_775_320_200
    for made, expected in ((first, "2026-04-04T15:30:00.000Z"), (second, "2026-04-04T16:30:00.000Z")):
        text = line("2026-04-05 02:30:00", "", "2026-04-05 02:30:09", 9, 0, f"{made}.3")
        assert to_text(cdr_row(cdr_fields(text), SYDNEY).started_at) == expected


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        ("2026-04-05 02:59:00", "2026-04-05 02:04:00", 300),
        ("2026-10-04 01:59:00", "2026-10-04 03:04:00", 300),
    ],
)
def test_a_call_over_the_change_of_the_clocks_lasts_as_long_as_it_lasted(start: str, end: str, duration: int) -> None:
    row = cdr_row(cdr_fields(line(start, "", end, duration, 0, "chosen")), SYDNEY)
    assert row.ended_at - row.started_at == duration * 1_000_000


def test_ids_tell_whether_a_time_zone_is_the_right_one() -> None:
    fields = cdr_fields(line("2026-11-25 08:18:10", "", "2026-11-25 08:18:15", 5, 0, "1795555090.3"))
    assert offset_seconds(fields, SYDNEY) == 0
    assert offset_seconds(fields, ZoneInfo("UTC")) == 11 * 3600
    assert not fits(11 * 3600)
    fields[16] = "01a20f83-abf3-7261-bb5e-184b416b0bd4"
    assert offset_seconds(fields, SYDNEY) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b'"a","b"',
        b'"open',
        line("yesterday", "", "today", 5, 0, "1.2"),
        line("2026-11-25 08:18:10+11:00", "", "2026-11-25 08:18:15", 5, 0, "1.2"),
        line("2026-11-25 08:18:10", "", "2026-11-25 08:18:15", 5, 0, ""),
        line("2026-11-25 08:18:10", "", "2026-11-25 08:18:15", 5, 0, "1.2").replace(b"ANSWERED", b"WELL"),
        line("2026-11-25 08:18:10", "", "2026-11-25 08:18:15", 5, 0, "1.2").rpartition(b',"1.2"')[0],
    ],
)
def test_what_is_no_cdr(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        cdr_fields(text)
