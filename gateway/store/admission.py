"""Whether a key opens an account's door from an address: one question to the database."""

from dataclasses import dataclass

from gateway.store import keys
from gateway.store.connection import Connection, Pool
from gateway.store.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Admission:
    """`live`: neither revoked nor expired. `allowed`: the address is in one of the account's networks.

    Whose secret it is, the caller compares.
    """

    key: ApiKey
    live: bool
    allowed: bool


async def look_up(connection: Connection | Pool, key_id: str, ip: str | None) -> Admission | None:
    """None if there never was such a key. `ip`: of `networks.parse_address`'s form; None where it is not known."""
    record = await connection.fetchrow(
        """
        select k.*,
               k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) as live,
               exists (
                   select from allowed_networks n where n.account_id = k.account_id and n.network >>= $2::text::inet
               ) as allowed
        from api_keys k
        where k.id = $1
        """,
        key_id,
        ip,
    )
    return Admission(keys.from_record(record), record["live"], record["allowed"]) if record else None
