"""From which address a request comes: the socket's, or behind trusted proxies the rightmost that is none."""

from collections.abc import Sequence
from ipaddress import ip_network

from starlette.requests import HTTPConnection

from gateway.store.networks import Address, Network, parse_address


def client_address(connection: HTTPConnection, trusted: Sequence[Network], header: str | None) -> Address | None:
    """None where it cannot be known: no socket address, or a hop that is no address."""
    if connection.client is None:
        return None
    address = _parse(connection.client.host)
    if address is None or header is None:
        return address
    hops = _hops(header, connection.headers.getlist(header))
    while _is_trusted(address, trusted) and hops:
        address = _parse(hops.pop())
        if address is None:
            return None
    return address


def neighbourhood(ip: str) -> str:
    """Whose further addresses cost the same client nothing: of IPv6 the /64. Empty where the address is not known."""
    if ":" not in ip:
        return ip
    return str(ip_network((ip, 64), strict=False))


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _hops(header: str, values: Sequence[str]) -> list[str]:
    """The hops from the farthest to the nearest."""
    parts = [part.strip() for value in values for part in value.split(",")]
    if header.lower() != "forwarded":
        return parts
    return [_forwarded_for(part) for part in parts]


def _forwarded_for(element: str) -> str:
    """RFC 7239: the `for` of one element, empty if it has none."""
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip('"')
    return ""


def _parse(text: str) -> Address | None:
    """With or without a port: `192.0.2.1:443`, `[2001:db8::1]:443`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return parse_address(text)
    except ValueError:
        return None
