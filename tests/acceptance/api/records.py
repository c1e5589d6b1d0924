"""Records of calls as the fold would make them, for lists to show."""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from gateway.calls.directory import Directory, User
from gateway.calls.identity import uuid7
from gateway.calls.instant import from_datetime
from gateway.calls.record import Attempt, Callee, Caller, CallRecord, GroupRef, Visit
from gateway.calls.rows import Instant

SECOND = 1_000_000


def inbound(
    directory: Directory, started_at: Instant, *, seconds: int = 60, user: User | None = None, account: str = "acme"
) -> CallRecord:
    """+61255501234 calls the account's first number, and is answered after five seconds."""
    answering = user or directory.users[0]
    end = started_at + seconds * SECOND
    answer = started_at + 5 * SECOND
    return CallRecord(
        account=account,
        id=uuid7(started_at // 1000, sha256(f"{account} {started_at} {answering.id}".encode()).digest()[:10]),
        node="pbx1",
        linked_ids=(f"{started_at // SECOND}.1",),
        merged_ids=(),
        state="ended",
        direction="inbound",
        outcome="answered",
        caller=Caller("+61255501234", 'Jo "Ö" Citizen', None),
        callee=Callee("+61290000001"),
        answered_by=None,
        started_at=started_at,
        answered_at=answer,
        ended_at=end,
        duration_ms=seconds * 1000,
        ring_ms=5000,
        talk_ms=seconds * 1000 - 5000,
        hung_up_by="caller",
        hangup_cause=16,
        end_reason="hangup",
        origin=None,
        attempts=(
            Attempt(
                answering.ref, answering.devices[0], answering.number, "direct", started_at, answer, end, "answered"
            ),
        ),
        visits=(),
        segments=(),
        voicemail=None,
        complete=True,
        settled=True,
    )


def through_queue(directory: Directory, record: CallRecord) -> CallRecord:
    visit = Visit(
        f"{record.id}-q1",
        "queue",
        GroupRef("700", "support"),
        "answered",
        directory.users[0].ref,
        record.started_at,
        record.answered_at,
        record.ended_at,
        5000,
        record.talk_ms,
    )
    return replace(record, visits=(visit,))


def through_ring_group(directory: Directory, record: CallRecord) -> CallRecord:
    visit = Visit(
        f"{record.id}-g1",
        "ring_group",
        GroupRef("600", "sales"),
        "answered",
        directory.users[0].ref,
        record.started_at,
        record.answered_at,
        record.ended_at,
        5000,
        record.talk_ms,
    )
    return replace(record, visits=(visit,))


def instant(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))
