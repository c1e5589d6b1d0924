from ipaddress import ip_address, ip_network

import pytest

from gateway.events.addresses import may_go


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:a00:1::",
        "::7f00:1",
        "::ffff:0:7f00:1",
        "64:ff9b:1::a00:1",
        "fec0::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not may_go(ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_reached(address: str) -> None:
    assert may_go(ip_address(address), ())


def test_the_operator_may_allow_a_network() -> None:
    allowed = (ip_network("10.0.0.0/8"),)
    assert may_go(ip_address("10.1.2.3"), allowed)
    assert may_go(ip_address("::ffff:10.1.2.3"), allowed)
    assert not may_go(ip_address("192.168.1.1"), allowed)
