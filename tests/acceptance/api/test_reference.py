"""What a client calls its call by comes back with everything that is told of it."""

from dataclasses import replace
from pathlib import Path

import httpx

from gateway.api.app import create_app
from gateway.api.context import ApiContext
from gateway.calls.directory import Directory
from gateway.calls.life import Life
from gateway.calls.record import GroupRef, Origin, Visit
from gateway.events.routes import webhook_routes
from gateway.events.secrets import SecretBox
from gateway.store import calls
from gateway.store.connection import Pool
from tests.acceptance.api.records import inbound, instant, through_queue

NOON = "2026-11-03T12:00:00+11:00"


async def test_call_lists_and_events_bear_the_reference(
    context: ApiContext, key: str, pool: Pool, acme: Directory, tmp_path: Path
) -> None:
    plain = inbound(acme, instant(NOON))
    record = through_queue(acme, replace(plain, origin=Origin("click_to_call", acme.users[0].ref, "crm-4711")))
    group = Visit(
        f"{record.id}-g1", "ring_group", GroupRef("600", "sales"), "no_answer", None, record.started_at, None,
        record.ended_at, 0, 0,
    )  # fmt: skip
    record = replace(record, visits=(*record.visits, group))
    async with pool.acquire() as connection, connection.transaction():
        await calls.write_records(connection, [record])
        await calls.append_events(connection, Life().over(record))

    transport = httpx.ASGITransport(
        create_app(context, webhook_routes(SecretBox.from_file(tmp_path / "key"))), client=("192.0.2.7", 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://g", headers={"token": key}) as client:
        assert (await client.get(f"/v1/calls/{record.id}")).json()["origin"]["reference"] == "crm-4711"
        for path in ("calls", "user-calls", "queue-calls", "ring-group-calls"):
            (row,) = (await client.get(f"/v1/{path}?reference=crm-4711")).json()["data"]
            assert row.get("reference", (row.get("origin") or {}).get("reference")) == "crm-4711", path
            assert (await client.get(f"/v1/{path}?reference=crm-4712")).json()["data"] == []
        events = (await client.get("/v1/events?limit=100")).json()["data"]
    assert {"call.started", "call.ended", "user.ended", "queue.entered", "queue.left", "ring_group.left"} <= {
        event["type"] for event in events
    }
    for event in events:
        data = event["data"]
        assert data.get("reference", (data.get("origin") or {}).get("reference")) == "crm-4711", event["type"]
