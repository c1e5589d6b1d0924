"""Calls played on a PBX by real phones, and what must be recorded of them: a module for each family.

A new scenario is a function in its family's module and its line in that module's `SCENARIOS`, which
are played on the demo PBX. What is also (or only) played on the foreign one is in its `FOREIGN`.
"""

from collections.abc import Mapping

from tests.lab.asterisk import Pbx
from tests.lab.scenarios import (
    accounts,
    applications,
    basic,
    chains,
    click,
    conference,
    devices,
    forwarding,
    groups,
    parking,
    pickup,
    queues,
    transfers,
    voicemail,
)
from tests.lab.scenarios.model import Play

FAMILIES = (
    basic,
    devices,
    click,
    groups,
    queues,
    forwarding,
    voicemail,
    accounts,
    transfers,
    pickup,
    parking,
    conference,
    applications,
    chains,
)
SCENARIOS: tuple[Play, ...] = tuple(play for family in FAMILIES for play in family.SCENARIOS)
PLAYED_ON: Mapping[Pbx, tuple[Play, ...]] = {
    "demo": SCENARIOS,
    "foreign": tuple(play for family in FAMILIES for play in getattr(family, "FOREIGN", ())),
}
PLACED_BY_GATEWAY: frozenset[Play] = frozenset((*click.SCENARIOS, *chains.PLACED))

MAIN_JOB: tuple[Play, ...] = (
    basic.internal_caller_ends,
    basic.internal_callee_ends,
    basic.internal_no_answer,
    basic.internal_busy,
    basic.internal_declined,
    basic.internal_cancelled,
    basic.internal_unreachable,
    basic.outbound_answered,
    basic.outbound_no_answer,
    basic.outbound_busy,
    basic.outbound_failed,
    basic.outbound_cancelled,
    basic.inbound_to_two_devices,
    basic.inbound_callee_ends,
    basic.inbound_no_answer,
    basic.inbound_cancelled,
    click.click_user_ends,
    click.click_destination_ends,
    click.click_user_no_answer,
    click.click_user_declines,
    click.click_destination_busy,
    click.click_destination_declines,
    click.click_trunk_fails,
    click.click_destination_no_answer,
    click.click_user_gives_up,
    click.click_to_an_extension,
    click.click_congested_other_device_busy,
    click.click_do_not_disturb,
    groups.group_answered,
    groups.group_nobody,
    groups.group_given_up,
    queues.queue_answered,
    queues.queue_abandoned,
    queues.queue_timed_out,
)
"""Those played live, in both modes, each time the tests run; the others are played by the recorder."""
