"""Cursors: where a walk through a list stands, as text that means nothing to clients.

A cursor is good for the parameters that it was given for, and for a day. It holds no secret and gives no right:
whoever makes one up sees what the parameters show, from another row on.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from gateway.api.codes import FaultCode
from gateway.calls.instant import from_datetime, to_datetime
from gateway.store.list_query import AsOf, Filter, Kind, Place, Sort
from gateway.store.listings import CURSOR_LIVES, Freshness, Walk

VERSION = 1
MOST_CHARACTERS = 8_000

_SNAPSHOT = re.compile(r"(\d{1,18}):(\d{1,18}):((?:\d{1,18}(?:,\d{1,18})*)?)", re.ASCII)
_ROW = re.compile(r"[!-~]{1,255}")
_EARLIEST, _LATEST = from_datetime(datetime(1970, 1, 1, tzinfo=UTC)), from_datetime(datetime(9999, 1, 1, tzinfo=UTC))
_LONGEST_DURATION = 2**62


class Unusable(ValueError):
    """A cursor that leads nowhere."""

    def __init__(self, code: FaultCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def write(walk: Walk, kind: Kind, sort: Sort, wanted: Filter) -> str:
    settled_until = walk.freshness.settled_until
    key = walk.after.key
    fields = [
        VERSION,
        _print_of(kind, sort, wanted),
        from_datetime(walk.as_of.at),
        walk.as_of.snapshot,
        None if settled_until is None else from_datetime(settled_until),
        walk.freshness.open_calls,
        from_datetime(key) if isinstance(key, datetime) else key,
        walk.after.id,
    ]
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class _Written:
    """A cursor as it was written. `key`: microseconds since 1970, or milliseconds of duration."""

    print_of: object
    snapshot: str
    freshness: Freshness
    key: int
    row: str


def read(text: str, kind: Kind, sort: Sort, wanted: Filter, now: datetime) -> Walk:
    """Raises: Unusable."""
    written = _written(text, kind)
    try:
        place = _whole(written.key, -1, _LONGEST_DURATION) if sort == "longest_first" else _moment(written.key)
    except ValueError:
        raise _unreadable() from None
    if written.print_of != _print_of(kind, sort, wanted):
        raise Unusable(
            "cursor_of_another_list", "The cursor belongs to other parameters; only limit and include may change."
        )
    _refuse_expired(written, now)
    return Walk(AsOf(written.freshness.as_of, written.snapshot), written.freshness, Place(place, written.row))


def check(text: str, kind: Kind, now: datetime) -> None:
    """What of it can be told where the other parameters cannot be read. Raises: Unusable."""
    _refuse_expired(_written(text, kind), now)


def _written(text: str, kind: Kind) -> _Written:
    try:
        version, print_of, at, snapshot, settled_until, open_calls, key, row = json.loads(
            base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        )
        if version != VERSION or not _ROW.fullmatch(row) or not _is_snapshot(snapshot):
            raise ValueError
        if kind == "calls":
            row = str(UUID(row))
        freshness = Freshness(
            _moment(at), _whole(open_calls, 0, 2**31), None if settled_until is None else _moment(settled_until)
        )
        return _Written(print_of, snapshot, freshness, _whole(key, -_LONGEST_DURATION, _LONGEST_DURATION), row)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise _unreadable() from None


def _unreadable() -> Unusable:
    return Unusable("unreadable_cursor", "This is no cursor of ours.")


def _refuse_expired(written: _Written, now: datetime) -> None:
    if now - written.freshness.as_of > CURSOR_LIVES:
        raise Unusable("cursor_expired", "A cursor is good for a day; begin again without one.")


def _print_of(kind: Kind, sort: Sort, wanted: Filter) -> str:
    return hashlib.sha256(f"{kind} {sort} {wanted!r}".encode()).hexdigest()[:16]


def _is_snapshot(text: Any) -> bool:
    """What Postgres takes as a `pg_snapshot`: `xmin:xmax:xip,…`, each of these within the two, in order."""
    match = _SNAPSHOT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return False
    first, last = int(match[1]), int(match[2])
    running = [int(one) for one in match[3].split(",")] if match[3] else []
    ordered = all(one < another for one, another in pairwise(running))
    return 0 < first <= last and ordered and all(first <= one < last for one in running)


def _moment(microseconds: Any) -> datetime:
    return to_datetime(_whole(microseconds, _EARLIEST, _LATEST))


def _whole(number: Any, least: int, most: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise ValueError
    return number
