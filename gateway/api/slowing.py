"""Wrong keys cost time: each further one from the same address, or for the same key id, waits longer."""

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
