"""What two specs say of a flow that is under way when the second takes the place of the first."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from nftnsr.rehearsal.fates import fate
from nftnsr.rehearsal.outcome import Kind
from nftnsr.rehearsal.probes import Arrives, Reach, Server
from nftnsr.rehearsal.scene import HOST, INTERNET, Origin
from nftnsr.spec import parse
from nftnsr.spec.model import Protocol, Router

SPEC = """
[router.wan]
uplink    = "wan"
addresses = ["203.0.113.10/24", "203.0.113.11/32", "2001:db8:113::3/64"]
gateways  = ["203.0.113.1", "2001:db8:113::1"]
forward   = ["80/tcp -> 10.42.0.10", "5000-5010/udp"]
# more

[router.wan.host]
interface        = "vwan"
addresses        = ["192.168.158.2/24", "2001:db8:113::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24"]
# of the host

[router.wan.filter]
"""
CLIENT = Origin(INTERNET, ip_address("198.51.100.1"))
POD = Origin("inner host of 10.42.0.0/24", ip_address("10.42.0.1"))


def router(*changes: tuple[str, str]) -> Router:
    text = SPEC
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (made,) = parse(text, "spec.toml").routers
    return made


def judged(
    changes: tuple[tuple[str, str], ...], kind: Kind, origin: Origin, to: tuple[str, int],
    server: tuple[Protocol, str, int], seen: str = "198.51.100.1",
) -> str:  # fmt: skip
    protocol, address, port = server
    target = Server(HOST, protocol, ip_address(address), port)
    reach = Reach("wan", kind, "", origin, ip_address(to[0]), to[1], target, Arrives())
    return fate(reach, target, ip_address(seen), router(), router(*changes))


WEB = ("in", CLIENT, ("203.0.113.10", 80), ("tcp", "10.42.0.10", 80))
RANGE = ("in", CLIENT, ("203.0.113.10", 5005), ("udp", "192.168.158.2", 5005))
HAIRPIN = ("hairpin", POD, ("203.0.113.10", 80), ("tcp", "10.42.0.10", 80))
OWN = ("in", Origin(INTERNET, ip_address("2001:db8:ffff::1")), ("2001:db8:113::2", 9),
       ("tcp", "2001:db8:113::2", 9))  # fmt: skip
OUT = ("out", POD, ("198.51.100.9", 443), ("tcp", "198.51.100.9", 443), "203.0.113.10")
ANY = '"80/tcp -> 10.42.0.10"'


@pytest.mark.parametrize(
    ("changes", "flow", "expected"),
    [
        ([], WEB, "goes on"),
        ([(f"{ANY}, ", "")], WEB, "ends"),
        ([(f"{ANY}, ", "")], RANGE, "goes on"),
        ([(f"{ANY}, ", "")], HAIRPIN, "ends"),
        ([("-> 10.42.0.10", "-> 10.42.0.11")], WEB, "ends"),
        ([("-> 10.42.0.10", "-> 10.42.0.10:81")], WEB, "ends"),
        ([(ANY, '{ port = 80, to = ["10.42.0.11", "10.42.0.10"] }')], WEB, "goes on"),
        ([("80/tcp -> 10.42.0.10", "80,443/tcp -> 10.42.0.10")], WEB, "goes on"),
        ([("5000-5010", "5000-5006")], RANGE, "goes on"),
        ([("5000-5010", "5006-5010")], RANGE, "ends"),
        ([("5000-5010/udp", "5000-5010/udp -> :6000-6010")], RANGE, "ends"),
        ([(ANY, '{ port = 80, to = "10.42.0.10", from = ["198.51.100.0/25"] }')], WEB, "goes on"),
        ([(ANY, '{ port = 80, to = "10.42.0.10", from = ["192.0.2.0/24"] }')], WEB, "ends"),
        ([(ANY, '{ port = 80, to = "10.42.0.10", from = ["192.0.2.0/24"] }')], HAIRPIN, "goes on"),
        ([(ANY, '{ port = 80, to = "10.42.0.10", hairpin = false }')], HAIRPIN, "ends"),
        ([("# more", "hairpin = false")], HAIRPIN, "ends"),
        ([("# more", "hairpin = false")], WEB, "goes on"),
        ([(ANY, '{ port = 80, to = "10.42.0.10", hide_client = true }')], WEB, "either"),
        ([("203.0.113.10/24", "203.0.113.12/24")], WEB, "ends"),
        ([("203.0.113.10/24", "203.0.113.12/24")], OUT, "ends"),
        ([('"203.0.113.10/24"', '"203.0.113.9/24", "203.0.113.10/24"')], WEB, "goes on"),
        ([('"203.0.113.10/24"', '"203.0.113.9/24", "203.0.113.10/24"')], OUT, "goes on"),
        ([("192.168.158.2/24", "192.168.158.3/24")], RANGE, "ends"),
        ([("192.168.158.2/24", "192.168.158.3/24")], WEB, "goes on"),
        ([("# more", "masquerade = false")], OUT, "either"),
        ([("# more", 'snat = ["10.42.0.0/24 -> 203.0.113.10"]')], OUT, "goes on"),
        ([("# more", 'snat = ["10.42.0.0/24 -> 203.0.113.11"]')], OUT, "either"),
        ([("[router.wan.filter]", '[router.wan.filter]\negress = ["10.42.0.0/24 -> nothing"]')],
         OUT, "either"),
        ([("[router.wan.filter]", "[router.wan.filter]\nbogons = true")], OUT, "ends"),
        ([("[router.wan.filter]", "[router.wan.filter]\nbogons = true")], WEB, "ends"),
        ([("# more", 'routes = ["unreachable 198.51.100.0/24"]')], OUT, "either"),
        ([("# more", 'inbound_ipv6 = "forwards"')], OWN, "either"),
        ([("# of the host", "mtu = 1400")], OWN, "goes on"),
        ([("2001:db8:113::2/128", "2001:db8:113::4/128")], OWN, "either"),
        ([("# of the host", "default_route = false")], WEB, "either"),
        ([("# more", 'one_to_one = ["203.0.113.11 <-> 10.42.0.10"]')], WEB, "goes on"),
    ],
)  # fmt: skip
def test_fate_of_a_flow_follows_from_both_specs(
    changes: list[tuple[str, str]], flow: tuple[object, ...], expected: str
) -> None:
    assert judged(tuple(changes), *flow) == expected  # type: ignore[arg-type]


def test_flow_through_a_whole_address_ends_when_it_stands_for_another() -> None:
    pair = ("# more", 'one_to_one = ["203.0.113.11 <-> 10.42.0.10"]')
    other = ("# more", 'one_to_one = ["203.0.113.11 <-> 10.42.0.12"]')
    server = Server(HOST, "tcp", ip_address("10.42.0.10"), 9)
    public = ip_address("203.0.113.11")
    inward = Reach("wan", "in", "", CLIENT, public, 9, server, Arrives())
    far = Server(INTERNET, "tcp", ip_address("198.51.100.9"), 9)
    outward = Reach("wan", "out", "", Origin("pod", server.address), far.address, 9, far, Arrives())
    seen = ip_address("198.51.100.1")
    cases = (
        (pair, "goes on", "goes on"),
        (other, "ends", "either"),
        (("# more", ""), "ends", "goes on"),
    )
    for after, into, out in cases:
        assert fate(inward, server, seen, router(pair), router(after)) == into
        assert fate(outward, far, public, router(pair), router(after)) == out
