"""Who was moved to whom: transfers told by what the channels did, whether an event names them or not.

A channel that rings somebody after it was connected or parked was transferred; so was the target
of a consultation, be it a Local channel that no application rang (by key, by AMI) or the
transferer's second call that was joined to the first (REFER with Replaces, RFC 3891).
"""

from gateway.calls.case import Case
from gateway.calls.channels import Channel
from gateway.calls.dialling import Ringing
from gateway.calls.rows import SAME_MOMENT, Instant


def rung_by_transfer(case: Case, ringing: Ringing) -> bool:
    """Whether this run, the root of a leg, rang because of a transfer, or for one that came."""
    channel = ringing.channel
    if channel.is_local:
        return ringing.is_second_life or not case.is_originated_pair(channel)
    if was_moved(case, channel, ringing.run.started_at):
        return True
    return any(transfer.second == channel.unique_id for transfer in case.facts.transfers)


def was_moved(case: Case, channel: Channel, before: Instant) -> bool:
    """Whether the channel had been parked, or taken from somebody who did not hang up, before this instant."""
    if any(stay.holding and stay.entered_at < before for stay in channel.stays):
        return True
    return any(
        channel.unique_id in talk.parties
        and talk.ended_at is not None
        and talk.ended_at <= before + SAME_MOMENT
        and not _left_by_hanging_up(case, [one for one in talk.parties if one != channel.unique_id], talk.ended_at)
        for talk in case.talks
    )


def _left_by_hanging_up(case: Case, others: list[str], at: Instant) -> bool:
    channels = (case.facts.channels[unique_id] for unique_id in others)
    return any(
        one.hung_up_itself and one.ended_at is not None and abs(one.ended_at - at) <= SAME_MOMENT for one in channels
    )
