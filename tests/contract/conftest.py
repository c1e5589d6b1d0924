from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway import directory_file
from gateway.store import directories, keys, networks
from gateway.store.connection import Pool
from tests.acceptance.api.whole import furnished
from tests.lab.asterisk import AsteriskInstance
from tests.lab.gateway import DIRECTORY, Gateway
from tests.lab.phones import device


@dataclass(frozen=True)
class Service:
    """A gateway on a real Postgres and a real Asterisk, with phones of users 101 and 102 that nobody answers."""

    gateway: Gateway
    api: httpx.AsyncClient
    key: str

    @property
    def url(self) -> str:
        return self.gateway.url


@pytest.fixture
async def service(database_url: str, pool: Pool, tmp_path: Path) -> AsyncIterator[Service]:
    """No webhook is sent: endpoints will be anywhere."""
    async with pool.acquire() as connection:
        directory = (await directories.apply(connection, directory_file.read(DIRECTORY))).directory
    await furnished(pool, directory)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "192.0.2.0/24"):
        await networks.allow(pool, "acme", networks.parse_network(network))
    key = await keys.create(pool, "acme", "contract", keys.SCOPES)
    behind_a_proxy = {"GATEWAY_TRUSTED_PROXIES": "127.0.0.1", "GATEWAY_FORWARDED_HEADER": "X-Forwarded-For"}
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(AsteriskInstance(ring_seconds=60))
        for phone in ("101-desk", "102"):
            await stack.enter_async_context(device(pbx, phone))
        gateway = await stack.enter_async_context(
            Gateway(
                pbx,
                tmp_path / "gateway",
                database_url=database_url,
                extra=behind_a_proxy,
                roles="api,listen",
                key=key,
            )
        )
        yield Service(gateway, gateway.api, key)
