"""Facts about one call: the channels of its linked ids, with what queues and users' events told.

A call is the group of linked ids that share a channel; `CallFacts` is that group's bookkeeping,
the same for every kind of call. Rules read it and never write to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.calls.channels import Channel, channel_from
from gateway.calls.rows import QUEUE_OVER, SAME_MOMENT, CelRow, ChannelsAlive, Instant, QueueRow


class UserEvent(NamedTuple):
    """What a dialplan said with CELGenUserEvent."""

    at: Instant
    unique_id: str
    type: str
    text: str


class Pickup(NamedTuple):
    """The channel `picker` took the call that rang at `rang` (unique ids)."""

    at: Instant
    rang: str
    picker: str


class Transfer(NamedTuple):
    """A transfer that Asterisk told of: BLINDTRANSFER or ATTENDEDTRANSFER, on the transferer's channel.

    `second` is the transferer's other channel; "" where one served for both. `app`: that one still waited in an
    application; the `transferee` then takes its place there.
    """

    at: Instant
    unique_id: str
    event: str
    transferee: str
    second: str
    app: str


class Forward(NamedTuple):
    """A phone sent the call of the channel that rang it elsewhere (302)."""

    at: Instant
    unique_id: str


@dataclass(slots=True)
class CallFacts:
    """`channels` by unique id, in the order in which they were first seen. `gap`: rows of it were lost for sure."""

    linked_ids: list[str]
    started_at: Instant
    channels: dict[str, Channel] = field(default_factory=dict)
    queue_rows: list[QueueRow] = field(default_factory=list)
    user_events: list[UserEvent] = field(default_factory=list)
    pickups: list[Pickup] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    ended_linked_ids: set[str] = field(default_factory=set)
    gap: bool = False
    unsaid: list[Instant] = field(default_factory=list)
    """When other calls were joined in a bridge, and nothing that joins calls was seen as yet."""
    last_row_at: Instant = 0
    _by_name: dict[str, Channel] = field(default_factory=dict)

    @property
    def first(self) -> Channel:
        """The channel with which the call began: for whom the linked id was made."""
        return next(iter(self.channels.values()))

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, as far as the rows can tell."""
        return not self.gap and not self.unsaid and all(channel.seen_whole for channel in self.channels.values())

    @property
    def all_channels_ended(self) -> bool:
        return all(channel.end_seen for channel in self.channels.values())

    @property
    def all_channels_hung_up(self) -> bool:
        return all(channel.ended_at is not None for channel in self.channels.values())

    @property
    def all_ids_ended(self) -> bool:
        return self.ended_linked_ids.issuperset(self.linked_ids)

    @property
    def queues_told_all(self) -> bool:
        """Whether as many visits to queues were told to be over as were told to have begun.

        By number: the end is told of the channel that took the caller's place, if one did. AMI tells an end twice,
        once as LEAVE.
        """
        events = [row.event for row in self.queue_rows]
        left = events.count("LEAVE")
        ended = sum(1 for event in events if event in QUEUE_OVER) - left - events.count("JOINEMPTY")
        return max(left, ended) >= events.count("ENTERQUEUE")

    def legs(self) -> Iterator[Channel]:
        """The called legs, Local halves looked through."""
        return (channel for channel in self.channels.values() if channel.dialled and not channel.is_local)

    def by_name(self, name: str) -> Channel | None:
        """The youngest channel of this name: names begin again when Asterisk starts."""
        return self._by_name.get(name)

    def other_half(self, channel: Channel) -> Channel | None:
        return self.by_name(channel.pair + (";2" if channel.half == "1" else ";1"))

    def meets(self, row: CelRow) -> bool:
        """Whether somebody else is in the bridge that this row enters."""
        bridge_id = row.extra.get("bridge_id", "")
        return any(
            stay.bridge_id == bridge_id and stay.left_at is None
            for channel in self.channels.values()
            if channel.unique_id != row.unique_id and channel.stays
            for stay in channel.stays[-1:]
        )

    def take(self, row: CelRow) -> None:
        """Note one row of one of the call's linked ids."""
        self.last_row_at = max(self.last_row_at, row.at)
        self.started_at = min(self.started_at, row.at)
        if row.event == "LINKEDID_END":
            self.ended_linked_ids.add(row.linked_id)
            return
        channel = self.channels.get(row.unique_id)
        if channel is None:
            channel = self.channels[row.unique_id] = channel_from(row)
            self._by_name[channel.name] = channel
        channel.take(row)
        match row.event:
            case "USER_DEFINED":
                self.gap = self.gap or "extra" not in row.extra
                self.user_events.append(UserEvent(row.at, row.unique_id, row.user_type, row.extra.get("extra", "")))
            case "PICKUP":
                self._take_pickup(row)
            case "BLINDTRANSFER" | "ATTENDEDTRANSFER":
                self._take_transfer(row)
            case "FORWARD":
                self.forwards.append(Forward(row.at, row.unique_id))

    def _take_transfer(self, row: CelRow) -> None:
        self.gap = self.gap or not row.extra
        self.transfers.append(_transfer(row))
        if row.event == "ATTENDEDTRANSFER":
            # It says why calls were joined just now; what joined others before is still not said.
            self.unsaid = [at for at in self.unsaid if row.at - at > SAME_MOMENT]

    def _take_pickup(self, row: CelRow) -> None:
        picker = row.extra.get("pickup_channel_uniqueid")
        if picker is None:
            self.gap = True
        elif all(pickup.rang != row.unique_id for pickup in self.pickups):
            self.pickups.append(Pickup(row.at, row.unique_id, picker))

    def end_unheard(self, alive: ChannelsAlive) -> bool:
        """End the channels that are not alive any more though nothing told of their end; whether there are any.

        When they did is not known: since the source hears again at the latest.
        """
        dead = [
            channel
            for channel in self.channels.values()
            if not channel.end_seen and channel.unique_id not in alive.unique_ids and channel.last_row_at < alive.since
        ]
        for channel in dead:
            channel.end_unheard(alive.since)
        self.gap = self.gap or bool(dead)
        return bool(dead)

    def absorb(self, other: "CallFacts") -> None:
        """Make the younger call `other` part of this one."""
        self.linked_ids += [linked_id for linked_id in other.linked_ids if linked_id not in self.linked_ids]
        for unique_id, channel in other.channels.items():
            self.channels.setdefault(unique_id, channel)
            self._by_name[channel.name] = channel
        self.queue_rows += other.queue_rows
        self.user_events += other.user_events
        self.pickups += other.pickups
        self.transfers += other.transfers
        self.forwards += other.forwards
        self.ended_linked_ids |= other.ended_linked_ids
        self.gap = self.gap or other.gap
        self.unsaid += other.unsaid
        self.last_row_at = max(self.last_row_at, other.last_row_at)


def _transfer(row: CelRow) -> Transfer:
    said = row.extra
    transferee, second = said.get("transferee_channel_uniqueid", ""), said.get("channel2_uniqueid", "")
    second = "" if second == row.unique_id else second
    return Transfer(row.at, row.unique_id, row.event, transferee, second, said.get("app", ""))
