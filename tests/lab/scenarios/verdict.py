"""Whether a call's document says what the scenario says."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.lab.scenarios.model import Expected, Rang, Talked

TOLERANCE = 0.1
"""Seconds by which a record may differ from what the phones saw."""


def expected_from(document: Mapping[str, Any]) -> Expected:
    """The inverse of `dataclasses.asdict`, from JSON."""
    fields = dict(document)
    fields["attempts"] = tuple(Rang(**one) for one in document["attempts"])
    fields["talks"] = tuple(Talked(**{**one, "parties": tuple(one["parties"])}) for one in document["talks"])
    fields["visits"] = _visits(document["visits"])
    fields["visits_over_ami"] = _visits(document.get("visits_over_ami"))
    fields["positions"] = None if document.get("positions") is None else tuple(document["positions"])
    return Expected(**fields)


def _visits(told: Sequence[Sequence[str]] | None) -> tuple[tuple[str, str], ...] | None:
    return None if told is None else tuple((name, status) for name, status in told)


def differences(expected: Expected, call: Mapping[str, Any]) -> list[str]:
    """What `call` (a document of `GET /v1/calls/{id}`) says otherwise; empty if it is right."""
    wrong: list[str] = []

    def same(what: str, told: object, wanted: object) -> None:
        if told != wanted:
            wrong.append(f"{what}: {told!r}, not {wanted!r}")

    same("outcome", call["outcome"], expected.outcome)
    same("direction", call["direction"], expected.direction)
    same("caller", call["caller"]["number"], expected.caller)
    same("callee", call["callee"]["number"], expected.callee)
    rung = {(one["device"] or one["number"], one["result"], one["via"]) for one in call["attempts"]}
    same("attempts", sorted(rung, key=repr), sorted({(a.who, a.result, a.via) for a in expected.attempts}, key=repr))
    visits = sorted(call["queue_visits"] + call["ring_group_visits"], key=lambda visit: visit["started_at"])
    told = tuple(((visit.get("queue") or visit.get("ring_group"))["name"], visit["status"]) for visit in visits)
    same("visits", told, expected.visits)
    same("complete", call["complete"], expected.complete)
    same("settled", call["settled"], True)
    same("merged ids", len(call["merged_ids"]), expected.merged)
    if expected.hung_up_by is not None:
        same("hung_up_by", call["hung_up_by"], expected.hung_up_by)
    if expected.end_reason is not None:
        same("end_reason", call["end_reason"], expected.end_reason)
    if expected.caller_name is not None:
        same("caller's name", call["caller"]["name"], expected.caller_name)
    if expected.answered_by is not None:
        by = call["answered_by"]
        same("answered_by", (by["device"] or by["number"]) if by else "", expected.answered_by)
    if expected.positions is not None:
        told_positions = tuple(visit["position_at_entry"] for visit in call["queue_visits"])
        same("positions", told_positions, expected.positions)
    for name, value in expected.more.items():
        same(name, call[name], value)
    return wrong + _other_talks(expected.talks, call["segments"])


def _other_talks(expected: Sequence[Talked], segments: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [(sorted(str(p["number"]) for p in segment["parties"]), segment["how"]) for segment in segments]
    wanted = [(sorted(talk.parties), talk.how) for talk in expected]
    if told != wanted:
        return [f"segments: {told!r}, not {wanted!r}"]
    wrong = []
    for talk, segment in zip(expected, segments, strict=True):
        for name, seen in (("started_at", talk.since), ("ended_at", talk.until)):
            if seen is not None and abs(_seconds(segment[name]) - seen) > TOLERANCE:
                off = _seconds(segment[name]) - seen
                wrong.append(f"segment {sorted(talk.parties)} {name}: {off:+.3f} s from what the phone saw")
    return wrong


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
