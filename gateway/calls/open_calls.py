"""The calls of one node that are not over, and by what a row finds its own.

A call is known by each of its linked ids, by the unique ids and names of its channels, and by the bridges that
they entered. Names begin again when Asterisk starts: the youngest channel has it.
"""

from dataclasses import dataclass, field

from gateway.calls.directory import NodeDirectory
from gateway.calls.facts import CallFacts
from gateway.calls.life import Life
from gateway.calls.origination import Origination
from gateway.calls.rows import CelRow


@dataclass(slots=True)
class OpenCall:
    id: str
    facts: CallFacts
    directory: NodeDirectory
    origination: Origination | None
    life: Life = field(default_factory=Life)
    merged_ids: list[str] = field(default_factory=list)


class OpenCalls:
    def __init__(self) -> None:
        self._by_linked_id: dict[str, OpenCall] = {}
        self._by_unique_id: dict[str, OpenCall] = {}
        self._by_name: dict[str, OpenCall] = {}
        self._by_bridge: dict[str, OpenCall] = {}

    @property
    def linked_ids(self) -> int:
        return len(self._by_linked_id)

    def each(self) -> list[OpenCall]:
        return list({call.id: call for call in self._by_linked_id.values()}.values())

    def of_linked_id(self, linked_id: str) -> OpenCall | None:
        return self._by_linked_id.get(linked_id)

    def of_channel(self, unique_id: str) -> OpenCall | None:
        return self._by_unique_id.get(unique_id)

    def of_name(self, channel: str) -> OpenCall | None:
        return self._by_name.get(channel)

    def of_bridge(self, bridge_id: str) -> OpenCall | None:
        return self._by_bridge.get(bridge_id)

    def add(self, linked_id: str, call: OpenCall) -> None:
        self._by_linked_id[linked_id] = call

    def add_channel(self, row: CelRow, call: OpenCall) -> bool:
        """Whether the row shows a channel that was not known."""
        if row.unique_id in self._by_unique_id:
            return False
        self._by_unique_id[row.unique_id] = call
        self._by_name[row.channel] = call
        return True

    def enter_bridge(self, bridge_id: str, call: OpenCall) -> OpenCall:
        """The call that was in this bridge first."""
        return self._by_bridge.setdefault(bridge_id, call)

    def hand_over(self, younger: OpenCall, older: OpenCall) -> None:
        """What leads to the younger call leads to the older from now on."""
        for linked_id in younger.facts.linked_ids:
            self._by_linked_id[linked_id] = older
        for unique_id, channel in younger.facts.channels.items():
            self._by_unique_id[unique_id] = older
            self._by_name[channel.name] = older
            for stay in channel.stays:
                if self._by_bridge.get(stay.bridge_id) is younger:
                    self._by_bridge[stay.bridge_id] = older

    def remove(self, call: OpenCall) -> None:
        for linked_id in call.facts.linked_ids:
            self._by_linked_id.pop(linked_id, None)
        for unique_id, channel in call.facts.channels.items():
            self._by_unique_id.pop(unique_id, None)
            if self._by_name.get(channel.name) is call:
                self._by_name.pop(channel.name)
            for stay in channel.stays:
                if self._by_bridge.get(stay.bridge_id) is call:
                    self._by_bridge.pop(stay.bridge_id)
