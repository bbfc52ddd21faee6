"""Who would still reach the host, told from the spec alone."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from nftnsr.compile.reach import reaches_host, stays_open
from nftnsr.spec import parse
from nftnsr.spec.model import Router

CLIENT, CLIENT6 = ip_address("203.0.113.9"), ip_address("2001:db8:9::9")
PUBLIC = ip_address("198.51.100.4")
OWN, ULA = ip_address("2001:db8:1::2"), ip_address("fd00::2")


def router(forward: str, keys: str = "", more: str = "") -> Router:
    text = f"""
        [router.r]
        uplink = "eth0"
        addresses = ["198.51.100.4/24", "198.51.100.5/24", "2001:db8:1::3/64"]
        gateways = ["198.51.100.1", "fe80::1"]
        forward = [{forward}]
        {keys}
        [router.r.host]
        interface = "veth0"
        addresses = ["192.168.1.2/24", "{OWN}/128", "{ULA}/128"]
        router_addresses = ["192.168.1.1/24"]
        networks = ["10.42.0.0/24"]
        {more}
    """
    return parse(text, "reach.toml").routers[0]


@pytest.mark.parametrize(
    ("forward", "reaches"),
    [
        ('"22/tcp"', True),
        ('"20-30/tcp"', True),
        ('"2222/tcp -> :22"', True),
        ('"22/udp"', False),
        ('"22/tcp -> :2222"', False),
        ('"22/tcp -> 10.42.0.9"', False),
        ('"22/tcp -> 192.168.1.2"', True),
        ('{ port = 22, from = ["203.0.113.0/24"] }', True),
        ('{ port = 22, from = ["192.0.2.0/24"] }', False),
        ("", False),
        ('"80,22/tcp+udp"', True),
        ('"80,443/tcp+udp"', False),
        ('"2000-2010/tcp -> :20-30"', True),
        ('"20-30/tcp -> :2020-2030"', False),
        ('"198.51.100.4:22/tcp"', True),
        ('"198.51.100.5:22/tcp"', False),
        ("{ port = 22, enabled = false }", False),
        ('{ port = 22, address = "198.51.100.4", from = ["192.0.2.0/24"] }', False),
    ],
)
def test_forward_that_leads_to_the_hosts_port_lets_a_client_in(forward: str, reaches: bool) -> None:
    assert reaches_host(router(forward), CLIENT, PUBLIC, 22) is reaches


def test_own_ipv6_address_stays_open_unless_it_is_closed() -> None:
    assert stays_open(router(""), CLIENT6, OWN, 22)
    closed = 'inbound_ipv6 = "forwards"'
    assert not stays_open(router("", closed), CLIENT6, OWN, 22)
    assert stays_open(router('"22/tcp"', closed), CLIENT6, OWN, 22)
    assert stays_open(router("{ port = 22, nat = false }", closed), CLIENT6, OWN, 22)
    others = '{ port = 22, nat = false, from = ["2001:db8:8::/48"] }'
    assert not stays_open(router(others, closed), CLIENT6, OWN, 22)


def test_forward_without_nat_lets_nobody_in_by_the_public_address() -> None:
    closed = router("{ port = 22, nat = false }", 'inbound_ipv6 = "forwards"')
    assert not reaches_host(closed, CLIENT, PUBLIC, 22)
    assert not reaches_host(closed, CLIENT6, ip_address("2001:db8:1::3"), 22)


def test_unique_local_address_is_open_to_nobody() -> None:
    assert not stays_open(router('"22/tcp"'), CLIENT6, ULA, 22)


def test_host_is_reached_over_further_links_to_it_and_not_over_others() -> None:
    more = """
        [router.r.inner.{0}]
        {1}
        interface = "far"
        addresses = ["10.45.0.2/24"]
        router_addresses = ["10.45.0.1/24"]
    """
    for namespace, reaches in (("", True), ('namespace = "vm1"', False)):
        forward = '"22/tcp -> 10.45.0.2"'
        described = router(forward, more=more.format("near", namespace))
        assert reaches_host(described, CLIENT, PUBLIC, 22) is reaches


def test_address_of_a_further_uplink_leads_where_the_first_ones_does() -> None:
    lte = """
        [router.r.uplinks.lte]
        uplink = "eth1"
        addresses = ["203.0.114.7/24"]
    """
    other = ip_address("203.0.114.7")
    assert reaches_host(router('"22/tcp"', more=lte), CLIENT, other, 22)
    assert not reaches_host(router('"198.51.100.4:22/tcp"', more=lte), CLIENT, other, 22)
    assert reaches_host(router('"203.0.114.7:22/tcp"', more=lte), CLIENT, other, 22)
