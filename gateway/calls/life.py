"""The domain events of a call's life, each told once; `call.ended` or `call.merged` is the last.

An event is told at the row that first made it true of the record. Whatever had to come before
the end and was not seen to happen is told at the end, so that no life has holes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gateway.calls.compact_json import compact
from gateway.calls.directory import NodeDirectory
from gateway.calls.document import call_text, user_call_text, visit_text
from gateway.calls.facts import CallFacts
from gateway.calls.record import CallRecord, DomainEvent, Visit
from gateway.calls.rows import CelRow, Instant
from gateway.calls.views import user_calls


class Happening(NamedTuple):
    """Something that is true of a record. `key` is the same however often the record is made.

    `document` makes the JSON that tells of it; most of the time it was told before.
    """

    key: tuple[str, str]
    at: Instant | None
    document: Callable[[], str]


@dataclass(slots=True)
class Life:
    """What was told of one call."""

    told: set[tuple[str, str]] = field(default_factory=set)

    @property
    def started(self) -> bool:
        return ("call.started", "") in self.told

    def may_go_on_at(self, row: CelRow, facts: CallFacts, node: NodeDirectory) -> bool:
        """Whether this row, of a call with these facts, can make something true that is to be told.

        Making a record costs more than taking a row, so that it is not made for every one.
        """
        match row.event:
            case "CHAN_START":
                return not self.started or self._rings_anew(row, node)
            case "APP_START":
                return not self.started or row.app == "Queue"
            case "APP_END":
                return any((kind.replace(".entered", ".left"), who) not in self.told for kind, who in self._visits())
            case "BRIDGE_ENTER":
                return not self.started or facts.meets(row)
            case "BLINDTRANSFER" | "ATTENDEDTRANSFER" | "USER_DEFINED":
                return True
        return False

    def _rings_anew(self, row: CelRow, node: NodeDirectory) -> bool:
        """Whether somebody may be rung who was not told to be: the first of all, or another user."""
        if row.channel.startswith("Local/"):
            return False
        endpoint = node.endpoint(row.channel.rsplit("-", 1)[0])
        user = endpoint.user if endpoint else None
        return ("call.ringing", "") not in self.told or (
            user is not None and ("user.ringing", user.id) not in self.told
        )

    def _visits(self) -> Iterator[tuple[str, str]]:
        return (key for key in self.told if key[0].endswith(".entered"))

    def reached(self, record: CallRecord, at: Instant, transfers: int = 0) -> list[DomainEvent]:
        """What is true and was not told, at the row of instant `at`. `transfers`: how many Asterisk told of so far."""
        return self._tell(record, _happened(record, transfers), at)

    def over(self, record: CallRecord, transfers: int = 0) -> list[DomainEvent]:
        """The rest, and the end."""
        ended_at = record.ended_at if record.ended_at is not None else record.started_at
        events = self._tell(record, _happened(record, transfers), ended_at)
        events += self._tell(record, _at_the_end(record), ended_at)
        return [*events, _event("call.ended", record, ended_at, call_text(record))]

    def absorb(self, younger: "Life") -> None:
        """A call that joined this one has told of its people and visits already."""
        self.told |= {key for key in younger.told if not key[0].startswith("call.")}

    def _tell(self, record: CallRecord, happened: Iterator[Happening], at: Instant) -> list[DomainEvent]:
        events = []
        for key, since, document in happened:
            if key not in self.told:
                self.told.add(key)
                events.append(_event(key[0], record, at if since is None else since, document()))
        return events


def merged_event(account: str, call_id: str, into: str, at: Instant) -> DomainEvent:
    return DomainEvent(account, call_id, "call.merged", at, compact({"id": call_id, "into": into}))


def custom_event(account: str, call_id: str, at: Instant, kind: str, text: str) -> DomainEvent:
    """What a dialplan said for whoever listens: CELGenUserEvent(kind,text)."""
    document = {"id": call_id, "type": kind, "text": text}
    return DomainEvent(account, call_id, "dialplan.custom", at, compact(document))


def _happened(record: CallRecord, transfers: int) -> Iterator[Happening]:
    call = partial(call_text, record)
    yield Happening(("call.started", ""), record.started_at, call)
    rung = [
        attempt for attempt in record.attempts if attempt.via != "click_to_call" and attempt.result != "unreachable"
    ]
    for visit in record.visits:
        yield Happening(_of_visit(visit, "entered"), visit.started_at, partial(visit_text, record, visit))
    if rung:
        yield Happening(("call.ringing", ""), rung[0].started_at, call)
    rows = user_calls(record)
    for row in rows:
        if any(attempt.user == row.user for attempt in rung):
            yield Happening(("user.ringing", row.user.id), None, partial(user_call_text, row))
    if record.answered_at is not None:
        yield Happening(("call.answered", ""), record.answered_at, call)
    for row in rows:
        if row.answered_at is not None:
            yield Happening(("user.answered", row.user.id), row.answered_at, partial(user_call_text, row))
    for visit in record.visits:
        shown = partial(visit_text, record, visit)
        if visit.answered_at is not None:
            yield Happening(_of_visit(visit, "answered"), visit.answered_at, shown)
        if visit.ended_at is not None:
            yield Happening(_of_visit(visit, "left"), visit.ended_at, shown)
    for number in range(transfers):
        yield Happening(("call.transferred", str(number)), None, call)


def _of_visit(visit: Visit, what: str) -> tuple[str, str]:
    """By its beginning: its id is another one when its call has joined an older one."""
    return f"{visit.kind}.{what}", str(visit.started_at)


def _at_the_end(record: CallRecord) -> Iterator[Happening]:
    for row in user_calls(record):
        kind = "user.missed" if row.result == "missed" else "user.ended"
        yield Happening((kind, row.user.id), row.ended_at, partial(user_call_text, row))
    if record.voicemail and record.voicemail.message_left:
        yield Happening(("voicemail.received", ""), None, partial(call_text, record))


def _event(kind: str, record: CallRecord, at: Instant, data: str) -> DomainEvent:
    assert record.account is not None
    return DomainEvent(record.account, record.id, kind, at, data)
