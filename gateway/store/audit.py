"""The audit log: what was made, changed and refused, by whom and from where."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.store.connection import Connection, Pool

REFUSED_LATELY = timedelta(days=7)
MOST_LOOKED_THROUGH = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    ip: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedAddress:
    """An address from which a key of the account was used though it is not allowed. `key_name`: the last one's."""

    ip: str
    key_name: str
    last_at: datetime


async def record(
    connection: Connection | Pool,
    account: str,
    actor: str,
    action: str,
    subject: str = "",
    ip: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """`actor` is `key:<id>`, `login:<name>` or `cli`; `action` as `key.created`, `network.allowed`, `call.refused`."""
    await connection.execute(
        "insert into audit_log (account_id, actor, action, subject, ip, details) "
        "values ($1, $2, $3, $4, $5::text::inet, $6::text::jsonb)",
        account,
        actor,
        action,
        subject,
        ip,
        json.dumps(dict(details or {})),
    )


async def newest(
    connection: Connection | Pool, account: str, limit: int = 100, *, before: int | None = None
) -> list[Entry]:
    """Youngest first; `before`: those older than the entry of this id."""
    records = await connection.fetch(
        "select id, at, actor, action, subject, host(ip) as ip, details::text as details "
        "from audit_log where account_id = $1 and ($3::bigint is null or id < $3) order by id desc limit $2",
        account,
        limit,
        before,
    )
    return [
        Entry(r["id"], r["at"], r["actor"], r["action"], r["subject"], r["ip"], json.loads(r["details"]))
        for r in records
    ]


async def refused_addresses(connection: Connection | Pool, account: str, most: int) -> list[RefusedAddress]:
    """Of the last week, those that are still not allowed, the last one that came first."""
    records = await connection.fetch(
        """
        with refused as (
            select distinct on (ip) ip, actor, at
            from (select * from audit_log where account_id = $1 order by id desc limit $2) lately
            where action = 'ip.refused' and ip is not null and at > now() - $3::interval
            order by ip, id desc
        )
        select host(r.ip) as ip, coalesce(k.name, '') as key_name, r.at
        from refused r
        left join api_keys k on k.account_id = $1 and r.actor = 'key:' || k.id
        where not exists (select from allowed_networks n where n.account_id = $1 and n.network >>= r.ip)
        order by r.at desc limit $4
        """,
        account,
        MOST_LOOKED_THROUGH,
        REFUSED_LATELY,
        most,
    )
    return [RefusedAddress(record["ip"], record["key_name"], record["at"]) for record in records]
