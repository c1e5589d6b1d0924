"""CDRs, as `cdr_csv` writes them, and which of them tell of one call.

A CDR tells of one channel and of one that it rang, in whole seconds. Those of one unique id are the
ringing devices of one call; a Local channel's halves join the CDRs of either side; so does the
linked id, where Asterisk was told to write it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.calls.rows import Instant

OPEN_GROUPS = 10_000
"""Calls that may still get a CDR; beyond, those that had none for longest are taken to be whole."""

CALLED_LEG = "AppDial"
"""What Asterisk says a channel runs that somebody dialled."""


@dataclass(frozen=True, slots=True)
class CdrRow:
    """One CDR; absent texts are "". `linked_id` is "" where Asterisk was not told to write it."""

    src: str
    dst: str
    caller_name: str
    channel: str
    dst_channel: str
    app: str
    app_data: str
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant
    disposition: str
    unique_id: str
    context: str = ""
    account_code: str = ""
    linked_id: str = ""

    @property
    def answered(self) -> bool:
        return self.disposition == "ANSWERED"


@dataclass(slots=True)
class _Group:
    rows: list[CdrRow] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def overlaps(self, row: CdrRow) -> bool:
        return any(one.started_at <= row.ended_at and row.started_at <= one.ended_at for one in self.rows)


class CdrCalls:
    """Puts CDRs together that are of one call. They come as their channels end, so nearly side by side."""

    def __init__(self, open_groups: int = OPEN_GROUPS) -> None:
        self._most = open_groups
        self._by_key: dict[str, _Group] = {}
        self._groups: OrderedDict[int, _Group] = OrderedDict()

    def take(self, row: CdrRow) -> Iterator[list[CdrRow]]:
        """The calls that are whole now."""
        # A Local channel's name begins again when Asterisk does; the ids do not.
        pairs = [pair for name in (row.channel, row.dst_channel) if (pair := pair_of(name))]
        found = [self._by_key.get(key) for key in (row.unique_id, row.linked_id) if key]
        found += [group for pair in pairs if (group := self._by_key.get(pair)) and group.overlaps(row)]
        joined = list({id(group): group for group in found if group}.values()) or [_Group()]
        group = joined[0]
        for other in joined[1:]:
            group.rows += other.rows
            group.keys += other.keys
            del self._groups[id(other)]
        group.rows.append(row)
        group.keys += [key for key in (row.unique_id, row.linked_id, *pairs) if key]
        self._by_key.update(dict.fromkeys(group.keys, group))
        self._groups[id(group)] = group
        self._groups.move_to_end(id(group))
        while len(self._groups) > self._most:
            yield self._close()

    def finish(self) -> Iterator[list[CdrRow]]:
        while self._groups:
            yield self._close()

    def _close(self) -> list[CdrRow]:
        _, group = self._groups.popitem(last=False)
        for key in group.keys:
            if self._by_key.get(key) is group:
                del self._by_key[key]
        return group.rows


def in_order(rows: Iterable[CdrRow]) -> list[CdrRow]:
    """By their time; first of all the CDR of the channel that began the call."""
    by_time = sorted(rows, key=lambda row: row.started_at)
    rung = {pair_of(row.dst_channel) for row in by_time}

    def plumbing(row: CdrRow) -> tuple[bool, bool]:
        pair = pair_of(row.channel)
        far_side = bool(pair) and (row.channel.endswith(";2") or pair in rung)
        return far_side or row.app == CALLED_LEG, row.linked_id not in ("", row.unique_id)

    first = min(by_time, key=plumbing)
    return [first, *(row for row in by_time if row is not first)]


def endpoint_of(channel: str) -> str:
    """`PJSIP/101-desk` of the channel `PJSIP/101-desk-0000001a`."""
    return channel.rpartition("-")[0]


def pair_of(channel: str) -> str:
    """What both halves of a Local channel are called; "" for any other."""
    return channel.rpartition(";")[0] if channel.startswith("Local/") else ""


def local_number(channel: str) -> str:
    return channel.removeprefix("Local/").partition("@")[0] if pair_of(channel) else ""
