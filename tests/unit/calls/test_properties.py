"""What holds for every call, whole or damaged, recorded or made up.

The damage is exhaustive: every row of every recording, in both its forms, is left out, told twice,
swapped, corrupted in turn. Batches, pairs of calls, generated calls and rubbish are hypothesis',
the same on every run. What was folded is counted, and the counts are the last line of the module.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from _pytest.mark import ParameterSet
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.asterisk import frames
from gateway.asterisk.cel_ami import row_of_event
from gateway.asterisk.cel_csv import cel_row
from gateway.calls.document import call_document
from gateway.calls.fold import Fold
from gateway.calls.origination import Origination
from gateway.calls.row_json import row_from_json, row_to_json
from gateway.calls.rows import CelRow, Row
from tests.lab.recordings import RECORDINGS, SOURCES, Recording
from tests.unit.calls.damage import KINDS, OTHER, Scene, events_of, renamed, renamed_id, shifted, start_of
from tests.unit.calls.generated import START, Generated, generated_calls, in_one_file, played, riffled, rubbish
from tests.unit.calls.quick import demo_fold, plain_call
from tests.unit.calls.telling import Told, faults_of_any, overlaps, sum_faults, tell
from tests.unit.calls.trials import Court, Trial, rows_of, trials

CI = settings(derandomize=True, database=None, deadline=None, print_blob=False, phases=(Phase.generate, Phase.shrink))
FEW, SOME, MANY = (settings(CI, max_examples=count, suppress_health_check=list(HealthCheck)) for count in (5, 60, 200))

ON_GENERATED = ("dropped", "doubled", "swapped", "wandering")
COUNTED: Counter[str] = Counter()
TIMES = frozenset(("started_at", "answered_at", "ended_at"))
DURATIONS = frozenset(("duration", "ring_duration", "talk_duration", "wait_duration"))
MOST_LATE = 0.05
"""Seconds by which AMI may tell of a row later than the journal, with what it delays."""


@pytest.fixture(scope="module", autouse=True)
def _counts(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    COUNTED["recordings"] = len(RECORDINGS)
    COUNTED["properties"] = len({name for name in globals() if name.startswith("test_")})
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        print(f"\nfold properties: {json.dumps(dict(sorted(COUNTED.items())))}")


@pytest.fixture(scope="module")
def court(request: pytest.FixtureRequest) -> Iterator[Court]:
    """Tries what the chosen tests will ask for."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    court = Court(spec.params["trial"] for spec in params if spec and "trial" in spec.params)
    yield court
    court.close()


def _recorded() -> pytest.MarkDecorator:
    """Every recording in both forms."""
    forms = [(recording, source) for recording in RECORDINGS for source in SOURCES]
    return pytest.mark.parametrize(("recording", "source"), [_param(*form, form) for form in forms])


def _tried(kind: str) -> pytest.MarkDecorator:
    """Every recording, damaged in this way."""
    return pytest.mark.parametrize("trial", [_param(one.recording, one.source, [one]) for one in trials(kind)])


def _param(recording: Recording, source: str, values: Sequence[object]) -> ParameterSet:
    return pytest.param(*values, id=f"{recording.name}-{source}")


def _holds(court: Court, trial: Trial) -> None:
    outcome = court.outcome(trial)
    COUNTED[f"{trial.kind} folded"] += outcome.folded
    COUNTED["damaged variants folded"] += outcome.folded
    assert not outcome.faulty, f"{outcome.faulty} of {outcome.folded}:\n" + "\n".join(outcome.faults)


def _none(faults: Iterable[str]) -> None:
    found = list(faults)
    assert not found, f"{len(found)} faults:\n" + "\n".join(found[:20])


# ── whole recordings ────────────────────────────────────────────────────────


@_recorded()
def test_any_batching_gives_the_same_bytes(recording: Recording, source: str) -> None:
    rows = rows_of(recording, source)
    at_once = tell(recording.new_fold(start_of(rows)), rows)

    @settings(FEW)
    @given(st.lists(st.integers(0, len(rows)), max_size=6))
    def batched(cuts: list[int]) -> None:
        _same(tell(recording.new_fold(start_of(rows)), rows, cuts), at_once)

    _same(tell(recording.new_fold(start_of(rows)), rows, range(1, len(rows))), at_once)
    batched()
    COUNTED["examples"] += FEW.max_examples
    COUNTED["batchings folded"] += FEW.max_examples + 1


def _same(told: Told, other: Told) -> None:
    assert told.texts() == other.texts()
    assert told.events == other.events
    assert told.merged == other.merged
    assert sorted(told.closed) == sorted(other.closed)


@pytest.mark.parametrize("recording", [_param(one, "both", [one]) for one in RECORDINGS])
def test_spool_and_journal_tell_the_same_but_for_times(recording: Recording) -> None:
    ami, journal = (recording.fold(rows_of(recording, form)) for form in ("ami", "journal"))
    if any(one.visits_over_ami is not None for one in recording.expected):
        # AMI does not say why this caller left a queue, and the dialplan is silent.
        assert [record.id for record in ami] == [record.id for record in journal]
        return
    assert [_timeless(call_document(one)) for one in ami] == [_timeless(call_document(one)) for one in journal]
    for one, other in zip(ami, journal, strict=True):
        for name in ("started_at", "ended_at"):
            assert abs(getattr(one, name) - getattr(other, name)) < MOST_LATE * 1e6


def _timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [_timeless(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item is not None if name in TIMES else 0 if name in DURATIONS else _timeless(item)
        for name, item in value.items()
    }


@_recorded()
def test_sums_hold_and_a_life_has_one_end(recording: Recording, source: str) -> None:
    rows = rows_of(recording, source)
    told = tell(recording.new_fold(start_of(rows)), rows, range(1, len(rows)))
    _none(faults_of_any(told))


@_recorded()
def test_nobody_talks_in_two_segments_at_once(recording: Recording, source: str) -> None:
    _none(chain(*map(overlaps, recording.fold(rows_of(recording, source)))))


@_recorded()
def test_every_prefix_folds(recording: Recording, source: str) -> None:
    """Draining after each row shows each prefix: that it is the same as a prefix alone, batching says."""
    rows = rows_of(recording, source)
    fold = recording.new_fold(start_of(rows))
    wrong: list[str] = []
    for row in rows:
        told = tell(fold, [row])
        wrong += chain(*map(sum_faults, told.records.values()))
        assert told.texts().keys() == told.records.keys()
    COUNTED["prefixes folded"] += len(rows)
    _none(wrong)


# ── damage ──────────────────────────────────────────────────────────────────


@_tried("suffixes")
def test_every_suffix_folds_and_says_that_it_is_not_complete(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("dropped")
def test_a_lost_row_changes_nothing_or_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("doubled")
def test_a_row_told_twice_changes_nothing_or_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("swapped")
def test_swapped_neighbours_change_nothing_or_it_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("extra")
def test_an_unreadable_extra_changes_nothing_or_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("wandering")
def test_a_linked_id_that_changes_unsaid_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("early")
def test_a_linked_id_that_ends_early_changes_nothing_or_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("strange")
def test_unknown_events_change_nothing(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("killed")
def test_asterisk_killed_leaves_no_call_open_and_none_complete(court: Court, trial: Trial) -> None:
    _holds(court, trial)


@_tried("unheard")
def test_a_gap_leaves_no_call_open_and_is_said(court: Court, trial: Trial) -> None:
    _holds(court, trial)


# ── two calls in one file ───────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
def test_two_calls_in_one_file_come_out_as_each_alone(source: str) -> None:
    @settings(MANY)
    @given(st.data())
    def riffle(data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(RECORDINGS))
        two = data.draw(st.sampled_from([other for other in RECORDINGS if other.pbx == one.pbx]))
        ours = events_of(rows_of(one, source))
        theirs = _beside(rows_of(two, source), start_of(ours))
        _as_alone(one, two, ours, theirs, data.draw(riffled(ours, theirs)))

    riffle()
    COUNTED["examples"] += MANY.max_examples
    COUNTED["pairs folded"] += MANY.max_examples


@_recorded()
def test_a_call_between_the_rows_of_the_next_comes_out_as_alone(recording: Recording, source: str) -> None:
    """Event by event: one row of each in turn, with every recording in some pair."""
    same_pbx = [one for one in RECORDINGS if one.pbx == recording.pbx]
    other = same_pbx[(same_pbx.index(recording) + 1) % len(same_pbx)]
    ours = events_of(rows_of(recording, source))
    theirs = _beside(rows_of(other, source), start_of(ours))
    by_turns = sorted([*enumerate(ours), *((place + 0.5, row) for place, row in enumerate(theirs))], key=lambda p: p[0])
    _as_alone(recording, other, ours, theirs, [row for _, row in by_turns])
    COUNTED["pairs folded"] += 1


def _beside(rows: list[Row], start: int) -> list[Row]:
    return shifted(renamed(events_of(rows), OTHER), start - start_of(rows))


def _as_alone(one: Recording, two: Recording, ours: list[Row], theirs: list[Row], both: list[Row]) -> None:
    alone = tell(_fold_for(one, two, start_of(ours)), ours), tell(_fold_for(one, two, start_of(ours)), theirs)
    together = tell(_fold_for(one, two, start_of(ours)), both)
    assert together.records == alone[0].records | alone[1].records
    assert not together.failures
    assert sorted(together.merged) == sorted(alone[0].merged + alone[1].merged)
    for told in alone:
        ids = {event.call_id for event in told.events}
        assert together.events_of(ids) == list(told.events)


def _fold_for(one: Recording, two: Recording, at: int) -> Fold:
    """A fold that knows what the gateway placed in either."""
    fold = one.new_fold(at)
    if two.placed:
        for origination in _originations(two, at):
            fold.know(origination)
    return fold


def _originations(recording: Recording, at: int) -> list[Origination]:
    """What the recording's own fold is told, for its twin under other ids."""
    with patch("tests.lab.recordings.Fold") as made:
        recording.new_fold(at)
    told = [call.args[0] for call in made.return_value.know.call_args_list]
    return [replace(origination, id=renamed_id(origination.id, OTHER)) for origination in told]


# ── calls that nobody recorded ──────────────────────────────────────────────


@settings(MANY)
@given(generated_calls(), st.lists(st.integers(0, 400), max_size=5))
def test_generated_calls_are_told_whole(calls: list[Generated], cuts: list[int]) -> None:
    rows = in_one_file([call.rows for call in calls])
    told = tell(demo_fold(), rows)
    _none(chain(faults_of_any(told), *map(overlaps, told.records.values())))
    assert told.open_calls == 0
    for call in calls:
        alone = tell(demo_fold(), call.rows)
        (record,) = alone.records.values()
        assert (record.settled, record.complete) == (True, True)
        assert (record.outcome == "answered") == call.talked
        assert told.records[record.id] == record
    assert len(told.records) == len(calls)
    _same(tell(demo_fold(), rows, [cut for cut in cuts if cut < len(rows)]), told)
    COUNTED["generated calls folded"] += len(calls)


@settings(SOME)
@given(st.randoms(use_true_random=False), st.sampled_from(ON_GENERATED))
def test_a_damaged_generated_call_hurts_no_other(random: Random, name: str) -> None:
    scene = Scene(played(random, START, 0).rows, demo_fold, plain_call())
    variants = list(KINDS[name].variants(scene.rows))
    COUNTED["damaged variants folded"] += len(variants)
    _none(f"{one.what}: {fault}" for one in variants for fault in KINDS[name].faults(scene, one))


@settings(MANY)
@given(st.data())
def test_rubbish_raises_nothing_and_stays_where_it_is(data: st.DataObject) -> None:
    """Rows that mean nothing, about the channels of a call or of none, between its rows."""
    recording = data.draw(st.sampled_from(RECORDINGS))
    rows = rows_of(recording, "journal")
    scene = Scene(rows, lambda: recording.new_fold(start_of(rows)), plain_call())
    start = start_of(scene.rows)
    bad = data.draw(st.lists(rubbish(scene.rows, start), min_size=1, max_size=12))
    feed = data.draw(riffled(scene.rows, list(bad)))
    told = scene.told(feed)
    _none(faults_of_any(told) + scene.bystander_faults(told))
    assert told.texts().keys() == told.records.keys()
    COUNTED["rubbish rows folded"] += len(bad)


# ── where rows are read ─────────────────────────────────────────────────────

CORRUPT = (
    '{"hangupcause":16', "}", "[]", "null", "16", '"x"', '{"a":{"b":[1,{}]}}', '{"bridge_id":"\\ud800"}',
    '{"extra":"a\\u0000b"}', "[" * 100_000, '{"hangupcause":1e999,"hangupsource":NaN}', '{"hangupcause":null}',
)  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("extra", CORRUPT, ids=[f"extra-{number}" for number in range(len(CORRUPT))])
def test_a_row_with_corrupt_extra_can_be_read_kept_and_folded(source: str, extra: str) -> None:
    row = _row_read(source, extra, "Zoë")
    _can_be_kept(row)
    rows: list[Row] = [row if isinstance(one, CelRow) and one.event == row.event else one for one in plain_call()]
    _can_leave(tell(demo_fold(), rows))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("cut", range(1, 9))
def test_a_name_cut_in_the_middle_of_a_character_can_be_read_kept_and_shown(source: str, cut: int) -> None:
    row = _row_read(source, "", "ë日😀".encode()[:cut])
    assert row.caller_name.startswith("ë" if cut > 1 else "\ufffd")
    _can_be_kept(row)
    rows = [replace(one, caller_name=row.caller_name) for one in plain_call() if isinstance(one, CelRow)]
    _can_leave(tell(demo_fold(), rows))


def _row_read(source: str, extra: str, name: str | bytes) -> CelRow:
    """A HANGUP as the journal or AMI gives it, to the byte."""
    shown = name if isinstance(name, bytes) else name.encode()
    if source == "journal":
        quoted = extra.replace('"', '""').encode()
        line = b'"HANGUP","1795489263.000001","%s","102","","","","103","from-internal","PJSIP/102-0","","","3",""'
        row = cel_row(line % shown + b',"1795489263.0","1795489263.0","","","","%s"' % quoted)
    else:
        frame = b"Event: CEL\r\nEventName: HANGUP\r\nTimestamp: 1795489263.000001\r\nChannel: PJSIP/102-0\r\n"
        frame += b"UniqueID: 1795489263.0\r\nLinkedID: 1795489263.0\r\nCallerIDname: " + shown
        row = row_of_event(frames.parse(frame + b"\r\nExtra: " + extra.encode()).headers, 0)  # type: ignore[assignment]
    assert isinstance(row, CelRow)
    return row


def _can_be_kept(row: CelRow) -> None:
    """In the spool and in Postgres: UTF-8, and no NUL in any text."""
    kept = row_to_json(row).encode()
    assert row_from_json(kept) == row
    assert b"\\u0000" not in kept


def _can_leave(told: Told) -> None:
    for text in told.texts().values():
        text.encode()
