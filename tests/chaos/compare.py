"""What the phones saw, beside what the API says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.chaos.found import FAULTS
from tests.chaos.truth import Truth

Document: TypeAlias = Mapping[str, Any]
Span: TypeAlias = tuple[float, float]


@dataclass(slots=True)
class Verdict:
    """`found`: by fault, what is wrong, in words."""

    found: dict[str, list[str]] = field(default_factory=lambda: {fault: [] for fault in FAULTS})
    incomplete: int = 0
    recorded_lost: int = 0
    matched: int = 0
    absent_in_gap: int = 0
    unmatched_in_gap: int = 0

    def add(self, fault: str, text: str) -> None:
        self.found[fault].append(text)

    @property
    def right(self) -> bool:
        return not any(self.found.values())


@dataclass(frozen=True, slots=True)
class Deafness:
    """When rows of AMI were certainly missed, and when they may have been; both empty with the journal."""

    surely: Sequence[Span] = ()
    perhaps: Sequence[Span] = ()

    def touched(self, truth: Truth) -> bool:
        return any(truth.began < until and truth.ended > since for since, until in self.perhaps)

    def began_unheard(self, truth: Truth) -> bool:
        return any(since <= truth.began <= until for since, until in self.perhaps)

    def surely_touched(self, truth: Truth) -> bool:
        return any(truth.began < since and truth.ended > until for since, until in self.surely)


def compare(
    truths: Sequence[Truth], documents: Sequence[Document], events: Sequence[Document], deafness: Deafness
) -> Verdict:
    verdict = Verdict()
    by_identity: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        if "merged_into" not in document:
            by_identity[_identity(document)].append(document)
    known = {truth.call.identity for truth in truths}
    for truth in truths:
        _judge(verdict, truth, by_identity.get(truth.call.identity, []), deafness)
    for identity, strangers in by_identity.items():
        if identity not in known:
            _judge_strangers(verdict, identity, strangers, deafness)
    _judge_events(verdict, events, documents)
    return verdict


def _identity(document: Document) -> str:
    """The number that is the call's alone: the outside one of the two."""
    caller = document["caller"]["number"]
    return str(document["callee"]["number"] if document["direction"] == "outbound" else caller)


def _judge(verdict: Verdict, truth: Truth, found: Sequence[Document], deafness: Deafness) -> None:
    name = f"{truth.call.identity} ({truth.call.kind}, {truth.began:.1f} to {truth.ended:.1f})"
    touched = deafness.touched(truth)
    if truth.call.kind == "click" and truth.rung > 1:
        verdict.add("dialled_twice", f"{name} rang {truth.rung} times")
    if not found:
        if truth.must and not deafness.began_unheard(truth):
            verdict.add("lost", name)
        elif truth.must:
            verdict.absent_in_gap += 1
        return
    if not truth.may:
        verdict.add("never_made", name)
    if len(found) > 1 and not (touched and not all(one["complete"] for one in found)):
        verdict.add("doubled", f"{name}: {[one['id'] for one in found]}")
    for document in found:
        _judge_document(verdict, truth, document, name, deafness)


def _judge_document(verdict: Verdict, truth: Truth, document: Document, name: str, deafness: Deafness) -> None:
    verdict.matched += 1
    outcome, complete = document["outcome"], document["complete"]
    name = f"{name} {document['id']}"
    verdict.incomplete += not complete
    verdict.recorded_lost += outcome == "lost"
    if document["state"] != "ended":
        verdict.add("without_end", f"{name} is {document['state']}")
        return
    if deafness.surely_touched(truth) and complete:
        verdict.add("gap_not_told", f"{name}: {outcome}")
    if not complete and deafness.touched(truth):
        return
    if not complete and not truth.cut:
        verdict.add("unexplained_incomplete", f"{name}: {outcome}")
    if truth.outcomes and outcome not in truth.outcomes:
        verdict.add("wrong_outcome", f"{name}: {outcome}, not {' or '.join(sorted(truth.outcomes))}")
    elif truth.answered_by and outcome == "answered":
        device = (document["answered_by"] or {}).get("device")
        number = (document["answered_by"] or {}).get("number")
        if truth.answered_by == "trunk" and number is None:
            verdict.add("wrong_answerer", f"{name}: {document['answered_by']}, not the outside")
        elif truth.answered_by != "trunk" and device != f"PJSIP/{truth.answered_by}":
            verdict.add("wrong_answerer", f"{name}: {device}, not {truth.answered_by}")


def _judge_strangers(verdict: Verdict, identity: str, found: Sequence[Document], deafness: Deafness) -> None:
    """A call of which only the middle was heard may not know whose it was."""
    for document in found:
        verdict.incomplete += not document["complete"]
        if document["state"] != "ended":
            verdict.add("without_end", f"{identity} {document['id']} is {document['state']}")
        if document["complete"] or not deafness.perhaps:
            verdict.add("never_made", f"{identity} {document['id']}: {document['outcome']}")
        else:
            verdict.unmatched_in_gap += 1


def _judge_events(verdict: Verdict, events: Sequence[Document], documents: Sequence[Document]) -> None:
    for place, event in enumerate(events, start=1):
        if event["sequence"] != place:
            verdict.add("sequence_holes", f"{event['sequence']} where {place} was due")
            break
    told: dict[str, list[str]] = defaultdict(list)
    for event in events:
        told[_call_id(event)].append(event["type"])
    ids = {str(document["id"]) for document in documents}
    for call_id in sorted(ids | {one for one in told if one}):
        _judge_life(verdict, call_id, told.get(call_id, []))


def _judge_life(verdict: Verdict, call_id: str, types: Sequence[str]) -> None:
    counted = Counter(types)
    ends = counted["call.ended"] + counted["call.merged"]
    if counted["call.started"] != 1 or ends != 1:
        verdict.add("started_or_ended_not_once", f"{call_id}: {dict(counted)}")
        return
    own = [one for one in types if one.startswith("call.") and one != "call.amended"]
    if own[0] != "call.started" or own[-1] not in ("call.ended", "call.merged"):
        verdict.add("started_or_ended_not_once", f"{call_id}: {own}")


def _call_id(event: Document) -> str:
    data = event["data"]
    if event["type"] == "call.merged":
        return str(data["id"])
    if event["type"].startswith("call."):
        return str((data.get("call") or data).get("id", ""))
    return ""


def spans_between(heard: Iterable[Span], since: float, until: float) -> list[Span]:
    """What lies between the spans that were heard."""
    missed: list[Span] = []
    at = since
    for start, end in sorted(heard):
        if start > at:
            missed.append((at, start))
        at = max(at, end)
    if until > at:
        missed.append((at, until))
    return missed
