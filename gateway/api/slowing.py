"""What comes too often: each further wrong key from an address, or for a key id, waits longer; of refused
addresses the audit log hears once a minute.
"""

import asyncio
from collections import OrderedDict
from time import monotonic

FREE = 5
STEP_SECONDS = 0.1
LONGEST_SECONDS = 2.0
FORGOTTEN_AFTER_SECONDS = 60.0
MOST_ENTRIES = 10_000


class WrongKeys:
    """How many wrong keys came of late; bounded, the oldest entries go first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def slow_down(self, *sources: str) -> None:
        delay = max(self._note(source) for source in sources)
        if delay > 0:
            await asyncio.sleep(delay)

    def _note(self, source: str) -> float:
        now = monotonic()
        count, last = self._counts.pop(source, (0, now))
        count = 1 if now - last > FORGOTTEN_AFTER_SECONDS else count + 1
        self._counts[source] = (count, now)
        while len(self._counts) > MOST_ENTRIES:
            self._counts.popitem(last=False)
        return min(LONGEST_SECONDS, max(0, count - FREE) * STEP_SECONDS)


class Seldom:
    """Whether it is time to note something again; bounded, the oldest entries go first."""

    def __init__(self) -> None:
        self._noted: OrderedDict[str, float] = OrderedDict()

    def due(self, what: str) -> bool:
        """True once a minute for the same."""
        now = monotonic()
        if what in self._noted and now - self._noted[what] < FORGOTTEN_AFTER_SECONDS:
            return False
        self._noted.pop(what, None)
        self._noted[what] = now
        while len(self._noted) > MOST_ENTRIES:
            self._noted.popitem(last=False)
        return True
