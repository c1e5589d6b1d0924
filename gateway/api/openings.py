"""What a page of a list begins with, as it was found a moment ago: one question less to the database.

That all until `at` is visible holds for whoever looks later, too; only less is said than could be. A directory may
have been applied since: whoever begins with a recent one asks which is in force along with the page, and begins anew
where it is another, or where anything is at fault.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from gateway.api.read_directories import MOST_ACCOUNTS, ReadDirectory
from gateway.store.directories import DirectoryVersion

RECENT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ReadOpening:
    """As `listings.Opening`, with the directory that was in force."""

    at: datetime
    version: DirectoryVersion
    known: ReadDirectory


class Openings:
    """One an account; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, ReadOpening]] = OrderedDict()

    def recent(self, account: str) -> ReadOpening | None:
        found_at, opening = self._found.get(account, (0.0, None))
        return opening if monotonic() - found_at < RECENT_SECONDS else None

    def note(self, account: str, opening: ReadOpening) -> None:
        """It was found just now."""
        self._found[account] = (monotonic(), opening)
        self._found.move_to_end(account)
        if len(self._found) > MOST_ACCOUNTS:
            self._found.popitem(last=False)
