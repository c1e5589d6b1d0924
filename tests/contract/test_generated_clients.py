"""Two clients that others' generators make of our document, used against a running gateway.

Nothing of them is kept: they are generated here, from the document that is served.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Service

BOB = {"user": "102", "to": "+61255501234", "reference": "crm-4711"}


@pytest.fixture
def generating(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Generating"]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Generating(service.url, tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] in ("openapi_client", "ab_client")]:
        del sys.modules[name]


class Generating:
    def __init__(self, url: str, directory: Path) -> None:
        self._directory = directory
        self._document = directory / "openapi.json"
        self._document.write_text(httpx.get(f"{url}/v1/openapi.json").text)

    def client(self, name: str, command: str, *arguments: str) -> ModuleType:
        """The package of this name, as the generator makes it."""
        words = [word.format(document=self._document, client=self._directory / name) for word in arguments]
        tools = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}  # It has what it made formatted.
        done = subprocess.run(
            [tools / command, *words],
            cwd=self._directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return importlib.import_module(name)


@pytest.mark.timeout(300)
async def test_openapi_python_client(generating: Generating, service: Service) -> None:
    arguments = ["generate", "--path", "{document}", "--output-path", "{client}", "--meta", "none", "--fail-on-warning"]
    package = generating.client("openapi_client", "openapi-python-client", *arguments)
    client = package.AuthenticatedClient(base_url=service.url, token=service.key)

    async def do(operation: str, *path: Any, **more: Any) -> Any:
        module = importlib.import_module(f"openapi_client.api.{operation}")
        return await module.asyncio_detailed(*path, client=client, **more)

    models = importlib.import_module("openapi_client.models")
    everything = (await do("calls.list_calls")).parsed
    assert len(everything.data) == 3
    first = (await do("calls.list_calls", limit=2)).parsed
    rest = (await do("calls.list_calls", limit=2, cursor=first.next_cursor)).parsed
    assert [call.id for call in first.data + rest.data] == [call.id for call in everything.data]
    assert (first.has_more, rest.has_more) == (True, False)
    assert (await do("calls.get_call", first.data[0].id)).parsed == first.data[0]
    refused = (await do("calls.list_user_calls", limit=0)).parsed
    assert (refused.code, refused.errors[0].parameter) == ("invalid_request", "limit")

    checked = (await do("placing_calls.check_call", body=models.PlaceCall.from_dict(BOB))).parsed
    assert checked.placeable
    body = models.PlaceCall.from_dict(BOB)
    placed, again = [await do("placing_calls.place_call", body=body, idempotency_key="one") for _ in range(2)]
    assert (placed.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert placed.parsed.id == again.parsed.id
    assert (await do("placing_calls.hang_up", placed.parsed.id)).status_code in (200, 202)

    made = (await do("access.create_key", body=models.NewKey.from_dict({"name": "x", "scopes": ["calls:read"]}))).parsed
    assert made.id in [key.id for key in (await do("access.list_keys")).parsed.data]
    assert (await do("access.revoke_key", made.id)).status_code == 204
    assert made.id not in [key.id for key in (await do("access.list_keys")).parsed.data]


@pytest.mark.timeout(300)
async def test_ab_openapi_python_generator(generating: Generating, service: Service) -> None:
    package = generating.client("ab_client", "ab-openapi-python-generator", "{document}", "{client}")
    client = importlib.import_module(f"{package.__name__}.clients.async_client").AsyncClient(
        base_url=service.url, access_token=service.key
    )
    models = importlib.import_module(f"{package.__name__}.models")
    everything = await client.list_calls()
    assert len(everything.data) == 3
    first = await client.list_calls(limit=2)
    rest = await client.list_calls(limit=2, cursor=first.next_cursor)
    assert [call.id for call in first.data + rest.data] == [call.id for call in everything.data]
    assert await client.get_call(first.data[0].id) == first.data[0]

    place = models.PlaceCall(**BOB)
    assert (await client.check_call(place)).placeable
    placed = await client.place_call(place)
    await client.hang_up(placed.id)
    assert (await client.get_call(placed.id)).origin.reference == BOB["reference"]

    made = await client.create_key(models.NewKey(name="x", scopes=["calls:read"]))
    assert made.id in [key.id for key in (await client.list_keys()).data]
    await client.revoke_key(made.id)
    assert made.id not in [key.id for key in (await client.list_keys()).data]
    network = await client.allow_network(models.NewNetwork(network="198.51.100.0/24"))
    assert network.network in [one.network for one in (await client.list_networks()).data]
