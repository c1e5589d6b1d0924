"""What is kept for a time only: events and their deliveries, the audit log, digests of audits, sessions, versions.

In batches, each a transaction of its own, so that nobody waits for one.
"""

from datetime import timedelta

from gateway.store.connection import Connection, Pool

BATCH = 5_000
AUDIT_LOG_KEPT = timedelta(days=400)
AUDITS_KEPT = timedelta(days=400)
VERSIONS_KEPT = timedelta(days=2)
"""Longer than any cursor lives."""
GONE_KEPT = timedelta(days=400)

# The log stays dense: what goes is its beginning.
OLD_EVENTS = """
delete from events where account_id = $1 and sequence in (
    select sequence from events
    where account_id = $1 and sequence < coalesce(
        (select sequence from events where account_id = $1 and told_at >= now() - $2::interval
         order by sequence limit 1),
        (select max(sequence) from events where account_id = $1))
    order by sequence limit $3)
"""
# Also those that wait for an endpoint that is off: there is nothing left to be sent.
OLD_DELIVERIES = """
delete from webhook_deliveries where (account_id, webhook_id, sequence) in (
    select d.account_id, d.webhook_id, d.sequence from webhook_deliveries d
    where d.account_id = $1
      and d.sequence < coalesce((select min(sequence) from events where account_id = $1), 0)
    limit $2)
"""
OLD = {
    "audit_log": (
        "delete from audit_log where (account_id, id) in "
        "(select account_id, id from audit_log where at < now() - $1::interval limit $2)",
        AUDIT_LOG_KEPT,
    ),
    "audits": (
        "delete from audits where (node, made_at) in "
        "(select node, made_at from audits where made_at < now() - $1::interval limit $2)",
        AUDITS_KEPT,
    ),
    "audit_digests": (
        "delete from audit_digests where (account_id, node, made_at) in "
        "(select account_id, node, made_at from audit_digests where made_at < now() - $1::interval limit $2)",
        AUDITS_KEPT,
    ),
    "console_sessions": (
        "delete from console_sessions where (account_id, token_sha256) in "
        "(select account_id, token_sha256 from console_sessions where expires_at < now() - $1::interval limit $2)",
        timedelta(days=1),
    ),
} | {
    f"superseded_{table}": (
        f"delete from superseded_{table} where ctid in (select ctid from superseded_{table} "
        f"where superseded_at < now() - $1::interval "
        f"and (not gone or superseded_at < now() - interval '{GONE_KEPT.days} days') limit $2)",
        VERSIONS_KEPT,
    )
    for table in ("calls", "user_calls", "visits")
}


async def prune(pool: Pool, events_kept: timedelta) -> dict[str, int]:
    """How many rows of each table went. The youngest event of each account stays: sequences go on from it."""
    gone: dict[str, int] = {}
    async with pool.acquire() as connection:
        for record in await connection.fetch("select id from accounts order by id"):
            account = record["id"]
            for table, query, values in (
                ("events", OLD_EVENTS, (account, events_kept, BATCH)),
                ("webhook_deliveries", OLD_DELIVERIES, (account, BATCH)),
            ):
                gone[table] = gone.get(table, 0) + await _all(connection, query, *values)
        for table, (query, kept) in OLD.items():
            gone[table] = await _all(connection, query, kept, BATCH)
    return {table: count for table, count in gone.items() if count}


async def _all(connection: Connection, query: str, *values: object) -> int:
    total = 0
    while count := int((await connection.execute(query, *values)).split()[-1]):
        total += count
        if count < BATCH:
            break
    return total
