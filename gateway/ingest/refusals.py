"""What Postgres refuses of one call, or of one row, must hold up nothing else of its node.

A batch is written in one piece. Where that is refused for what is in it, the next try bisects it until what is
refused stands alone, and goes on without that: a value that no column takes, or a fault of ours.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from gateway.calls.fold import Changes
from gateway.store.connection import Connection

REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    # Of the driver, and of what makes values for it.
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
)
"""Errors that come again with the same content. All others are the database's state, which passes."""

T = TypeVar("T")


async def write_apart(
    connection: Connection, items: Sequence[T], write: Callable[[Sequence[T]], Awaitable[None]]
) -> list[tuple[T, Exception]]:
    """Writes what is not refused, in order, inside the caller's transaction; gives the rest, each with its error."""
    if not items:
        return []
    try:
        async with connection.transaction():
            await write(items)
    except REFUSALS as error:
        if len(items) == 1:
            return [(items[0], error)]
        half = len(items) // 2
        first = await write_apart(connection, items[:half], write)
        return first + await write_apart(connection, items[half:], write)
    return []


def by_call(changes: Changes) -> list[Changes]:
    """What is told of each call apart, in the order of the calls' first events; what joined goes with what it joined.

    Only what is written of calls: `opened`, `closed` and `failures` are left out.
    """
    into = {(account, old): joined for account, old, joined in changes.merged}

    def whose(account: str | None, call: str) -> tuple[str | None, str]:
        for _ in into:
            if account is None or (account, call) not in into:
                break
            call = into[account, call]
        return account, call

    records, merged, events = defaultdict(list), defaultdict(list), defaultdict(list)
    for event in changes.events:
        events[whose(event.account, event.call_id)].append(event)
    for record in changes.records:
        records[whose(record.account, record.id)].append(record)
    for account, old, joined in changes.merged:
        merged[whose(account, joined)].append((account, old, joined))
    return [
        Changes(tuple(records[call]), tuple(merged[call]), tuple(events[call]), (), ())
        for call in dict.fromkeys((*events, *records, *merged))
    ]


def together(changes: Sequence[Changes]) -> Changes:
    """The reverse of `by_call`, of some calls."""
    return Changes(
        tuple(record for one in changes for record in one.records),
        tuple(merged for one in changes for merged in one.merged),
        tuple(event for one in changes for event in one.events),
        (),
        (),
    )
