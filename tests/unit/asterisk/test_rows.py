"""AMI events, cel_custom records and queue_log lines as rows."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.asterisk_time import read_time
from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.cel_csv import cel_row
from gateway.asterisk.queue_log import line_second, queue_row
from gateway.calls.row_json import row_from_json, row_to_json
from gateway.calls.rows import CelRow, ChannelsAlive, ClockStep, Gap, QueueRow, Row, Watermark

HANGUP = {"hangupcause": 16, "hangupsource": "PJSIP/102-0", "dialstatus": "ANSWER"}


def record(**columns: str) -> list[str]:
    fields = {
        "eventtype": "HANGUP", "eventtime": "1795489263.178669", "name": "Bob Brown", "num": "102", "ani": "102",
        "rdnis": "", "dnid": "103", "exten": "103", "context": "from-internal", "channame": "PJSIP/102-0",
        "appname": "Dial", "appdata": "PJSIP/103,5,tTkK", "amaflags": "3", "accountcode": "acme",
        "uniqueid": "1795489263.0", "linkedid": "1795489263.0", "peer": "", "userfield": "", "userdeftype": "",
        "extra": json.dumps(HANGUP, separators=(",", ":")),
    }  # fmt: skip
    return list({**fields, **columns}.values())


def line(**columns: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(record(**columns))
    return text.getvalue().encode()


EXPECTED = CelRow(
    event="HANGUP", at=1795489263178669, channel="PJSIP/102-0", unique_id="1795489263.0", linked_id="1795489263.0",
    exten="103", context="from-internal", caller_number="102", caller_name="Bob Brown", app="Dial",
    app_data="PJSIP/103,5,tTkK", peer="", account_code="acme", dnid="103", user_type="",
    extra={"hangupcause": "16", "hangupsource": "PJSIP/102-0", "dialstatus": "ANSWER"},
)  # fmt: skip


def test_a_record_of_the_stock_layout() -> None:
    assert cel_row(line()) == EXPECTED


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=12), min_size=6))
def test_any_text_in_any_column_is_read_as_a_csv_reader_reads_it(texts: list[str]) -> None:
    row = cel_row(line(name=texts[0], num=texts[1], appdata=texts[2], accountcode=texts[3], peer=texts[4]))
    assert row is not None
    read = (row.caller_name, row.caller_number, row.app_data, row.account_code, row.peer)
    assert read == tuple(texts[:5])
    assert row.extra == EXPECTED.extra


@pytest.mark.parametrize("name", ['O\\"Brien, Zoë; <x>', ",", '","', '"', '""', 'a"', '",', "日本 😀"])
def test_names_that_look_like_csv(name: str) -> None:
    row = cel_row(line(name=name))
    assert row is not None
    assert row.caller_name == name


def test_digits_are_dropped() -> None:
    assert cel_row(line(eventtype="DTMF", userdeftype="Received", extra='{"digit":"1"}')) is None
    assert row_of_event(ami_event(EventName="DTMF", Extra='{"digit":"1"}'), 0) is None


def test_a_user_defined_event_cannot_pose_as_a_real_one() -> None:
    row = cel_row(line(eventtype="HANGUP", userdeftype="HANGUP", extra='{"extra":"x"}'))
    assert row is not None
    assert (row.event, row.user_type, row.extra) == ("USER_DEFINED", "HANGUP", {"extra": "x"})


def test_a_stream_row_keeps_its_event() -> None:
    row = cel_row(line(eventtype="STREAM_BEGIN", userdeftype="FILE_STREAM_BEGIN"))
    assert row is not None
    assert row.event == "STREAM_BEGIN"


@pytest.mark.parametrize("extra", ["", "{", "[]", "7", '{"a":', "null", "[" * 100_000])
def test_an_extra_that_cannot_be_read_is_nothing(extra: str) -> None:
    row = cel_row(line(extra=extra))
    assert row is not None
    assert row.extra == {}


@pytest.mark.parametrize(
    "bad", [b"", b"\xff", b'"HANGUP"', line()[:-30], line() + b',"x"', b'"' + line(), line(eventtime="yesterday"),
            line(uniqueid=""), b"HANGUP,1,2", line(eventtime="999999999999.000000"), line(eventtime="0001-01-01"),
            line(num="1\0002")],
)  # fmt: skip
def test_what_is_no_record_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        cel_row(bad)


@pytest.mark.parametrize("bad", [b"999999999999999|1.1|support|NONE|CONNECT|", b"1795489263|1.1|a\0b|NONE|CONNECT|"])
def test_a_queue_line_that_postgres_could_not_take_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        queue_row(bad)


def test_what_is_no_text_in_an_extra_is_kept_as_it_is_written() -> None:
    row = cel_row(line(extra='{"a":123456789012345678901234567890,"b":[1.50,null],"c":"x","d":NaN}'))
    assert row is not None
    assert row.extra == {"a": "123456789012345678901234567890", "b": "[1.5, null]", "c": "x", "d": "NaN"}


def test_what_postgres_could_not_take_is_no_text_of_an_extra() -> None:
    row = cel_row(line(extra=r'{"a\u0000":"b\u0000\ud800","é":"\ud83d\ude00"}'))
    assert row is not None
    assert row.extra == {"a?": "b??", "é": "😀"}


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_a_row_or_refused(data: bytes) -> None:
    for read in (cel_row, queue_row):
        try:
            read(data)
        except ValueError:
            continue


def test_times() -> None:
    assert read_time("1795489263.178669") == 1795489263178669
    assert read_time("1795489263.5") == 1795489263500000
    assert read_time("1795489263") == 1795489263000000
    assert read_time("2026-11-24T03:41:03.250+00:00") == 1795491663250000


def ami_event(**headers: str) -> dict[str, str]:
    return {
        "Event": "CEL", "Privilege": "call,all", "Timestamp": "1795489263.178669", "EventName": "HANGUP",
        "AccountCode": "acme", "CallerIDnum": "102", "CallerIDname": "Bob Brown", "CallerIDani": "102",
        "CallerIDrdnis": "", "CallerIDdnid": "103", "Exten": "103", "Context": "from-internal",
        "Channel": "PJSIP/102-0", "Application": "Dial", "AppData": "PJSIP/103,5,tTkK",
        "EventTime": "2026-11-24 03:01:03", "AMAFlags": "DOCUMENTATION", "UniqueID": "1795489263.0",
        "LinkedID": "1795489263.0", "Userfield": "", "Peer": "", "PeerAccount": "",
        "Extra": json.dumps(HANGUP), **headers,
    }  # fmt: skip


def test_ami_and_journal_give_the_same_row() -> None:
    assert row_of_event(ami_event(), 0) == EXPECTED


def test_a_cel_event_without_timestamp_has_its_event_time() -> None:
    headers = ami_event()
    del headers["Timestamp"]
    row = row_of_event(headers, 0)
    assert row is not None
    assert row.at % 1_000_000 == 0


def test_ami_names_the_type_of_a_user_defined_event() -> None:
    row = row_of_event(ami_event(EventName="USER_DEFINED", UserDefType="QUEUESTATUS"), 0)
    assert isinstance(row, CelRow)
    assert row.user_type == "QUEUESTATUS"


@pytest.mark.parametrize("missing", ["EventName", "Channel", "UniqueID", "LinkedID"])
def test_an_event_without_what_makes_it_a_row_is_refused(missing: str) -> None:
    headers = ami_event()
    del headers[missing]
    with pytest.raises(KeyError):
        row_of_event(headers, 0)


@pytest.mark.parametrize(
    ("headers", "row"),
    [
        (
            {"Event": "QueueCallerJoin", "Position": "2", "Count": "2"},
            QueueRow("ENTERQUEUE", 7, "1.1", "support", "", 2),
        ),
        (
            {"Event": "QueueCallerAbandon", "Position": "1", "OriginalPosition": "2", "HoldTime": "4"},
            QueueRow("ABANDON", 7, "1.1", "support", "", 1, 2),
        ),
        ({"Event": "QueueCallerLeave", "Position": "1"}, QueueRow("LEAVE", 7, "1.1", "support", "", 1)),
        (
            {"Event": "AgentConnect", "Interface": "PJSIP/102", "MemberName": "Bob", "DestUniqueid": "1.2"},
            QueueRow("CONNECT", 7, "1.1", "support", "PJSIP/102"),
        ),
        ({"Event": "QueueMemberStatus"}, None),
    ],
)  # fmt: skip
def test_queue_events(headers: dict[str, str], row: QueueRow | None) -> None:
    assert row_of_event({"Queue": "support", "Uniqueid": "1.1", **headers}, 7) == row


def at(event: str, **fields: Any) -> QueueRow:
    return QueueRow(event, 1795489263000000, "1.1", "support", **fields)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("1795489263|1.1|support|NONE|ENTERQUEUE||+6129|3", at("ENTERQUEUE", position=3)),
        ("1795489263|1.1|support|NONE|ABANDON|1|2|4", at("ABANDON", position=1, original_position=2)),
        ("1795489263|1.1|support|NONE|EXITWITHTIMEOUT|1|1|12", at("EXITWITHTIMEOUT", position=1, original_position=1)),
        ("1795489263|1.1|support|NONE|EXITWITHKEY|9|1|2|2", at("EXITWITHKEY", position=1, original_position=2)),
        ("1795489263|1.1|support|Bob|CONNECT|2|1.2|2", at("CONNECT", member="Bob")),
        ("1795489263|NONE|NONE|NONE|QUEUESTART|", None),
        ("1795489263|NONE|support|Bob|PAUSE|", None),
        ("1795489263|1.1|support|Bob|SOMETHINGNEW|", None),
    ],
)  # fmt: skip
def test_queue_log_lines(text: str, row: QueueRow | None) -> None:
    assert queue_row(text.encode()) == row
    assert line_second(text.encode()) == 1795489263


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(0, 1 << 53)
rows: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        CelRow, texts, numbers, *([texts] * 13), extra=st.dictionaries(texts, texts, max_size=3)
    ),
    st.builds(QueueRow, texts, numbers, texts, texts, texts, st.none() | numbers, st.none() | numbers),
    st.builds(Gap, numbers),
    st.builds(ChannelsAlive, numbers, numbers, st.frozensets(texts, max_size=3)),
    st.builds(ClockStep, numbers),
    st.builds(Watermark, numbers),
)  # fmt: skip


@given(rows)
def test_a_row_in_the_spool_comes_back_the_same(row: Row) -> None:
    text = row_to_json(row)
    assert "\n" not in text
    assert row_from_json(text.encode()) == row


@pytest.mark.parametrize("bad", [b"", b"{}", b"[]", b'["cel"]', b'["what",1]', b'["gap",1', b'"gap"', b"\x00"])
def test_a_line_that_is_no_row_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        row_from_json(bad)


def test_texts_by_which_something_is_found_are_cut_to_what_can_be_found() -> None:
    long = "9" * 3000
    row = cel_row(line(num=long, name=long, exten=long, linkedid=long, appdata=long))
    assert row is not None
    found_by = (row.caller_number, row.caller_name, row.exten, row.linked_id)
    assert [len(text) for text in found_by] == [255] * 4
    assert (row.app_data, row.extra) == (long, EXPECTED.extra)
    event = {"Event": "CEL", "EventName": "HANGUP", "Timestamp": "1795489263.178669", "Channel": "PJSIP/102-0",
             "UniqueID": "1795489263.0", "LinkedID": "1795489263.0", "CallerIDnum": long, "AppData": long}  # fmt: skip
    heard = row_of_event(event, 0)
    assert isinstance(heard, CelRow)
    assert (len(heard.caller_number), heard.app_data) == (255, long)
    fact = queue_row(f"1795489263|1795489263.0|{long}|NONE|ENTERQUEUE||{long}|1".encode())
    assert fact is not None
    assert len(fact.queue) == 255
