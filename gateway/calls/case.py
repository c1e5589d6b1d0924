"""One call as the rules see it: its facts, and who is who in it.

A `Case` is made anew whenever a record is wanted, from facts that no rule alters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from gateway.calls.channels import Channel
from gateway.calls.dialling import Ringing, ringings, root_of
from gateway.calls.directory import Directory, Endpoint, NodeDirectory, User
from gateway.calls.facts import CallFacts
from gateway.calls.origination import RING_CONTEXT, Origination
from gateway.calls.record import Party
from gateway.calls.talk import Talk, talks

ToE164: TypeAlias = Callable[[str, str], str | None]
"""(number as it came, country) to E.164, or None where it is no number of the public network."""


def account_of(facts: CallFacts, node: NodeDirectory, origination: Origination | None) -> str | None:
    """Whose call it is: by its origination, its first channel's device or trunk, the number dialled, the context."""
    if origination is not None:
        return origination.account
    first = facts.first
    if is_click_to_call(facts) and first.account_code in node.accounts:
        return first.account_code
    endpoint = node.endpoint(first.endpoint)
    if endpoint and not (endpoint.trunk and endpoint.trunk.shared):
        return endpoint.account
    return node.account_of_number(dialled_number(first)) or node.account_of_context(first.context)


def is_click_to_call(facts: CallFacts) -> bool:
    """Whether the call began with the Local channel that the gateway originates."""
    return facts.first.is_local and f"@{RING_CONTEXT}-" in facts.first.name


def dialled_number(first: Channel) -> str:
    """What the first channel dialled. A call that came to `s` shows it, if at all, as DNID."""
    if first.exten in ("s", ""):
        return first.dnid
    return first.exten


@dataclass(frozen=True)
class Case:
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
    def click_to_call(self) -> bool:
        return is_click_to_call(self.facts)

    @cached_property
    def roots(self) -> dict[str, Ringing]:
        """The run that rang each called leg, by the leg's unique id."""
        found = ((leg.unique_id, root_of(self.facts, leg, self.runs)) for leg in self.facts.legs())
        return {unique_id: ringing for unique_id, ringing in found if ringing is not None}

    def rings_the_user(self, ringing: Ringing | None) -> bool:
        """Whether this run rings the devices of the user who clicked."""
        return (
            self.click_to_call
            and ringing is not None
            and ringing.channel.is_local
            and ringing.channel.pair == self.facts.first.pair
            and ringing.channel.half == "2"
        )

    @cached_property
    def caller_channels(self) -> frozenset[str]:
        """The caller's side: the first channel, or in click to call the user's device that answered."""
        if not self.click_to_call:
            return frozenset((self.facts.first.unique_id,))
        return frozenset(
            leg.unique_id
            for leg in self.facts.legs()
            if self.rings_the_user(self.roots.get(leg.unique_id)) and leg.first_bridged_at() is not None
        )

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint, if it is this account's. A party of another account is an outside party."""
        endpoint = self.node.endpoint(name)
        return endpoint if endpoint and endpoint.account == self.account else None

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
