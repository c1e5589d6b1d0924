"""Who rang whom: dial strings read, and each called leg traced to the Dial or Queue that made it.

CEL does not say which application made a leg. A Dial names its targets in its data, a Queue
does not; a leg behind a Local channel belongs to whatever rang the Local channel. A Local
channel that no application rang was made for a consultation: its own Dial is then the root.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.calls.channels import AppRun, Channel
from gateway.calls.facts import CallFacts, Transfer
from gateway.calls.rows import SAME_MOMENT, Instant

DIALLING_APPS = ("Dial", "Queue")


class Target(NamedTuple):
    """One destination of a dial string. `number` is set where one is dialled through an endpoint."""

    endpoint: str
    number: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Ringing:
    """One run of Dial or Queue on one channel. Like channels, two are the same only if they are one.

    `heir`: the channel that took over while it rang, in an attended transfer, with its own run of the same.
    """

    channel: Channel
    run: AppRun
    heir: Channel | None = None
    inherited: AppRun | None = None

    @property
    def is_queue(self) -> bool:
        return self.run.app == "Queue"

    @property
    def queue_name(self) -> str:
        return self.run.data.split(",", 1)[0]

    @property
    def ended_at(self) -> Instant | None:
        return self.inherited.ended_at if self.inherited else self.run.ended_at

    @property
    def is_second_life(self) -> bool:
        """Whether its channel had been connected before, and now rings for whoever it left behind."""
        return any(not stay.holding and stay.entered_at < self.run.started_at for stay in self.channel.stays)

    def targets(self) -> tuple[Target, ...]:
        return () if self.is_queue else dial_targets(self.run.data)

    def names(self, leg: Channel) -> bool:
        return any(target.endpoint == leg.endpoint for target in self.targets())

    def rang_at(self, at: Instant) -> bool:
        """Whether it was ringing then: not before it ran, nor once its channel was connected."""
        if at < self.run.started_at or (self.ended_at is not None and at > self.ended_at):
            return False
        connected = self.connected_at()
        return connected is None or at <= connected

    def connected_at(self) -> Instant | None:
        """When the channel, or its heir, came into a bridge while this ran."""
        stays = [*self.channel.stays, *(self.heir.stays if self.heir else ())]
        entered = sorted(stay.entered_at for stay in stays if stay.entered_at >= self.run.started_at)
        return next((at for at in entered if self.ended_at is None or at < self.ended_at), None)


@lru_cache(maxsize=10_000)
def dial_targets(data: str) -> tuple[Target, ...]:
    """The targets of Dial's first argument, each endpoint once.

    `PJSIP/101`, `PJSIP/101/sip:101@192.0.2.1:5060` (a contact), `PJSIP/+61255501234@trunk`,
    `PJSIP/trunk/sip:+61255501234@192.0.2.9` and `Local/103@agents/n` are the forms.
    """
    targets: dict[str, Target] = {}
    for item in data.split(",", 1)[0].split("&"):
        technology, _, resource = item.partition("/")
        if not resource:
            continue
        name, slash, uri = resource.partition("/")
        number: str | None = None
        if technology == "Local":
            pass
        elif slash:
            number = uri.removeprefix("sip:").partition("@")[0] or None
        elif "@" in name:
            number, _, name = name.rpartition("@")
        endpoint = f"{technology}/{name}"
        targets.setdefault(endpoint, Target(endpoint, number))
    return tuple(targets.values())


def ringings(facts: CallFacts) -> list[Ringing]:
    """Every run of Dial and Queue in the call, by the time it was first seen."""
    found = [
        Ringing(channel, run) for channel in facts.channels.values() for run in channel.runs if run.app in DIALLING_APPS
    ]
    for transfer in facts.transfers:
        if transfer.app:
            found = _taken_over(facts, found, transfer)
    return sorted(found, key=lambda ringing: ringing.run.started_at)


def _taken_over(facts: CallFacts, found: list[Ringing], transfer: Transfer) -> list[Ringing]:
    """What rings after an attended transfer to somebody who still rings.

    Asterisk swaps the transferee with the transferer's second channel: each then shows the other's run as its own.
    """
    second = [ringing for ringing in found if ringing.channel.unique_id == transfer.second]
    original = next((ringing for ringing in reversed(second) if ringing.run.started_at < transfer.at), None)
    heir = facts.channels.get(transfer.transferee)
    if original is None or heir is None:
        return found
    swapped = [ringing for ringing in second if ringing.run.started_at >= transfer.at]
    inherited = next(
        (
            ringing
            for ringing in found
            if ringing.channel is heir
            and ringing.run.started_at >= transfer.at
            and (ringing.run.app, ringing.run.data) == (original.run.app, original.run.data)
        ),
        None,
    )
    if inherited is None:
        return [ringing for ringing in found if ringing not in swapped]
    gone = [original, inherited, *swapped]
    return [ringing for ringing in found if ringing not in gone] + [
        Ringing(original.channel, original.run, heir, inherited.run)
    ]


def made_by(facts: CallFacts, leg: Channel, runs: list[Ringing]) -> Ringing | None:
    """The run that made this leg, of any technology, or None where no row shows one."""
    ringing = [run for run in runs if run.rang_at(leg.first_seen) and run.channel is not leg]
    forwarded = {forward.unique_id for forward in facts.forwards}
    for likely in (
        (run for run in reversed(ringing) if run.names(leg)),
        (run for run in reversed(ringing) if run.is_queue),
        (run for run in reversed(ringing) if run.channel.unique_id in forwarded),
    ):
        if (found := next(likely, None)) is not None:
            return found
    hidden = [run for run in runs if run.run.started_at >= leg.first_seen and run.names(leg)]
    if hidden:
        return hidden[0]
    return ringing[-1] if ringing and not leg.is_local else None


def unexplained(facts: CallFacts, runs: list[Ringing]) -> bool:
    """Whether a row is missing that would say why a leg was rung, or why a channel shows another's Dial."""
    return any(_no_forward(facts, channel, runs) for channel in facts.channels.values()) or any(
        _no_transfer(facts, ringing, runs) for ringing in runs if ringing.run.hidden
    )


def _no_forward(facts: CallFacts, channel: Channel, runs: list[Ringing]) -> bool:
    """Whether an application rang a Local channel and nothing says for whom: a FORWARD was lost."""
    near = channel.is_local and channel.half == "1" and channel.rung
    return near and made_by(facts, channel, runs) is None


def _no_transfer(facts: CallFacts, hidden: Ringing, runs: list[Ringing]) -> bool:
    """Whether a Dial follows, without an APP_START, one that was answered or still rang: an ATTENDEDTRANSFER was lost.

    One that follows another which rang in vain is shown in the same way, and is what it looks like.
    """
    own = [ringing for ringing in runs if ringing.channel is hidden.channel]
    before = own[own.index(hidden) - 1] if own.index(hidden) else None
    began = hidden.run.started_at
    if any(stay.holding and stay.entered_at < began for stay in hidden.channel.stays):
        # Who was parked rings on with the Dial that never ended.
        return False
    if before is None or before.connected_at() is not None:
        told = any(transfer.transferee == hidden.channel.unique_id for transfer in facts.transfers)
        return not told and not any(made_by(facts, leg, runs) is hidden for leg in facts.legs())
    still = (leg for leg in facts.legs() if leg.ended_at is None or leg.ended_at > began + SAME_MOMENT)
    return any(leg.first_seen < began and made_by(facts, leg, runs) is before for leg in still)


def chain_of(facts: CallFacts, leg: Channel, runs: list[Ringing]) -> tuple[Ringing, ...]:
    """The runs that rang for this leg, from the one that made it to the one that rang in the end.

    Local channels that were rung are looked through; the last is the root. One that was connected and rings on
    does so for a transfer: it is the root.
    """
    chain: list[Ringing] = []
    made: Channel | None = leg
    while made is not None and len(chain) < len(facts.channels):
        ringing = made_by(facts, made, [run for run in runs if run not in chain])
        if ringing is None:
            break
        chain.append(ringing)
        looked_through = ringing.channel.is_local and not ringing.is_second_life
        made = facts.by_name(ringing.channel.pair + ";1") if looked_through else None
    return tuple(chain)
