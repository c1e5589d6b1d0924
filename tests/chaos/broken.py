"""The gateway with one safeguard taken out, so that it can be seen whether a chaos run notices.

    python -m tests.chaos.broken idempotence|fence|reserve serve

Nothing of this is in the gateway itself: its functions are replaced before it starts.
"""

import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from gateway.api import placing
from gateway.asterisk.source import Position
from gateway.cli import main
from gateway.store import leases, originations, positions
from gateway.store.connection import Connection

FORGOTTEN_SECONDS = 3.0


def _replace(module: ModuleType, name: str, function: Callable[..., Any]) -> None:
    """Raises AttributeError where there is no such function any more: then nothing would be broken."""
    getattr(module, name)
    setattr(module, name, function)


def idempotence() -> None:
    """How far the files were read is committed now and then, not with what was made of the rows."""
    save = positions.save
    saved_at = time.monotonic()

    async def later(connection: Connection, node: str, where: Mapping[str, Position]) -> None:
        nonlocal saved_at
        if time.monotonic() - saved_at > FORGOTTEN_SECONDS:
            saved_at = time.monotonic()
            await save(connection, node, where)

    _replace(positions, "save", later)


def fence() -> None:
    """A writer that was passed over does not ask whether it still is one, and its session is left to it."""

    async def nothing(*_: Any) -> None:
        return None

    for name in ("check", "renew", "_end_old_session"):
        _replace(leases, name, nothing)


def reserve() -> None:
    """The call is handed to Asterisk first, and noted after."""
    reserve_first, hand_over = placing._reserve, placing._hand_over
    waiting: dict[str, tuple[Any, ...]] = {}

    async def later(context: Any, caller: Any, directory: Any, new: Any) -> None:
        waiting[new.id] = (context, caller, directory, new)

    async def hand_over_first(context: Any, session: Any, caller: Any, new: Any, action: Any) -> Any:
        placed = await hand_over(context, session, caller, new, action)
        await reserve_first(*waiting.pop(new.id))
        await originations.accepted(context.pool, caller.account, new.id)
        return placed

    _replace(placing, "_reserve", later)
    _replace(placing, "_hand_over", hand_over_first)


SAFEGUARDS: Mapping[str, Callable[[], None]] = {"idempotence": idempotence, "fence": fence, "reserve": reserve}

if __name__ == "__main__":
    SAFEGUARDS[sys.argv.pop(1)]()
    main()
