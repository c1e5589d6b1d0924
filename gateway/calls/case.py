"""One call as the rules see it: its facts, and who is who in it.

A `Case` is made anew whenever a record is wanted, from facts that no rule alters.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from gateway.calls.channels import AppRun, Channel
from gateway.calls.dialling import Ringing, chain_of, made_by, ringings
from gateway.calls.directory import Directory, Endpoint, NodeDirectory, User
from gateway.calls.facts import CallFacts, Pickup
from gateway.calls.origination import RING_CONTEXT, Origination
from gateway.calls.record import Party, UserRef
from gateway.calls.rows import SAME_MOMENT, Instant
from gateway.calls.talk import Talk, talks

ToE164: TypeAlias = Callable[[str, str], str | None]
"""(number as it came, country) to E.164, or None where it is no number of the public network."""


def account_of(facts: CallFacts, node: NodeDirectory, origination: Origination | None) -> str | None:
    """Whose call it is: by its origination, its first channel's device or trunk, the number dialled, the context.

    Where the first channel is a Local half that somebody originated, the first device that it rang tells.
    """
    if origination is not None:
        return origination.account
    first = facts.first
    if is_click_to_call(facts) and first.account_code in node.accounts:
        return first.account_code
    endpoint = node.endpoint(first.endpoint)
    if endpoint and not (endpoint.trunk and endpoint.trunk.shared):
        return endpoint.account
    known = node.account_of_number(dialled_number(first)) or node.account_of_context(first.context)
    if known or not first.is_local:
        return known
    rung = (node.endpoint(leg.endpoint) for leg in facts.legs())
    return next((endpoint.account for endpoint in rung if endpoint), None)


def is_click_to_call(facts: CallFacts) -> bool:
    """Whether the call began with the Local channel that the gateway originates; other programs have others."""
    return facts.first.is_local and f"@{RING_CONTEXT}-" in facts.first.name


def dialled_number(first: Channel) -> str:
    """What the first channel dialled. A call that came to `s` shows it, if at all, as DNID."""
    if first.exten in ("s", ""):
        return first.dnid
    return first.exten


def destination_of(originated: Channel) -> str:
    """Where a channel that somebody originated was sent once it was answered: its own exten says nothing."""
    return next((exten for exten in originated.extens[1:] if exten != "s"), "")


@dataclass(frozen=True)
class Case:
    """`origination`: of a call that the gateway placed, not of one that joined it."""

    facts: CallFacts
    node: NodeDirectory
    account: str
    directory: Directory
    origination: Origination | None
    to_e164: ToE164

    @cached_property
    def runs(self) -> list[Ringing]:
        return ringings(self.facts)

    @cached_property
    def talks(self) -> list[Talk]:
        return talks(self.facts)

    @cached_property
    def wanted(self) -> str:
        """What the caller dialled first, or in click to call the destination; "" where no row shows it."""
        if self.origination:
            return self.origination.destination
        if not self.originated:
            return dialled_number(self.facts.first)
        return self._shown_to_the_user() or destination_of(self.facts.first) or self._first_rung()

    def _shown_to_the_user(self) -> str:
        """The caller id with which click to call rings the user: it is the destination."""
        ringing = self.facts.other_half(self.facts.first) if is_click_to_call(self.facts) else None
        return ringing.number_first if ringing else ""

    def _first_rung(self) -> str:
        """Whom an originated channel rang: a dialplan that dials in subroutines does not show what for."""
        for leg in self.facts.legs():
            ringing = self.roots.get(leg.unique_id)
            if ringing and not self.rings_the_user(ringing):
                user = self.user_of(leg)
                return user.number if user else self.number_called(leg) or ""
        return ""

    @cached_property
    def originated(self) -> bool:
        """Whether some program, the gateway or another, first rang the one and then dialled the other."""
        return self.origination is not None or self.facts.first.is_local or self.is_originated_device(self.facts.first)

    def is_originated_device(self, channel: Channel) -> bool:
        """Whether a user's device was rung by no channel of the call, and without a Local channel before it."""
        return channel.summoned and not channel.is_local and self.user_of(channel) is not None

    def is_originated_pair(self, channel: Channel) -> bool:
        first = self.facts.first
        return first.is_local and channel.is_local and channel.pair == first.pair

    @cached_property
    def chains(self) -> dict[str, tuple[Ringing, ...]]:
        """The runs that rang each called leg, from the nearest to the root, by the leg's unique id."""
        found = ((leg.unique_id, chain_of(self.facts, leg, self.runs)) for leg in self.facts.legs())
        return {unique_id: chain for unique_id, chain in found if chain}

    @cached_property
    def roots(self) -> dict[str, Ringing]:
        """The run that rang each called leg in the end."""
        return {unique_id: chain[-1] for unique_id, chain in self.chains.items()}

    @cached_property
    def first_answers(self) -> dict[int, Instant]:
        """When each run (by its `id()`) was first answered by one of its legs."""
        found: dict[int, Instant] = {}
        for leg in self.facts.legs():
            bridged, ringing = leg.first_bridged_at(), self.roots.get(leg.unique_id)
            if bridged is not None and ringing is not None:
                found[id(ringing)] = min(bridged, found.get(id(ringing), bridged))
        return found

    @cached_property
    def pickups(self) -> list[Pickup]:
        return [pickup for pickup in self.facts.pickups if pickup.picker in self.facts.channels]

    def rings_the_user(self, ringing: Ringing | None) -> bool:
        """Whether this run rings the devices of the user for whom the call was originated."""
        if ringing is None or ringing.is_second_life:
            return False
        return self.is_originated_pair(ringing.channel) and ringing.channel.half == "2"

    @cached_property
    def caller_channels(self) -> frozenset[str]:
        """The caller's side: the first channel, or in click to call the user's device that answered."""
        if not self.facts.first.is_local:
            if self.origination is not None:
                return self._devices_of(self.origination.user)
            return frozenset((self.facts.first.unique_id,))
        return frozenset(
            leg.unique_id
            for leg in self.facts.legs()
            if self.rings_the_user(self.roots.get(leg.unique_id)) and leg.first_bridged_at() is not None
        )

    def _devices_of(self, who: UserRef) -> frozenset[str]:
        """The user's channels that were connected, of a call that the gateway placed and whose beginning was missed."""
        of_user = ((channel, self.user_of(channel)) for channel in self.facts.channels.values())
        return frozenset(
            channel.unique_id
            for channel, user in of_user
            if user is not None and user.id == who.id and channel.first_bridged_at() is not None
        )

    def places(self, channel: Channel, run: AppRun) -> list[str]:
        """The extensions at which the dialplan stood before and at this run.

        For a call from outside, the public number that it dialled stands for the extension to which it leads.
        """
        if self.is_originated_pair(channel) and channel.half == "1":
            # Its first place is for whom it was originated, not whom it dialled.
            return [self.wanted, *(place for place in run.places if place != channel.exten)]
        if channel.is_local or self.user_of(channel):
            return list(run.places)
        return [self.node.extension_of(self.account, place) for place in run.places]

    def on_behalf_of(self, channel: Channel) -> frozenset[str]:
        """The parties (unique ids) for whom a channel runs what it runs: itself, or who is behind a Local half."""
        if not channel.is_local:
            return frozenset((channel.unique_id,))
        if self.is_originated_pair(channel):
            return self.caller_channels
        near = self.facts.by_name(channel.pair + ";1")
        outer = made_by(self.facts, near, [run for run in self.runs if run.channel is not channel]) if near else None
        if outer is not None and outer.channel is not near:
            return self.on_behalf_of(outer.channel)
        return self._consulting(near) if near else frozenset()

    def _consulting(self, near: Channel) -> frozenset[str]:
        """Who first shared a bridge with a consultation's Local channel."""
        stay = near.stays[0] if near.stays else None
        if stay is None:
            return frozenset()
        return frozenset(
            channel.unique_id
            for channel in self.facts.channels.values()
            for other in channel.stays
            if not channel.is_local
            and other.bridge_id == stay.bridge_id
            and other.entered_at <= stay.entered_at + SAME_MOMENT
            and (other.left_at is None or other.left_at > stay.entered_at)
        )

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint, if it is this account's. A party of another account is an outside party."""
        endpoint = self.node.endpoint(name)
        return endpoint if endpoint and endpoint.account == self.account else None

    def channels(self, unique_ids: Iterable[str]) -> list[Channel]:
        return [self.facts.channels[unique_id] for unique_id in unique_ids]

    def user_of(self, channel: Channel) -> User | None:
        endpoint = self.endpoint(channel.endpoint)
        return endpoint.user if endpoint else None

    def public(self, number: str) -> str | None:
        """A number as it leaves: E.164 if it is one of the public network, as it came if not, None if hidden."""
        if number in ("", "anonymous", "Anonymous", "unknown", "s"):
            return None
        return self.to_e164(number, self.directory.country) or number

    def number_called(self, leg: Channel) -> str | None:
        """The outside number that was dialled to reach this leg."""
        ringing = self.roots.get(leg.unique_id)
        for run in (ringing, *self.runs):
            for target in run.targets() if run else ():
                if target.endpoint == leg.endpoint and target.number:
                    return self.public(target.number)
        return self.public(leg.number_now)

    def party(self, unique_id: str) -> Party:
        """Who is at this channel."""
        channel = self.facts.channels[unique_id]
        user = self.user_of(channel)
        if user:
            return Party(user.number, user.name, user.ref)
        if channel.dialled:
            return Party(self.number_called(channel), None, None)
        return Party(self.public(channel.caller_number), channel.caller_name or None, None)
