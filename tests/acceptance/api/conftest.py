from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.store import keys, networks
from gateway.store.connection import Pool
from tests.acceptance.api.asterisk_that_answers import AsteriskThatAnswers


@pytest.fixture
def asterisk() -> AsteriskThatAnswers:
    return AsteriskThatAnswers()


@pytest.fixture
async def key(pool: Pool, acme: Directory) -> str:
    """A key with all scopes, usable from 192.0.2.0/24."""
    await networks.allow(pool, "acme", networks.parse_network("192.0.2.0/24"))
    return await keys.create(pool, "acme", "test", keys.SCOPES)


@pytest.fixture
def context(pool: Pool, asterisk: AsteriskThatAnswers) -> ApiContext:
    return ApiContext(pool, "pbx1", asterisk)


@pytest.fixture
async def anybody(context: ApiContext) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key, at an allowed address."""
    transport = httpx.ASGITransport(create_app(context), client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
        yield client


@pytest.fixture
async def client(anybody: httpx.AsyncClient, key: str) -> httpx.AsyncClient:
    anybody.headers["Authorization"] = f"Bearer {key}"
    return anybody
