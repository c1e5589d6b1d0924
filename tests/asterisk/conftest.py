"""A real Asterisk for each test: it boots in less than a second."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.asterisk.laboratory import Laboratory
from tests.lab.asterisk import AsteriskInstance


@pytest.fixture
async def lab() -> AsyncIterator[Laboratory]:
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=3))
        yield Laboratory(pbx, stack)
