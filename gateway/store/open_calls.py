"""Calls that are not over, by the channels that Asterisk shows."""

from collections.abc import Collection

from gateway.store.connection import Pool


async def by_linked_id(pool: Pool, account: str, linked_ids: Collection[str]) -> dict[str, str]:
    """The account's open call of each of these linked ids, where there is one."""
    if not linked_ids:
        return {}
    records = await pool.fetch(
        "select id, linked_ids from calls where account_id = $1 and state <> 'ended' and linked_ids && $2::text[]",
        account,
        list(linked_ids),
    )
    return {linked_id: str(record["id"]) for record in records for linked_id in record["linked_ids"]}
