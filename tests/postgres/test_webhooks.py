"""Webhooks from the event log to a real receiver, through a real Postgres."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from gateway.calls.record import DomainEvent
from gateway.events import dispatcher as dispatching
from gateway.events.dispatcher import Dispatcher
from gateway.events.secrets import SecretBox, new_secret
from gateway.store import event_log, retention, webhooks
from gateway.store.calls import append_events
from gateway.store.connection import Pool
from tests.postgres.fresh_database import new_database, running_server
from tests.postgres.receiver import Receiver, listening

LOOPBACK = (ip_network("127.0.0.0/8"),)
CALL_A = "0193a000-0000-7000-8000-00000000000a"
CALL_B = "0193a000-0000-7000-8000-00000000000b"


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
async def url(server_url: str) -> str:
    return await new_database(server_url)


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Pool]:
    pool = await asyncpg.create_pool(url, min_size=1, max_size=8)
    await pool.execute(
        "insert into accounts (id, name, time_zone, country, directory_version) "
        "values ('acme', 'Acme', 'Australia/Sydney', 'AU', 1), ('other', 'Other', 'UTC', 'AU', 1)"
    )
    yield pool
    await pool.close()


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox.from_file(tmp_path / "secret.key")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.events.schedule.FIRST", timedelta(milliseconds=50))


async def tell(pool: Pool, *events: tuple[str, str], account: str = "acme") -> None:
    """Append (call id, type) events as ingest does."""
    async with pool.acquire() as connection, connection.transaction():
        await append_events(
            connection,
            [
                DomainEvent(account, call, type_, 1_732_412_345_678_901 + at, json.dumps({"n": at, "name": "Ünal"}))
                for at, (call, type_) in enumerate(events)
            ],
        )


@asynccontextmanager
async def dispatching_to(
    pool: Pool, box: SecretBox, receiver: Receiver, types: tuple[str, ...] = (), allowed: Any = LOOPBACK
) -> AsyncIterator[None]:
    async with listening(receiver):
        async with pool.acquire() as connection:
            await webhooks.create(connection, "acme", "wh1", receiver.url, box.seal(receiver.secret), types)
        task = asyncio.create_task(Dispatcher(pool, box, allowed_networks=allowed).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def settled(pool: Pool, *, count: int) -> list[webhooks.DeliveryState]:
    """The deliveries of wh1, oldest first, once `count` exist and none is pending."""
    async with asyncio.timeout(15):
        while True:
            deliveries = (await webhooks.list_deliveries(pool, "acme", "wh1", 100))[::-1]
            if len(deliveries) == count and all(delivery.state != "pending" for delivery in deliveries):
                return deliveries
            await asyncio.sleep(0.02)


async def test_an_event_arrives_signed_as_the_log_tells_it(pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"), (CALL_A, "call.ended"))
        await tell(pool, (CALL_B, "call.started"), account="other")
        deliveries = await settled(pool, count=2)
    told = await event_log.after(pool, "acme", 0, 10)
    assert [r.body["type"] for r in receiver.received] == ["call.started", "call.ended"]
    first = receiver.received[0]
    assert first.headers["webhook-id"] == first.body["id"] == told[0].id
    assert first.body == {
        "id": told[0].id,
        "sequence": 1,
        "type": "call.started",
        "occurred_at": "2024-11-24T01:39:05.678Z",
        "account": "acme",
        "data": {"n": 0, "name": "Ünal"},
    }
    assert [d.last_status for d in deliveries] == [200, 200]
    assert [d.tries for d in deliveries] == [1, 1]


async def test_a_commit_wakes_the_dispatcher_at_once(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "POLL_SECONDS", 60.0)
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"))
        await receiver.wait_for(1)
        await tell(pool, (CALL_A, "call.ended"))
        await receiver.wait_for(2, timeout=5)


async def test_only_the_types_asked_for_are_sent(pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver, types=("call.ended",)):
        await tell(pool, (CALL_A, "call.started"), (CALL_A, "call.answered"), (CALL_A, "call.ended"))
        await settled(pool, count=1)
    assert [r.body["type"] for r in receiver.received] == ["call.ended"]


async def test_an_endpoint_hears_nothing_of_what_was_before_it(pool: Pool, box: SecretBox) -> None:
    await tell(pool, (CALL_A, "call.started"))
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.ended"))
        await settled(pool, count=1)
    assert [r.body["sequence"] for r in receiver.received] == [2]


async def test_a_failure_is_tried_again_with_the_same_id_and_later_events_of_its_call_wait(
    pool: Pool, box: SecretBox
) -> None:
    failures = iter([500, 302, 503])
    receiver = Receiver(new_secret())
    receiver.answer = lambda body: next(failures, 200) if body["sequence"] == 1 else 200
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"), (CALL_A, "call.answered"), (CALL_B, "call.started"))
        deliveries = await settled(pool, count=3)
    of_call_a = [r.body["sequence"] for r in receiver.received if r.body["sequence"] != 3]
    assert of_call_a == [1, 1, 1, 1, 2]
    assert len({r.headers["webhook-id"] for r in receiver.received if r.body["sequence"] == 1}) == 1
    assert receiver.received.index(next(r for r in receiver.received if r.body["sequence"] == 3)) < 4
    assert [(d.tries, d.last_status, d.state) for d in deliveries] == [
        (4, 200, "delivered"),
        (1, 200, "delivered"),
        (1, 200, "delivered"),
    ]


async def test_an_endpoint_that_does_not_answer_holds_up_no_other_call(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "TIMEOUT_SECONDS", 1.0)
    receiver = Receiver(new_secret())
    silent = iter([True])
    receiver.answer = lambda body: None if body["sequence"] == 1 and next(silent, False) else 200
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"), (CALL_B, "call.started"))
        deliveries = await settled(pool, count=2)
    assert [r.body["sequence"] for r in receiver.received] in ([1, 2, 1], [2, 1, 1])
    assert [d.tries for d in deliveries] == [2, 1]


async def test_an_endpoint_that_does_not_answer_holds_up_no_other_endpoint(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "TIMEOUT_SECONDS", 300.0)
    silent = Receiver(new_secret(), answer=lambda _body: None)
    receiver = Receiver(new_secret())
    calls = [str(UUID(int=number)) for number in range(3 * dispatching.AT_ONCE)]
    async with listening(silent), pool.acquire() as connection:
        await webhooks.create(connection, "other", "silent", silent.url, box.seal(silent.secret), ())
        await tell(pool, *((call, "call.started") for call in calls), account="other")
        async with dispatching_to(pool, box, receiver):
            await silent.wait_for(dispatching.MOST_TO_ONE)
            await tell(pool, *((call, "call.started") for call in calls))
            await receiver.wait_for(len(calls), timeout=50)
            assert len(silent.received) < 2 * dispatching.MOST_TO_ONE


async def test_an_endpoint_has_all_of_the_time_that_is_told(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than httpx would wait by itself."""
    monkeypatch.setattr(dispatching, "TIMEOUT_SECONDS", 6.0)
    receiver = Receiver(new_secret(), answer=lambda _body: None)
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"))
        async with asyncio.timeout(30):
            while (error := await pool.fetchval("select last_error from webhook_deliveries")) is None:
                await asyncio.sleep(0.05)
    assert error == "no answer in 6 s"


async def test_an_endpoint_that_is_gone_is_switched_off(pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret(), answer=lambda _body: 410)
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"), (CALL_A, "call.ended"))
        deliveries = await settled(pool, count=2)
        await tell(pool, (CALL_B, "call.started"))
    endpoint = await webhooks.get(pool, "acme", "wh1")
    assert endpoint is not None
    assert not endpoint.enabled
    assert [d.state for d in deliveries] == ["dead", "dead"]
    assert len(receiver.received) == 1


async def test_a_failure_that_is_noted_late_revives_nothing(pool: Pool, box: SecretBox) -> None:
    async with pool.acquire() as connection:
        await webhooks.create(connection, "acme", "wh1", "https://example.com/", box.seal(new_secret()), ())
    await tell(pool, (CALL_A, "call.started"), (CALL_B, "call.started"))
    await webhooks.enqueue(pool)
    one, other = sorted(await webhooks.claim(pool, 20), key=lambda delivery: delivery.sequence)
    await webhooks.delivered(pool, one, 200, 5)
    await webhooks.disable(pool, "acme", "wh1")
    for delivery in (one, other):
        await webhooks.failed(pool, delivery, 500, "answered 500", 5, timedelta(0))
    states = {d.sequence: (d.state, d.last_status) for d in await webhooks.list_deliveries(pool, "acme", "wh1", 10)}
    assert states == {one.sequence: ("delivered", 200), other.sequence: ("dead", 500)}


async def test_a_private_address_is_refused_at_connect(pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver, allowed=()):
        await tell(pool, (CALL_A, "call.started"))
        async with asyncio.timeout(10):
            while not (found := await webhooks.list_deliveries(pool, "acme", "wh1", 1)) or not found[0].last_error:
                await asyncio.sleep(0.02)
    assert found[0].last_error == "address refused: it is not public"
    assert not receiver.received


async def test_after_three_days_a_delivery_is_dead_and_shown(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.events.schedule.GIVE_UP_AFTER", timedelta(0))
    receiver = Receiver(new_secret(), answer=lambda _body: 500)
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"))
        deliveries = await settled(pool, count=1)
    assert [(d.state, d.tries, d.last_status, d.last_error) for d in deliveries] == [("dead", 1, 500, "answered 500")]


async def test_two_dispatchers_send_each_event_once_and_in_order_per_call(pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret())
    second = asyncio.create_task(Dispatcher(pool, box, allowed_networks=LOOPBACK).run())
    try:
        async with dispatching_to(pool, box, receiver):
            for number in range(20):
                await tell(pool, (CALL_A, f"call.a{number}"), (CALL_B, f"call.b{number}"))
            await settled(pool, count=40)
    finally:
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    for letter in "ab":
        numbers = [r.body["type"] for r in receiver.received if r.body["type"].startswith(f"call.{letter}")]
        assert numbers == [f"call.{letter}{number}" for number in range(20)]


async def test_the_dispatcher_goes_on_when_its_connections_are_cut(url: str, pool: Pool, box: SecretBox) -> None:
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_A, "call.started"))
        await settled(pool, count=1)
        # Not by the pool that is cut: whoever asks it next may get a connection that does not know yet.
        async with asyncpg.create_pool(url, min_size=1) as ours:
            await ours.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await tell(ours, (CALL_A, "call.ended"))
            await settled(ours, count=2)
    assert [r.body["sequence"] for r in receiver.received] == [1, 2]


async def test_what_cannot_even_be_tried_is_a_failed_try(pool: Pool, box: SecretBox) -> None:
    """Else it would be claimed again for ever. No such port is accepted any more: it stands for any surprise."""
    receiver = Receiver(new_secret())
    async with dispatching_to(pool, box, receiver):
        await pool.execute("update webhooks set url = 'http://127.0.0.1:99999/'")
        await tell(pool, (CALL_A, "call.started"))
        async with asyncio.timeout(10):
            while not (found := await webhooks.list_deliveries(pool, "acme", "wh1", 1)) or not found[0].last_error:
                await asyncio.sleep(0.02)
    assert found[0].state == "pending"


async def test_what_an_endpoint_missed_while_it_was_off_is_made_up_for_in_portions(
    pool: Pool, box: SecretBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "ENQUEUE_AT_ONCE", 3)
    monkeypatch.setattr(dispatching, "POLL_SECONDS", 60.0)
    receiver = Receiver(new_secret())
    async with pool.acquire() as connection:
        await webhooks.create(connection, "acme", "off", receiver.url, box.seal(receiver.secret), ("call.ended",))
    await tell(pool, *[(CALL_A, "call.ringing")] * 7, (CALL_A, "call.ended"))
    assert [await webhooks.enqueue(pool) for _ in range(4)] == [True, True, False, False]
    assert await pool.fetchval("select count(*) from webhook_deliveries") == 1
    async with dispatching_to(pool, box, receiver):
        await tell(pool, *[(CALL_B, "call.ringing")] * 10)
        await settled(pool, count=10)


async def test_an_endpoint_that_was_off_for_longer_than_events_are_kept_holds_up_nobody(
    pool: Pool, box: SecretBox
) -> None:
    receiver = Receiver(new_secret())
    async with pool.acquire() as connection:
        await webhooks.create(connection, "acme", "off", "http://127.0.0.1:9/", box.seal(receiver.secret), ())
    await tell(pool, *((str(UUID(int=number)), "call.started") for number in range(dispatching.AT_ONCE + 1)))
    assert not await webhooks.enqueue(pool)
    await tell(pool, (CALL_A, "call.started"))
    await pool.execute("update webhooks set enabled = false")
    await pool.execute("delete from events where sequence <= $1", dispatching.AT_ONCE + 1)
    await pool.execute("update webhooks set enabled = true")
    async with dispatching_to(pool, box, receiver):
        await tell(pool, (CALL_B, "call.started"))
        await receiver.wait_for(1)
    waiting = "select count(*) from webhook_deliveries where sequence <= $1"
    assert await pool.fetchval(waiting, dispatching.AT_ONCE + 1) == dispatching.AT_ONCE + 1
    await retention.prune(pool, timedelta(days=30))
    assert await pool.fetchval(waiting, dispatching.AT_ONCE + 1) == 0


async def test_no_secret_is_readable_in_the_database(pool: Pool, box: SecretBox) -> None:
    secret = new_secret()
    async with pool.acquire() as connection:
        await webhooks.create(connection, "acme", "wh1", "https://example.com/", box.seal(secret), ())
    stored = await pool.fetchval("select secret_encrypted from webhooks")
    assert secret.encode() not in stored
    assert box.open(stored) == secret


async def test_the_log_is_read_from_a_sequence_on_and_by_type(pool: Pool) -> None:
    await tell(pool, (CALL_A, "call.started"), (CALL_A, "call.answered"), (CALL_A, "call.ended"))
    assert [e.sequence for e in await event_log.after(pool, "acme", 1, 10)] == [2, 3]
    assert [e.sequence for e in await event_log.after(pool, "acme", 0, 1)] == [1]
    assert [e.sequence for e in await event_log.after(pool, "acme", 0, 10, ["call.ended"])] == [3]
    assert await event_log.after(pool, "other", 0, 10) == []
