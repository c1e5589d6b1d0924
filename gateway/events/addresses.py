"""Where a webhook may go: public addresses, and what the operator allows, judged on the resolved address.

The connection goes to the very address that was judged, so that a name cannot change in between.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import anyio
import httpcore
import httpx

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NOT_PUBLIC = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b:1::/48",  # NAT64 of one's own
        "fec0::/10",  # site-local
    )
)
"""Forms of inner addresses that `ipaddress` takes for public ones."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(httpcore.ConnectError):
    """The endpoint's name leads to an address to which webhooks may not go."""


def may_go(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether `address` is public, or in a network that the operator allows."""
    if isinstance(address, ipaddress.IPv6Address):
        address = _embedded_ipv4(address) or address
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to `address` end up at: mapped, 6to4, or through NAT64."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"cannot resolve {host}") from error
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not may_go(ipaddress.ip_address(address.partition("%")[0]), self._allowed):
                raise AddressRefused("address refused: it is not public")
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("webhooks go over TCP")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def checked_transport(allowed: Sequence[Network]) -> httpx.AsyncHTTPTransport:
    """An httpx transport whose every connection goes through `CheckedBackend`."""
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    pool = transport._pool
    assert isinstance(pool, httpcore.AsyncConnectionPool)
    pool._network_backend = CheckedBackend(allowed)
    return transport
