"""Whether a key opens an account's door from an address, and what lies behind it: one question to the database."""

from dataclasses import dataclass

from gateway.store import keys
from gateway.store.connection import Connection, Pool
from gateway.store.directories import DirectoryVersion
from gateway.store.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Admission:
    """`live`: neither revoked nor expired. `allowed`: the address is in one of the account's networks.

    `directory`: the account's at the moment of asking, None where none was applied yet. Whose secret it is,
    the caller compares.
    """

    key: ApiKey
    live: bool
    allowed: bool
    directory: DirectoryVersion | None
    requests_per_minute_per_key: int
    requests_per_minute: int


async def look_up(connection: Connection | Pool, key_id: str, ip: str | None) -> Admission | None:
    """None if there never was such a key. `ip`: of `networks.parse_address`'s form; None where it is not known."""
    record = await connection.fetchrow(
        """
        select k.*,
               k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) as live,
               exists (
                   select from allowed_networks n where n.account_id = k.account_id and n.network >>= $2::text::inet
               ) as allowed,
               v.version as directory_version, v.applied_at as directory_applied_at,
               a.requests_per_minute_per_key, a.requests_per_minute
        from api_keys k
        join accounts a on a.id = k.account_id
        left join directory_versions v on v.account_id = a.id and v.version = a.directory_version
        where k.id = $1
        """,
        key_id,
        ip,
    )
    if record is None:
        return None
    directory = None
    if record["directory_version"] is not None:
        directory = DirectoryVersion(record["account_id"], record["directory_version"], record["directory_applied_at"])
    return Admission(
        keys.from_record(record),
        record["live"],
        record["allowed"],
        directory,
        record["requests_per_minute_per_key"],
        record["requests_per_minute"],
    )
