"""Who was let in a moment ago is let in again without asking the database.

Only a yes is remembered, and for half a second: what was revoked or removed anywhere holds everywhere
within a second, and what was just allowed holds at once. The account's directory is not remembered: what
was applied holds for the very next request.
"""

from collections import OrderedDict
from dataclasses import replace
from time import monotonic

from gateway.store import admission
from gateway.store.admission import Admission
from gateway.store.connection import Pool

REMEMBERED_SECONDS = 0.5
MOST_ENTRIES = 10_000


class Admissions:
    """Bounded; the oldest entries go first."""

    def __init__(self) -> None:
        self._granted: OrderedDict[tuple[str, str], tuple[float, Admission]] = OrderedDict()

    async def find(self, pool: Pool, key_id: str, ip: str) -> Admission | None:
        """As `admission.look_up`. `ip` is empty where the address is not known."""
        asked_at = monotonic()
        remembered = self._granted.get((key_id, ip))
        if remembered is not None and asked_at - remembered[0] < REMEMBERED_SECONDS:
            return remembered[1]
        found = await admission.look_up(pool, key_id, ip or None)
        self._granted.pop((key_id, ip), None)
        if found is not None and found.live and found.allowed:
            self._granted[key_id, ip] = (asked_at, replace(found, directory=None))
            while len(self._granted) > MOST_ENTRIES:
                self._granted.popitem(last=False)
        return found
