"""`gateway replay`: every recording as the fold tells it, and whatever else may stand in a file."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.calls.compact_json import compact
from gateway.calls.document import call_document
from gateway.calls.rows import ChannelsAlive
from gateway.cli.app import app
from gateway.directory_file import read
from tests.lab.recordings import DIRECTORIES, PROJECT, RECORDINGS, SOURCES, Recording

ACCOUNTS = [word for directory in DIRECTORIES for word in ("--directory", str(directory))]
BY_NAME = {recording.name: recording for recording in RECORDINGS}
ANSWERED = BY_NAME["demo/inbound_callee_ends"]


@dataclass(frozen=True)
class Replayed:
    status: int
    output: str
    errors: str

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]


class OfItsStream(Recording):
    """As one folds it who has the stream alone: no database knows what was placed, no Asterisk what lives."""

    @property
    def placed(self) -> None:
        return None


class Replay:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Replayed:
        status = app(["replay", *ACCOUNTS, *map(str, arguments)], standalone_mode=False)
        told = self._capsys.readouterr()
        return Replayed(status or 0, told.out, told.err)


read_once = cache(read)


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Replay:
    monkeypatch.setattr("gateway.cli.replay.read", read_once)
    return Replay(capsys)


def files(recording: Recording, source: str) -> list[str | Path]:
    if source == "ami":
        return ["--cel", recording.place / "ami.jsonl"]
    return ["--cel", recording.place / "journal.csv", "--queue-log", recording.place / "queue_log"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
async def test_a_recording_is_told_as_the_fold_tells_it(recording: Recording, source: str, replay: Replay) -> None:
    rows = [row for row in await recording.rows(source) if not isinstance(row, ChannelsAlive)]
    records = OfItsStream(recording.place).fold(rows)
    told = replay(*files(recording, source), "--node", "pbx1")
    assert told.calls == [json.loads(compact({"account": one.account} | call_document(one))) for one in records]
    assert told.status == 0


@pytest.mark.parametrize("source", SOURCES)
def test_the_events_tell_of_a_beginning_and_an_end(source: str, replay: Replay) -> None:
    events = replay(*files(ANSWERED, source), "--events").calls
    [call] = replay(*files(ANSWERED, source)).calls
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("call.started", "call.ended")
    assert {"account": events[-1]["account"]} | events[-1]["data"] == call


def test_calls_are_told_in_the_order_of_their_start(tmp_path: Path, replay: Replay) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    text = (ANSWERED.place / "journal.csv").read_text()
    for file, minutes in ((one, 0), (two, 10), (three, 20)):
        file.write_text(_minutes_later(text, minutes))
    calls = replay("--cel", two, "--cel", three, "--cel", one).calls
    assert calls == replay("--cel", one, "--cel", two, "--cel", three).calls
    assert len({call["id"] for call in calls}) == 3
    assert [call["started_at"] for call in calls] == sorted(call["started_at"] for call in calls)


def test_a_call_whose_end_is_not_in_the_file_is_told_as_it_stands(tmp_path: Path, replay: Replay) -> None:
    lines = (ANSWERED.place / "journal.csv").read_text().splitlines(keepends=True)
    half = tmp_path / "half.csv"
    half.write_text("".join(line for line in lines if not line.startswith(('"HANGUP"', '"CHAN_END"', '"LINKEDID'))))
    told = replay("--cel", half)
    [call] = told.calls
    assert (call["state"], call["settled"], call["ended_at"]) == ("in_progress", False, None)
    assert told.status == 0


@pytest.mark.parametrize("source", ["journal.csv", "ami.jsonl"])
def test_a_last_line_cut_short_anywhere_is_no_error(source: str, tmp_path: Path, replay: Replay) -> None:
    whole = (ANSWERED.place / source).read_bytes()
    last = len(whole.rstrip(b"\n").rpartition(b"\n")[0]) + 1
    cut = tmp_path / source
    for end in range(last + 1, len(whole) - 1, 3):
        cut.write_bytes(whole[:end])
        told = replay("--cel", cut)
        assert told.status == 0, (end, told)
        assert [call["id"] for call in told.calls] == [call["id"] for call in replay("--cel", cut).calls]
        assert told.errors == f"gateway: {cut}: the last line is cut short; it is left out\n"
    cut.write_bytes(whole[:-1])
    assert replay("--cel", cut).calls == replay("--cel", ANSWERED.place / source).calls


@pytest.mark.parametrize(
    ("source", "wrong", "fault"),
    [
        ("journal.csv", b"what is this\n", "not a record of the stock layout"),
        ("journal.csv", b'"CHAN_START","1795555090.9","an open quote\n', "a quote is opened and not closed"),
        ("journal.csv", b"x" * 70_000 + b"\n", "is longer than 65536 bytes"),
        ("journal.csv", b"\xff\xfe\0\0\x80\n", "not a record of the stock layout"),
        ("ami.jsonl", b"what is this\n", "not JSON"),
        ("ami.jsonl", b"[1, 2]\n", "not a JSON object"),
        ("ami.jsonl", b'{"Response": "Success"}\n', "the event has no Event"),
        ("ami.jsonl", b'{"Event": "CEL", "EventName": "HANGUP"}\n', "the event has no EventTime"),
        ("ami.jsonl", b"[" * 60_000 + b"\n", "not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_told_of_and_costs_nothing(
    source: str, wrong: bytes, fault: str, tmp_path: Path, replay: Replay
) -> None:
    lines = (ANSWERED.place / source).read_bytes().splitlines(keepends=True)
    damaged = tmp_path / source
    damaged.write_bytes(b"".join([*lines[:3], wrong, *lines[3:]]))
    told = replay("--cel", damaged)
    assert told.calls == replay("--cel", ANSWERED.place / source).calls
    assert told.status == 0
    first, count = told.errors.splitlines()
    assert first.startswith(f"gateway: {damaged}: line 4: {fault}")
    assert count == "gateway: 1 line could not be read"


def test_of_many_faults_the_first_are_shown_and_all_are_counted(tmp_path: Path, replay: Replay) -> None:
    damaged = tmp_path / "journal.csv"
    damaged.write_text("nonsense\n" * 500 + (ANSWERED.place / "journal.csv").read_text())
    told = replay("--cel", damaged)
    assert len(told.calls) == 1
    assert len(told.errors.splitlines()) == 22
    assert told.errors.endswith("gateway: … and more such lines\ngateway: 500 lines could not be read\n")


@pytest.mark.parametrize("content", ["hello\nworld\n", "{}\n", '{"Event":\n', '"only","two"\n', "{"])
def test_a_file_of_which_nothing_can_be_read_is_a_failure(content: str, tmp_path: Path, replay: Replay) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text(content)
    told = replay("--cel", wrong)
    assert (told.status, told.output) == (1, "")
    assert told.errors.splitlines()[-1] == "gateway: nothing could be read: is the --format right?"


def test_an_empty_file_holds_no_calls(tmp_path: Path, replay: Replay) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert replay("--cel", empty) == Replayed(0, "", "gateway: there was nothing to read\n")


def test_calls_of_nobody_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("account: other\nname: Other\ntime_zone: UTC\ncountry: AU\n")
    cel = str(ANSWERED.place / "journal.csv")
    assert not app(["replay", "--directory", str(other), "--cel", cel], standalone_mode=False)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "gateway: 1 call belongs to no account\n")


@pytest.mark.parametrize(
    ("arguments", "status", "fault"),
    [
        (["--cel", "nowhere.csv"], 1, "nowhere.csv: No such file or directory"),
        (["--cel", "-", "--queue-log", "-"], 2, "standard input (-) can be one file only"),
        (["--cel", str(ANSWERED.place / "journal.csv"), "--node", "pbx9"], 2, "--node: the directories are of pbx1"),
        (["--cel", "x", "--directory", str(DIRECTORIES[0])], 2, "--directory: two of the files are of one account"),
        (["--cel", "x", "--directory", "nowhere.yaml"], 1, "nowhere.yaml: No such file or directory"),
        (
            ["--cel", str(ANSWERED.place / "ami.jsonl"), "--queue-log", str(ANSWERED.place / "queue_log")],
            2,
            "--queue-log goes with a journal",
        ),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], status: int, fault: str, replay: Replay) -> None:
    told = replay(*arguments)
    assert (told.status, told.output) == (status, "")
    assert told.errors.startswith(f"gateway: {fault}")
    assert told.errors.count("\n") == 1


def test_what_a_terminal_does_not_take_is_replaced(tmp_path: Path, replay: Replay) -> None:
    events = [json.loads(line) for line in (ANSWERED.place / "ami.jsonl").read_text().splitlines()]
    for event in events:
        event["CallerIDname"] = "\ud800Zoë\0"
    strange = tmp_path / "ami.jsonl"
    strange.write_text("".join(json.dumps(event) + "\n" for event in events))
    [call] = replay("--cel", strange).calls
    assert call["caller"]["name"] == "�Zoë�"


def test_a_call_is_told_before_the_input_ends_and_whoever_has_seen_enough_may_leave() -> None:
    text = (ANSWERED.place / "journal.csv").read_text()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "replay", *ACCOUNTS, "--cel", "-"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    endless = (_minutes_later(text, number).encode() for number in count())
    with ThreadPoolExecutor() as threads:
        writing = threads.submit(process.stdin.writelines, endless)
        assert json.loads(process.stdout.readline())["settled"]
        process.stdout.close()
        with pytest.raises(BrokenPipeError):
            writing.result(60)
    assert process.wait(20) == 1
    assert process.stderr.read() == b""


def _minutes_later(journal: str, minutes: int) -> str:
    """The same call at another time, under other ids."""
    return re.sub(r'"(\d{10})\.', lambda second: f'"{int(second[1]) + 60 * minutes}.', journal)
