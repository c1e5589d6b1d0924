"""Calls of which not all is shown that belongs to an end: they are given some of the source's own time to show it."""

from collections import OrderedDict
from collections.abc import Iterator

from gateway.calls.facts import CallFacts
from gateway.calls.open_calls import OpenCall
from gateway.calls.rows import Instant

DOUBT = 30_000_000
"""Microseconds that a call whose channels all hung up is kept open, if its end is not wholly shown."""

LONG_DOUBT = 24 * 3_600_000_000
"""The same, where a channel may still talk though its linked id was said to be over."""

QUEUE_DOUBT = 2_000_000
"""The same, where all has ended but a queue has not told how a visit ended: AMI sends it beside CEL, in no order."""


def patience_with(facts: CallFacts) -> Instant | None:
    """For how long the call may still be doubted to be over: 0 if it is for sure, None if nothing says that it is."""
    if facts.all_channels_ended and facts.all_ids_ended:
        return 0 if facts.queues_told_all else QUEUE_DOUBT
    if facts.all_channels_hung_up:
        return DOUBT
    return LONG_DOUBT if facts.all_ids_ended else None


class Doubts:
    """Doubtful calls, by how long each may be doubted; in either the one that was doubted first comes first."""

    def __init__(self) -> None:
        self._by_patience: dict[Instant, OrderedDict[str, tuple[Instant, OpenCall]]] = {
            QUEUE_DOUBT: OrderedDict(),
            DOUBT: OrderedDict(),
            LONG_DOUBT: OrderedDict(),
        }

    def add(self, call: OpenCall, since: Instant, patience: Instant) -> None:
        self._by_patience[patience][call.id] = (since, call)

    def remove(self, call: OpenCall) -> None:
        for doubtful in self._by_patience.values():
            doubtful.pop(call.id, None)

    def about_queues(self, call: OpenCall) -> bool:
        return call.id in self._by_patience[QUEUE_DOUBT]

    def begin_anew(self, now: Instant) -> None:
        """The clock was set, and it is now `now`: how long each was doubted is not known any more."""
        for doubtful in self._by_patience.values():
            for call_id, (_, call) in doubtful.items():
                doubtful[call_id] = (now, call)

    def settled(self, now: Instant) -> Iterator[OpenCall]:
        """The calls that have had their time; they are doubted no more."""
        for patience, doubtful in self._by_patience.items():
            while doubtful:
                since, call = next(iter(doubtful.values()))
                if now - since < patience:
                    break
                self.remove(call)
                yield call
