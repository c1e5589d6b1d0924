"""The domain events of a call's life, each told once: started, answered, ended, or merged."""

from dataclasses import dataclass

from gateway.calls.document import as_text, call_document
from gateway.calls.record import CallRecord, DomainEvent
from gateway.calls.rows import Instant

MILESTONE_ROWS = frozenset(("CHAN_START", "APP_START", "ANSWER", "BRIDGE_ENTER"))
"""The CEL events after which a call may have started or been answered."""


@dataclass(slots=True)
class Milestones:
    """Which events of one call were told."""

    started: bool = False
    answered: bool = False

    def may_change_at(self, cel_event: str) -> bool:
        """Whether a row of this kind can bring a milestone that was not told yet."""
        if not self.started:
            return cel_event in MILESTONE_ROWS
        return not self.answered and cel_event == "BRIDGE_ENTER"

    def reached(self, record: CallRecord, at: Instant) -> list[DomainEvent]:
        """The events that are true of `record` and were not told. `at` is the time of the row that made them so."""
        events: list[DomainEvent] = []
        if not self.started:
            self.started = True
            events.append(_event("call.started", record, record.started_at))
        if record.answered_at is not None and not self.answered:
            self.answered = True
            events.append(_event("call.answered", record, at))
        return events

    def over(self, record: CallRecord) -> list[DomainEvent]:
        """The last event of a call that is over, after those that it must not overtake."""
        ended_at = record.ended_at if record.ended_at is not None else record.started_at
        return [*self.reached(record, record.answered_at or ended_at), _event("call.ended", record, ended_at)]


def merged_event(account: str, call_id: str, into: str, at: Instant) -> DomainEvent:
    return DomainEvent(account, call_id, "call.merged", at, as_text({"id": call_id, "into": into}))


def _event(kind: str, record: CallRecord, at: Instant) -> DomainEvent:
    assert record.account is not None
    return DomainEvent(record.account, record.id, kind, at, as_text(call_document(record)))
