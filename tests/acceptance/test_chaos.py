"""The chaos run in short: each kind of fault once, beside 150 calls, with the journal and over AMI."""

import json

import pytest

from tests.chaos.run import Options, run, table
from tests.chaos.schedule import KINDS

CALLS = 150
FAULTS = 13


@pytest.mark.timeout(400)
@pytest.mark.parametrize("journal", [True, False], ids=["journal", "ami"])
async def test_nothing_is_lost_nothing_twice(journal: bool) -> None:
    result = await run(Options(seed=7, calls=CALLS, faults=FAULTS, journal=journal))
    assert result.right, f"{table(result)}\n{json.dumps(result.figures())}"
    assert set(result.faults) == set(KINDS)
    assert len(result.truths) >= CALLS
