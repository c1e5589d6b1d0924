"""The record of a call that was asked for but for which Asterisk never made a channel."""

from gateway.calls.life import Life
from gateway.calls.origination import Origination
from gateway.calls.record import Callee, Caller, CallRecord, Direction, DomainEvent, Origin
from gateway.calls.rows import Instant


def never_began(
    origination: Origination, at: Instant, reason: str, *, unheard: bool = False
) -> tuple[CallRecord, tuple[DomainEvent, ...]]:
    """The failed record, ended at `at`, and the events that tell of it. `reason` becomes the end reason.

    `unheard`: Asterisk was not heard for a time in which it may have begun and ended. It is not known to have
    failed, then, but lost.
    """
    direction: Direction = "outbound" if origination.destination.startswith("+") else "internal"
    record = CallRecord(
        account=origination.account,
        id=origination.id,
        node=origination.node,
        linked_ids=(),
        merged_ids=(),
        state="ended",
        direction=direction,
        outcome="lost" if unheard else "failed",
        caller=Caller(origination.user.number, origination.user.name, origination.user),
        callee=Callee(origination.destination),
        answered_by=None,
        started_at=origination.created_at,
        answered_at=None,
        ended_at=at,
        duration_ms=max(0, at // 1000 - origination.created_at // 1000),
        ring_ms=0,
        talk_ms=0,
        hung_up_by=None if unheard else "system",
        hangup_cause=None,
        end_reason="lost" if unheard else reason,
        origin=Origin("click_to_call", origination.user, origination.reference),
        attempts=(),
        visits=(),
        segments=(),
        voicemail=None,
        complete=not unheard,
        settled=True,
    )
    return record, tuple(Life().over(record))
