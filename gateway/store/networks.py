"""The allow-list: from which networks an account's keys may be used. An empty list allows nobody."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.store.connection import Connection, Pool

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class AllowedNetwork:
    account: str
    network: Network
    note: str
    created_at: datetime


def parse_network(text: str) -> Network:
    """An address or CIDR; host bits are cleared, an IPv4 network mapped into IPv6 counts as IPv4.

    Raises:
        ValueError: it is neither.
    """
    if "%" in text:
        raise ValueError("a network has no zone")
    network = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False)
    return network


def parse_address(text: str) -> Address:
    """An IPv4 address mapped into IPv6 counts as the IPv4 address.

    Raises:
        ValueError: it is no address.
    """
    address = ipaddress.ip_address(text.strip().partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


async def allow(connection: Connection | Pool, account: str, network: Network, note: str = "") -> bool:
    """False if it was on the list, and stays as it was."""
    status = await connection.execute(
        "insert into allowed_networks (account_id, network, note) values ($1, $2, $3) on conflict do nothing",
        account,
        network,
        note,
    )
    return bool(status == "INSERT 0 1")


async def remove(connection: Connection | Pool, account: str, network: Network) -> bool:
    """False if it was not on the list."""
    status = await connection.execute(
        "delete from allowed_networks where account_id = $1 and network = $2", account, network
    )
    return bool(status == "DELETE 1")


async def list_networks(connection: Connection | Pool, account: str | None = None) -> list[AllowedNetwork]:
    records = await connection.fetch(
        "select account_id, network, note, created_at from allowed_networks "
        "where $1::text is null or account_id = $1 order by account_id, network",
        account,
    )
    return [AllowedNetwork(r["account_id"], r["network"], r["note"], r["created_at"]) for r in records]
