"""Everything that is served, for tests that walk the routes, and an account that has something of each kind."""

from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.console.routes import console_routes
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox
from gateway.store import audit, calls, keys, networks, webhooks
from gateway.store.connection import Pool
from tests.acceptance.api.records import SECOND, inbound, instant, through_queue, through_ring_group


def whole_app(context: ApiContext, directory: Path) -> Starlette:
    """As `gateway serve` puts it together. `directory`: for the key that seals secrets."""
    box = SecretBox.from_file(directory / "secret.key")
    return create_app(context, [*webhook_routes(box), *console_routes(context)])


@dataclass(frozen=True)
class Things:
    """One of each kind of resource that has a path of its own, by the path's beginning."""

    call: str
    key: str
    network: str
    webhook: str

    def of(self, path: str) -> str:
        """The id that belongs into the path. A new kind of path has to be told here."""
        kinds = {
            "/v1/calls/": self.call,
            "/v1/api-keys/": self.key,
            "/v1/allowed-networks/": self.network,
            "/v1/webhooks/": self.webhook,
        }
        return next(thing for beginning, thing in kinds.items() if path.startswith(beginning))


async def furnished(pool: Pool, directory: Directory, account: str = "acme") -> Things:
    """Calls of several kinds, and one of everything else."""
    noon = instant("2026-11-03T12:00:00+11:00")
    hour = 3600 * SECOND
    users = directory.users
    records = [
        inbound(directory, noon, account=account),
        through_queue(directory, inbound(directory, noon + hour, account=account)),
        through_ring_group(directory, inbound(directory, noon + 2 * hour, user=users[1], account=account)),
    ]
    async with pool.acquire() as connection:
        await calls.write_records(connection, records)
        webhook = f"wh_{account}"
        await webhooks.create(connection, account, webhook, "https://crm.example/hooks", b"sealed", [])
    key = await keys.made(pool, await keys.create(pool, account, "furniture", ["calls:read"]))
    network = networks.parse_network("203.0.113.0/24" if account == "acme" else "198.51.100.0/24")
    await networks.allow(pool, account, network, "furniture")
    await audit.record(pool, account, "cli", "network.allowed", str(network), None, {"note": "furniture"})
    return Things(str(records[0].id), key.id, str(network), webhook)
