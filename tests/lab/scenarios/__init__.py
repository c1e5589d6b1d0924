"""Calls played on a PBX by real phones, and what must be recorded of them: a module for each family.

A new scenario is a function in its family's module and its line in that module's `SCENARIOS`.
"""

from tests.lab.scenarios import basic, click, groups, queues
from tests.lab.scenarios.model import Play

FAMILIES = (basic, click, groups, queues)
SCENARIOS: tuple[Play, ...] = tuple(play for family in FAMILIES for play in family.SCENARIOS)
