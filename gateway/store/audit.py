"""The audit log: what was made, changed and refused, by whom and from where."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.connection import Connection, Pool


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    ip: str | None
    details: Mapping[str, Any]


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
