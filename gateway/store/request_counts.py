"""How many requests an account and its keys made in this minute, over all processes; and when keys were used last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.store.connection import Connection, Pool

Subject: TypeAlias = tuple[str, str]
"""An account and the id of one of its keys; of no key: all of the account's."""


@dataclass(frozen=True, slots=True)
class Use:
    account: str
    key_id: str
    at: datetime
    ip: str


async def add(connection: Connection | Pool, minute: int, counts: Mapping[Subject, int]) -> dict[Subject, int]:
    """What all processes have counted of these subjects with what is added here. `minute`: since 1970."""
    ordered = sorted(counts)  # All processes lock them in one order.
    records = await connection.fetch(
        """
        insert into request_counts as c (account_id, key_id, minute, count)
        select account_id, key_id, $4, count
        from unnest($1::text[], $2::text[], $3::int[]) told (account_id, key_id, count)
        on conflict (account_id, minute, key_id) do update set count = c.count + excluded.count
        returning c.account_id, c.key_id, c.count
        """,
        [account for account, _ in ordered],
        [key_id for _, key_id in ordered],
        [counts[subject] for subject in ordered],
        minute,
    )
    return {(record["account_id"], record["key_id"]): record["count"] for record in records}


async def forget(connection: Connection | Pool, before: int) -> None:
    """The counts of the minutes before this one."""
    await connection.execute("delete from request_counts where minute < $1", before)


async def note_uses(connection: Connection | Pool, uses: Sequence[Use]) -> None:
    """When and from where keys were used, unless a later use is known."""
    ordered = sorted(uses, key=lambda use: (use.account, use.key_id))
    await connection.execute(
        """
        update api_keys k set last_used_at = u.at, last_used_ip = u.ip::inet
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) u (account_id, id, at, ip)
        where k.account_id = u.account_id and k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)
        """,
        [use.account for use in ordered],
        [use.key_id for use in ordered],
        [use.at for use in ordered],
        [use.ip for use in ordered],
    )
