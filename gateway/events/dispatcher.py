"""Sends what the event log tells to the accounts' webhooks, signed as Standard Webhooks 1.0 says."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import httpx
import structlog
from standardwebhooks import Webhook

from gateway.events.addresses import Network, checked_transport
from gateway.events.envelope import event_text
from gateway.events.schedule import next_try
from gateway.events.secrets import SecretBox, SecretKeyError
from gateway.store import webhooks
from gateway.store.connection import DRIVER_ERRORS, Pool, told_to_end

AT_ONCE = 20
MOST_TO_ONE = 5
"""To one endpoint at once, and once as many when it is claimed for: one that does not answer leaves room for others."""

TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 5.0
SHORTEST_WAIT_SECONDS = 0.05
DATABASE_AWAY_SECONDS = 1.0
GONE = 410
DATABASE_ERRORS = (asyncpg.PostgresError, *DRIVER_ERRORS, OSError, TimeoutError)

log = structlog.get_logger()


class Dispatcher:
    """One of any number: deliveries are claimed in Postgres. Woken at each commit that told something."""

    def __init__(self, pool: Pool, box: SecretBox, *, allowed_networks: Sequence[Network] = ()) -> None:
        self._pool = pool
        self._box = box
        self._transport = checked_transport(allowed_networks)
        self._wake = asyncio.Event()
        self._sending: dict[asyncio.Task[None], webhooks.Endpoint] = {}

    async def run(self) -> None:
        """Until cancelled; a database that is away is waited for."""
        async with httpx.AsyncClient(
            transport=self._transport, follow_redirects=False, timeout=TIMEOUT_SECONDS
        ) as client:
            try:
                while True:
                    try:
                        await self._listen(client)
                    except DATABASE_ERRORS as error:
                        log.warning("dispatcher.interrupted", error=str(error) or type(error).__name__)
                    if told_to_end():
                        return
                    await asyncio.sleep(DATABASE_AWAY_SECONDS)
            finally:
                await self._stop_sending()

    async def _listen(self, client: httpx.AsyncClient) -> None:
        """Send, for as long as one connection to the database lives."""
        async with self._pool.acquire() as listener:
            await listener.add_listener("events", self._notified)
            try:
                while not listener.is_closed() and not told_to_end():
                    await self._round(client)
            finally:
                # A connection that died in the meantime has nothing to remove, and says so.
                with contextlib.suppress(*DATABASE_ERRORS):
                    await listener.remove_listener("events", self._notified)

    def _notified(self, *_: object) -> None:
        self._wake.set()

    async def _round(self, client: httpx.AsyncClient) -> None:
        """Begin what is due and fits, then wait for a commit, a finished delivery, the next retry, or the poll."""
        self._wake.clear()
        if await webhooks.enqueue(self._pool):
            self._wake.set()
        free = min(MOST_TO_ONE, AT_ONCE - len(self._sending))
        claimed = await webhooks.claim(self._pool, free, self._busy()) if free else []
        for delivery in claimed:
            task = asyncio.create_task(self._deliver(client, delivery))
            self._sending[task] = delivery.endpoint
            task.add_done_callback(self._finished)
        if claimed and len(claimed) == free:
            self._wake.set()
        seconds = await webhooks.next_due_seconds(self._pool, self._busy()) if len(self._sending) < AT_ONCE else None
        wait = POLL_SECONDS if seconds is None else min(POLL_SECONDS, max(seconds, SHORTEST_WAIT_SECONDS))
        with contextlib.suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it loses a cancellation that meets the wake-up.
            async with asyncio.timeout(wait):
                await self._wake.wait()

    def _busy(self) -> list[webhooks.Endpoint]:
        return [endpoint for endpoint, count in Counter(self._sending.values()).items() if count >= MOST_TO_ONE]

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._wake.set()

    async def _stop_sending(self) -> None:
        """What is under way is cut off; its claim runs out, and it is sent again with the same id."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _deliver(self, client: httpx.AsyncClient, delivery: webhooks.Delivery) -> None:
        began = time.monotonic()
        status, error = await self._send(client, delivery)
        latency_ms = round((time.monotonic() - began) * 1000)
        try:
            await self._record(delivery, status, error, latency_ms)
        except DATABASE_ERRORS as failure:
            # The claim runs out and the delivery is sent again: at least once, with the same id.
            log.warning("webhook.outcome_not_recorded", webhook=delivery.webhook_id, error=str(failure))

    async def _send(self, client: httpx.AsyncClient, delivery: webhooks.Delivery) -> tuple[int | None, str]:
        """The status answered (None: no answer) and what went wrong. The answer's body is not read."""
        try:
            body = event_text(delivery.event_id, delivery)
            headers = _headers(self._box.open(delivery.secret_encrypted), delivery.event_id, body)
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                client.stream("POST", delivery.url, content=body, headers=headers) as response,
            ):
                return response.status_code, f"answered {response.status_code}"
        except TimeoutError:
            return None, f"no answer in {TIMEOUT_SECONDS:.0f} s"
        except (httpx.HTTPError, httpx.InvalidURL, SecretKeyError, ValueError) as failure:
            return None, str(failure) or type(failure).__name__
        except Exception as failure:
            # Not recorded, it would come due again for ever, and hold up its call.
            log.error("webhook.failed_unexpectedly", webhook=delivery.webhook_id, exc_info=failure)
            return None, type(failure).__name__

    async def _record(self, delivery: webhooks.Delivery, status: int | None, error: str, latency_ms: int) -> None:
        if status is not None and 200 <= status < 300:
            await webhooks.delivered(self._pool, delivery, status, latency_ms)
            return
        log.info("webhook.failed", webhook=delivery.webhook_id, status=status, error=error, tries=delivery.tries)
        again_in = next_try(delivery.tries, random.random())  # noqa: S311
        if status == GONE:
            # Before this delivery is given up, lest the next of its call come due in between.
            await webhooks.disable(self._pool, delivery.account, delivery.webhook_id)
            again_in = None
        await webhooks.failed(self._pool, delivery, status, error, latency_ms, again_in)


def _headers(secret: str, event_id: str, body: str) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, now, body),
    }
