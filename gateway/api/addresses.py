"""From which address a request comes: the socket's, or behind trusted proxies the rightmost that is none."""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from urllib.request import parse_http_list

from starlette.requests import HTTPConnection

from gateway.store.networks import Address, Network, parse_address

_PAIR = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^";,\s]*)\s*(?:;|$)""")
"""One of RFC 7239's `name=value`; what stands between quotes may be the client's own: it chose the host."""


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


def over_tls(connection: HTTPConnection, trusted: Sequence[Network]) -> bool:
    """By the socket, or as a trusted proxy tells (`X-Forwarded-Proto`)."""
    if connection.url.scheme == "https":
        return True
    if connection.client is None or connection.headers.get("x-forwarded-proto") != "https":
        return False
    peer = _parse(connection.client.host)
    return peer is not None and _is_trusted(peer, trusted)


def neighbourhood(ip: str) -> str:
    """Whose further addresses cost the same client nothing: of IPv6 the /64. Empty where the address is not known."""
    if ":" not in ip:
        return ip
    return str(ip_network((ip, 64), strict=False))


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _hops(header: str, values: Sequence[str]) -> list[str]:
    """The hops from the farthest to the nearest."""
    if header.lower() == "forwarded":
        return [_forwarded_for(element) for value in values for element in parse_http_list(value)]
    return [part.strip() for value in values for part in value.split(",")]


def _forwarded_for(element: str) -> str:
    """RFC 7239: the `for` of one element, empty if it has none or cannot be read."""
    found, end = "", 0
    while end < len(element):
        pair = _PAIR.match(element, end)
        if pair is None:
            return ""
        if pair[1].lower() == "for":
            found = pair[2].strip('"')
        end = pair.end()
    return found


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
