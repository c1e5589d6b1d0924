"""Webhook endpoints and their deliveries.

A delivery is one event on its way to one endpoint. Deliveries are made from the event log, in
order of sequence, under the endpoint's row lock: each event once. Of one call's deliveries to
one endpoint only the earliest pending is due, so that their order is kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from asyncpg import Record

from gateway.store.connection import Connection, Pool

CLAIM_SECONDS = 60
"""A claimed delivery comes due again if its dispatcher died with it."""

ENQUEUE_AT_ONCE = 5_000
"""Events per endpoint and statement: one that was off for long must not hold up all the others."""

ENQUEUE = """
with endpoint as (
    select w.account_id, w.id, w.enqueued_sequence, w.event_types, a.last_sequence,
           least(w.enqueued_sequence + $1, a.last_sequence) as up_to
    from webhooks w
    join accounts a on a.id = w.account_id
    where w.enabled and w.enqueued_sequence < a.last_sequence
    for update of w skip locked
), made as (
    insert into webhook_deliveries (account_id, webhook_id, sequence, call_id)
    select e.account_id, w.id, e.sequence, e.call_id
    from endpoint w
    join events e on e.account_id = w.account_id and e.sequence > w.enqueued_sequence and e.sequence <= w.up_to
    where w.event_types = '{}' or e.type = any(w.event_types)
    on conflict do nothing
)
update webhooks w
set enqueued_sequence = greatest(w.enqueued_sequence, endpoint.up_to)
from endpoint
where w.account_id = endpoint.account_id and w.id = endpoint.id
returning endpoint.up_to < endpoint.last_sequence as more
"""

# One whose event is kept no more is sent to nobody, and must not stand before the others.
CLAIM = """
with due as (
    select d.account_id, d.webhook_id, d.sequence
    from webhook_deliveries d
    join webhooks w on w.account_id = d.account_id and w.id = d.webhook_id and w.enabled
    join events e on e.account_id = d.account_id and e.sequence = d.sequence
    where d.state = 'pending' and d.next_try_at <= now()
      and not exists (
          select from unnest($3::text[], $4::text[]) as busy (account_id, id)
          where busy.account_id = d.account_id and busy.id = d.webhook_id)
      and not exists (
          select from webhook_deliveries earlier
          where earlier.account_id = d.account_id and earlier.webhook_id = d.webhook_id
            and earlier.call_id = d.call_id and earlier.state = 'pending' and earlier.sequence < d.sequence)
    order by d.next_try_at, d.sequence
    limit $1
    for update of d skip locked
)
update webhook_deliveries d
set next_try_at = now() + make_interval(secs => $2), tries = d.tries + 1
from due, webhooks w, events e
where d.account_id = due.account_id and d.webhook_id = due.webhook_id and d.sequence = due.sequence
  and w.account_id = d.account_id and w.id = d.webhook_id
  and e.account_id = d.account_id and e.sequence = d.sequence
returning d.account_id, d.webhook_id, d.sequence, d.tries, w.url, w.secret_encrypted,
          e.id as event_id, e.type, e.occurred_at, e.data
"""

# A delivery that waits behind an earlier one of its call has no time of its own.
NEXT_DUE = """
select extract(epoch from min(d.next_try_at) - now())::float8
from webhook_deliveries d
join webhooks w on w.account_id = d.account_id and w.id = d.webhook_id and w.enabled
join events e on e.account_id = d.account_id and e.sequence = d.sequence
where d.state = 'pending'
  and not exists (
      select from unnest($1::text[], $2::text[]) as busy (account_id, id)
      where busy.account_id = d.account_id and busy.id = d.webhook_id)
  and not exists (
      select from webhook_deliveries earlier
      where earlier.account_id = d.account_id and earlier.webhook_id = d.webhook_id
        and earlier.call_id = d.call_id and earlier.state = 'pending' and earlier.sequence < d.sequence)
"""

Endpoint: TypeAlias = tuple[str, str]
"""Account and id."""

COLUMNS = "account_id, id, url, event_types, enabled, created_at"


@dataclass(frozen=True, slots=True)
class Webhook:
    account: str
    id: str
    url: str
    event_types: tuple[str, ...]
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How a delivery stands: `state` is pending, delivered or dead; `next_try_at` counts while it is pending."""

    sequence: int
    event_id: str
    type: str
    state: str
    tries: int
    next_try_at: datetime
    last_status: int | None
    last_error: str | None
    last_latency_ms: int | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery to be tried now. `tries` counts this one; `data` is JSON text."""

    account: str
    webhook_id: str
    sequence: int
    tries: int
    url: str
    secret_encrypted: bytes
    event_id: str
    type: str
    occurred_at: datetime
    data: str

    @property
    def endpoint(self) -> Endpoint:
        return self.account, self.webhook_id


async def create(
    connection: Connection, account: str, webhook_id: str, url: str, secret_encrypted: bytes, event_types: Sequence[str]
) -> None:
    """An endpoint that is told of what happens from now on."""
    await connection.execute(
        """
        insert into webhooks (account_id, id, url, secret_encrypted, event_types, enqueued_sequence)
        select $1, $2, $3, $4, $5, last_sequence from accounts where id = $1
        """,
        account,
        webhook_id,
        url,
        secret_encrypted,
        list(event_types),
    )


async def list_webhooks(pool: Pool, account: str) -> list[Webhook]:
    records = await pool.fetch(f"select {COLUMNS} from webhooks where account_id = $1 order by created_at, id", account)
    return [_webhook(record) for record in records]


async def count(connection: Connection, account: str) -> int:
    found: int = await connection.fetchval("select count(*) from webhooks where account_id = $1", account)
    return found


async def get(pool: Pool, account: str, webhook_id: str) -> Webhook | None:
    record = await pool.fetchrow(
        f"select {COLUMNS} from webhooks where account_id = $1 and id = $2", account, webhook_id
    )
    return None if record is None else _webhook(record)


async def update(
    connection: Connection,
    account: str,
    webhook_id: str,
    *,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> Webhook | None:
    """Change what is not None. None if the account has no such endpoint.

    While an endpoint is off, nothing is enqueued for it; once on again it is told of what
    happened meanwhile too.
    """
    record = await connection.fetchrow(
        f"""
        update webhooks
        set url = coalesce($3, url), event_types = coalesce($4, event_types), enabled = coalesce($5, enabled)
        where account_id = $1 and id = $2
        returning {COLUMNS}
        """,
        account,
        webhook_id,
        url,
        None if event_types is None else list(event_types),
        enabled,
    )
    return None if record is None else _webhook(record)


def _webhook(record: Record) -> Webhook:
    return Webhook(
        record["account_id"],
        record["id"],
        record["url"],
        tuple(record["event_types"]),
        record["enabled"],
        record["created_at"],
    )


async def list_deliveries(pool: Pool, account: str, webhook_id: str, limit: int) -> list[DeliveryState]:
    """The endpoint's youngest deliveries, youngest first."""
    records = await pool.fetch(
        """
        select d.sequence, e.id as event_id, e.type, d.state, d.tries, d.next_try_at, d.last_status, d.last_error,
               d.last_latency_ms, d.delivered_at
        from webhook_deliveries d
        join events e on e.account_id = d.account_id and e.sequence = d.sequence
        where d.account_id = $1 and d.webhook_id = $2
        order by d.sequence desc
        limit $3
        """,
        account,
        webhook_id,
        limit,
    )
    return [DeliveryState(*record.values()) for record in records]


async def delete(connection: Connection, account: str, webhook_id: str) -> bool:
    """False if the account has no such endpoint. Deliveries that wait go with it."""
    status = await connection.execute("delete from webhooks where account_id = $1 and id = $2", account, webhook_id)
    return bool(status == "DELETE 1")


async def enqueue(pool: Pool) -> bool:
    """Make the deliveries of the events that came since the last time; whether there are more to be made."""
    return any(record["more"] for record in await pool.fetch(ENQUEUE, ENQUEUE_AT_ONCE))


async def claim(pool: Pool, limit: int, busy: Collection[Endpoint] = ()) -> list[Delivery]:
    """Take up to `limit` due deliveries, none to those that are `busy`; they are this dispatcher's for
    `CLAIM_SECONDS`."""
    records = await pool.fetch(CLAIM, limit, CLAIM_SECONDS, *_columns(busy))
    return [
        Delivery(
            r["account_id"],
            r["webhook_id"],
            r["sequence"],
            r["tries"],
            r["url"],
            r["secret_encrypted"],
            r["event_id"],
            r["type"],
            r["occurred_at"],
            r["data"],
        )
        for r in records
    ]


async def delivered(pool: Pool, delivery: Delivery, status: int, latency_ms: int) -> None:
    await pool.execute(
        """
        update webhook_deliveries
        set state = 'delivered', delivered_at = now(), last_status = $4, last_error = null, last_latency_ms = $5
        where account_id = $1 and webhook_id = $2 and sequence = $3
        """,
        delivery.account,
        delivery.webhook_id,
        delivery.sequence,
        status,
        latency_ms,
    )


async def failed(
    pool: Pool, delivery: Delivery, status: int | None, error: str, latency_ms: int, again_in: timedelta | None
) -> None:
    """Note a failed try; `again_in` None gives the delivery up.

    What was delivered by another dispatcher meanwhile, or given up with its endpoint, stays so.
    """
    await pool.execute(
        """
        update webhook_deliveries
        set state = case when $7::interval is null or state = 'dead' then 'dead' else 'pending' end,
            next_try_at = now() + coalesce($7::interval, interval '0'),
            last_status = $4, last_error = $5, last_latency_ms = $6
        where account_id = $1 and webhook_id = $2 and sequence = $3 and state <> 'delivered'
        """,
        delivery.account,
        delivery.webhook_id,
        delivery.sequence,
        status,
        error[:500],
        latency_ms,
        again_in,
    )


async def disable(pool: Pool, account: str, webhook_id: str) -> None:
    """Stop an endpoint that said 410 Gone."""
    await pool.execute("update webhooks set enabled = false where account_id = $1 and id = $2", account, webhook_id)
    await pool.execute(
        "update webhook_deliveries set state = 'dead', last_error = 'the endpoint is gone (410)' "
        "where account_id = $1 and webhook_id = $2 and state = 'pending'",
        account,
        webhook_id,
    )


async def next_due_seconds(pool: Pool, busy: Collection[Endpoint] = ()) -> float | None:
    """Seconds until the earliest delivery to others than the `busy` may be tried; None where none waits."""
    value = await pool.fetchval(NEXT_DUE, *_columns(busy))
    return None if value is None else max(0.0, float(value))


def _columns(endpoints: Collection[Endpoint]) -> tuple[list[str], list[str]]:
    return [account for account, _ in endpoints], [webhook_id for _, webhook_id in endpoints]
