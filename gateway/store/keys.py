"""API keys: `gw_live_<id>_<secret>`. The secret has 256 random bits; only its SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from gateway.store.connection import Connection, Pool

PREFIX = "gw_live_"
SCOPES = ("calls:read", "calls:write", "events:read", "webhooks:write", "directory:read", "admin")

LIVES = "revoked_at is null and (expires_at is null or expires_at > now())"

_FORM = re.compile(r"gw_live_([0-9a-z]{12})_([0-9A-Za-z_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    account: str
    id: str
    name: str
    secret_sha256: bytes
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_ip: str | None


def split(key: str) -> tuple[str, bytes] | None:
    """The id and the secret's SHA-256 of a key as it is sent; None for what has not a key's form."""
    match = _FORM.fullmatch(key)
    return (match[1], hashlib.sha256(match[2].encode()).digest()) if match else None


async def create(
    connection: Connection | Pool, account: str, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> str:
    """A new key, told this once."""
    key_id = secrets.token_hex(6)
    secret = secrets.token_urlsafe(32)
    await connection.execute(
        "insert into api_keys (account_id, id, name, secret_sha256, scopes, expires_at) "
        "values ($1, $2, $3, $4, $5, $6)",
        account,
        key_id,
        name,
        hashlib.sha256(secret.encode()).digest(),
        list(scopes),
        expires_at,
    )
    return f"{PREFIX}{key_id}_{secret}"


async def made(connection: Connection | Pool, key: str) -> ApiKey:
    """What is kept of a key that `create` has just told."""
    parts = split(key)
    assert parts is not None
    record = await connection.fetchrow("select * from api_keys where id = $1", parts[0])
    assert record is not None
    return from_record(record)


async def list_keys(connection: Connection | Pool, account: str | None = None, *, ended: bool = True) -> list[ApiKey]:
    """The keys of an account (None: of all accounts), oldest first; `ended`: the revoked and expired too."""
    records = await connection.fetch(
        f"select * from api_keys where ($1::text is null or account_id = $1) and ($2 or {LIVES}) "
        "order by account_id, created_at, id",
        account,
        ended,
    )
    return [from_record(record) for record in records]


async def count_living(connection: Connection | Pool, account: str) -> int:
    count: int = await connection.fetchval(f"select count(*) from api_keys where account_id = $1 and {LIVES}", account)
    return count


async def revoke(connection: Connection | Pool, key_id: str, account: str | None = None) -> bool:
    """False if there is no such key that lives."""
    status = await connection.execute(
        "update api_keys set revoked_at = now() "
        "where id = $1 and revoked_at is null and ($2::text is null or account_id = $2)",
        key_id,
        account,
    )
    return bool(status == "UPDATE 1")


def from_record(record: asyncpg.Record) -> ApiKey:
    """A row of `api_keys`."""
    last_ip = record["last_used_ip"]
    return ApiKey(
        account=record["account_id"],
        id=record["id"],
        name=record["name"],
        secret_sha256=record["secret_sha256"],
        scopes=tuple(record["scopes"]),
        created_at=record["created_at"],
        expires_at=record["expires_at"],
        revoked_at=record["revoked_at"],
        last_used_at=record["last_used_at"],
        last_used_ip=None if last_ip is None else str(last_ip),
    )
