from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.errors import FrameTooLong, UnsafeValue
from gateway.asterisk.frames import FrameSplitter, check_header, event_name, parse

STREAM = (
    "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\n\r\n"
    "Event: TestEvent\r\nState: PLAYBACK\r\n\r\n\r\n"
    "Event: CEL\r\nCallerIDname: Zoë 日本\r\nExtra: \r\n\r\n"
).encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cutting_of_the_stream_gives_the_same_frames(cuts: list[int]) -> None:
    splitter = FrameSplitter()
    edges = [0, *sorted(cuts), len(STREAM)]
    frames = [f for a, b in pairwise(edges) for f in splitter.feed(STREAM[a:b])]
    assert [parse(frame).headers for frame in frames] == [
        {"Response": "Success", "ActionID": "1"},
        {"Event": "TestEvent", "State": "PLAYBACK"},
        {"Event": "CEL", "CallerIDname": "Zoë 日本", "Extra": ""},
    ]


def test_nul_is_no_part_of_a_value() -> None:
    assert parse(b"Event: CEL\r\nCallerIDname: a\0b").headers["CallerIDname"] == "a?b"


def test_a_frame_without_end_is_bounded() -> None:
    splitter = FrameSplitter(max_frame_bytes=100)
    assert splitter.feed(b"x" * 100) == []
    with pytest.raises(FrameTooLong):
        splitter.feed(b"x")


def test_headers_that_come_twice_keep_all_their_values() -> None:
    frame = parse(b"Event: X\r\nChanVariable: a=1\r\nChanVariable: b=2\r\nChanVariable: c=3")
    assert frame.headers["ChanVariable"] == "a=1"
    assert frame.repeated == {"ChanVariable": ("a=1", "b=2", "c=3")}


def test_a_value_keeps_colons_and_a_lone_line_feed() -> None:
    assert parse(b"AppData: a: b\nc\r\nEmpty:\r\n").headers == {"AppData": "a: b\nc", "Empty": ""}


@given(st.lists(st.text("ab: \n", max_size=6), min_size=1, max_size=5))
def test_any_lines_are_read_up_to_their_first_colon(lines: list[str]) -> None:
    expected: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            expected.setdefault(name, []).append(value.removeprefix(" "))
    frame = parse("\r\n".join(lines).encode())
    assert frame.headers == {name: values[0] for name, values in expected.items()}
    assert frame.repeated == {name: tuple(values) for name, values in expected.items() if len(values) > 1}


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert parse(b"Name: a\xffb").headers == {"Name": "a\ufffdb"}


def test_the_event_name_is_told_without_decoding() -> None:
    assert event_name(b"Event: CEL\r\nX: \xff") == b"CEL"
    assert event_name(b"Event: CEL") == b"CEL"
    assert event_name(b"Response: Success") is None


@given(st.text(), st.text())
def test_what_is_let_through_is_one_header_on_the_wire(name: str, value: str) -> None:
    try:
        check_header(name, value)
    except UnsafeValue:
        return
    splitter = FrameSplitter()
    frames = splitter.feed(f"Action: X\r\n{name}: {value}\r\n\r\n".encode())
    assert len(frames) == 1
    assert frames[0].count(b"\r\n") == 1
