"""Who rang whom: dial strings read, and each called leg traced to the Dial or Queue that made it.

CEL does not say which application made a leg. A Dial names its targets in its data, a Queue
does not; a leg behind a Local channel belongs to whatever rang the Local channel.
"""

from dataclasses import dataclass
from typing import NamedTuple

from gateway.calls.channels import AppRun, Channel
from gateway.calls.facts import CallFacts

DIALLING_APPS = ("Dial", "Queue")


class Target(NamedTuple):
    """One destination of a dial string. `number` is set where one is dialled through an endpoint."""

    endpoint: str
    number: str | None


@dataclass(frozen=True, slots=True)
class Ringing:
    """One run of Dial or Queue on one channel."""

    channel: Channel
    run: AppRun

    @property
    def is_queue(self) -> bool:
        return self.run.app == "Queue"

    @property
    def queue_name(self) -> str:
        return self.run.data.split(",", 1)[0]

    def targets(self) -> list[Target]:
        return [] if self.is_queue else dial_targets(self.run.data)


def dial_targets(data: str) -> list[Target]:
    """The targets of Dial's first argument, each endpoint once.

    `PJSIP/101`, `PJSIP/101/sip:101@192.0.2.1:5060` (a contact), `PJSIP/+61255501234@trunk` and
    `PJSIP/trunk/sip:+61255501234@192.0.2.9` are the forms of chan_pjsip.
    """
    targets: dict[str, Target] = {}
    for item in data.split(",", 1)[0].split("&"):
        technology, _, resource = item.partition("/")
        if not resource:
            continue
        if technology == "Local":
            targets.setdefault(item, Target(item, None))
            continue
        name, slash, uri = resource.partition("/")
        number: str | None = None
        if slash:
            number = uri.removeprefix("sip:").partition("@")[0] or None
        elif "@" in name:
            number, _, name = name.rpartition("@")
        endpoint = f"{technology}/{name}"
        targets.setdefault(endpoint, Target(endpoint, number))
    return list(targets.values())


def ringings(facts: CallFacts) -> list[Ringing]:
    """Every run of Dial and Queue in the call, by the time it was first seen."""
    found = [
        Ringing(channel, run) for channel in facts.channels.values() for run in channel.runs if run.app in DIALLING_APPS
    ]
    return sorted(found, key=lambda ringing: ringing.run.started_at)


def made_by(leg: Channel, runs: list[Ringing]) -> Ringing | None:
    """The run that made this leg (of any technology), or None where no row shows one."""
    naming = [r for r in runs if any(target.endpoint == leg.endpoint for target in r.targets())]
    running = [r for r in naming if _ran_at(r, leg)]
    if running:
        return running[-1]
    queues = [r for r in runs if r.is_queue and _ran_at(r, leg)]
    if queues:
        return queues[-1]
    later = [r for r in naming if r.run.started_at >= leg.first_seen]
    if later:
        return later[0]
    before = [r for r in runs if r.run.started_at <= leg.first_seen]
    return before[-1] if before else None


def root_of(facts: CallFacts, leg: Channel, runs: list[Ringing]) -> Ringing | None:
    """The run that rang for this leg in the end, looking through Local channels that were rung."""
    ringing = made_by(leg, runs)
    for _ in range(len(facts.channels)):
        if ringing is None or not ringing.channel.is_local:
            return ringing
        first_half = facts.by_name(ringing.channel.pair + ";1")
        if first_half is None or not first_half.dialled:
            return ringing
        ringing = made_by(first_half, [r for r in runs if r is not ringing])
    return ringing


def _ran_at(ringing: Ringing, leg: Channel) -> bool:
    run = ringing.run
    return run.started_at <= leg.first_seen and (run.ended_at is None or leg.first_seen <= run.ended_at)
