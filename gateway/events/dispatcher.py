"""Sends what the event log tells to the accounts' webhooks, signed as Standard Webhooks 1.0 says."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import httpx
import structlog
from standardwebhooks import Webhook

from gateway.calls.instant import from_datetime, to_text
from gateway.events.addresses import Network, checked_transport
from gateway.events.schedule import next_try
from gateway.events.secrets import SecretBox, SecretKeyError
from gateway.store import webhooks
from gateway.store.connection import Pool

AT_ONCE = 20
TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 5.0
GONE = 410

log = structlog.get_logger()


class Dispatcher:
    """One of any number: deliveries are claimed in Postgres. Woken at each commit that told something."""

    def __init__(self, pool: Pool, box: SecretBox, *, allowed_networks: Sequence[Network] = ()) -> None:
        self._pool = pool
        self._box = box
        self._transport = checked_transport(allowed_networks)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; a database that is away is waited for."""
        async with httpx.AsyncClient(
            transport=self._transport, timeout=TIMEOUT_SECONDS, follow_redirects=False
        ) as client:
            while True:
                try:
                    async with self._pool.acquire() as listener:
                        await listener.add_listener("events", lambda *_: self._wake.set())
                        while not listener.is_closed():
                            await self._round(client)
                except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                    log.warning("dispatcher.interrupted", error=str(error))
                    await asyncio.sleep(1.0)

    async def _round(self, client: httpx.AsyncClient) -> None:
        """Send what is due, then wait for a commit, for the next retry, or for the poll."""
        self._wake.clear()
        await webhooks.enqueue(self._pool)
        while due := await webhooks.claim(self._pool, AT_ONCE):
            await asyncio.gather(*(self._deliver(client, delivery) for delivery in due))
        seconds = await webhooks.next_due_seconds(self._pool)
        wait = POLL_SECONDS if seconds is None else min(POLL_SECONDS, max(seconds, 0.02))
        try:
            await asyncio.wait_for(self._wake.wait(), wait)
        except TimeoutError:
            return

    async def _deliver(self, client: httpx.AsyncClient, delivery: webhooks.Delivery) -> None:
        began = time.monotonic()
        status: int | None = None
        error = ""
        try:
            body = _body(delivery)
            headers = _headers(self._box.open(delivery.secret_encrypted), delivery.event_id, body)
            response = await client.post(delivery.url, content=body, headers=headers)
            status = response.status_code
            error = f"answered {status}"
        except (httpx.HTTPError, httpx.InvalidURL, SecretKeyError) as failure:
            error = str(failure) or type(failure).__name__
        latency_ms = round((time.monotonic() - began) * 1000)
        if status is not None and 200 <= status < 300:
            await webhooks.delivered(self._pool, delivery, status, latency_ms)
            return
        if status == GONE:
            await webhooks.disable(self._pool, delivery.account, delivery.webhook_id)
            return
        age = datetime.now(UTC) - delivery.occurred_at
        again_in = next_try(delivery.tries, age, random.random())  # noqa: S311 - jitter
        await webhooks.failed(self._pool, delivery, status, error, latency_ms, again_in)
        log.info("webhook.failed", webhook=delivery.webhook_id, status=status, error=error, tries=delivery.tries)


def _body(delivery: webhooks.Delivery) -> str:
    envelope = {
        "id": delivery.event_id,
        "sequence": delivery.sequence,
        "type": delivery.type,
        "occurred_at": to_text(from_datetime(delivery.occurred_at)),
        "account": delivery.account,
    }
    # The data is JSON text already, and leaves as the fold wrote it.
    return json.dumps(envelope, separators=(",", ":"))[:-1] + ',"data":' + delivery.data + "}"


def _headers(secret: str, event_id: str, body: str) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, now, body),
    }
