"""Laws of the compiler: what a spec implies, and that each implied thing can be switched off."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from attrs import evolve

from nftnsr.compile import compile_host, compile_router, compile_spec
from nftnsr.compile.sources import seen_as
from nftnsr.compile.uplinks import leaves_by, sources
from nftnsr.spec import parse
from nftnsr.spec.forwards import short
from nftnsr.spec.model import (
    Balance,
    Forward,
    Inner,
    Limit,
    OneToOne,
    Ports,
    PrefixPair,
    Rate,
    Router,
    SourceNat,
    Spec,
    StaticRoute,
    Target,
    Uplink,
)
from nftnsr.state.difference import AddNamespace, difference
from nftnsr.state.model import (
    HOST,
    Address,
    Chain,
    Hop,
    Item,
    Link,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Set,
    State,
    Sysctl,
)
from nftnsr.state.ruleset import ruleset_text

HERE = ip_interface("2001:db8:1:2::2/128")
BARE = Router(
    name="wan",
    uplinks=(
        Uplink(
            dev="ens3",
            addresses=(ip_interface("192.0.2.10/24"), ip_interface("2001:db8:1:2::3/64")),
            gateways=(ip_address("192.0.2.1"), ip_address("2001:db8:1:2::1")),
        ),
    ),
    host=Inner(
        "vens3",
        (ip_interface("192.168.158.2/24"), HERE),
        (ip_interface("192.168.158.1/24"),),
    ),
)


def uplink(router: Router, **fields: Any) -> Router:
    """The router with fields of its uplink changed."""
    return evolve(router, uplinks=(evolve(router.uplinks[0], **fields),))


ONE = evolve(BARE, forward=(Forward((Ports(22, 22),)),))
OFFICE = (ip_network("203.0.113.0/24"), ip_network("2001:db8:9::/48"))


def forwarding(*forwards: Forward | str, router: Router = BARE) -> Router:
    made = tuple(short(f) if isinstance(f, str) else f for f in forwards)
    return evolve(router, forward=made)


def text(router: Router) -> str:
    return ruleset_text(compile_router(router).ruleset)


def sets(router: Router) -> dict[str, frozenset[str]]:
    return {i.name: i.elements for i in compile_router(router).items if isinstance(i, Set)}


def rules(router: Router, chain: str) -> tuple[str, ...]:
    items = compile_router(router).items
    return next((i.rules for i in items if isinstance(i, Chain) and i.name == chain), ())


def routes(space: Namespace) -> dict[str, Hop]:
    return {str(i.destination): i.hops[0] for i in space.items if isinstance(i, Route)}


def settings(space: Namespace) -> dict[str, str]:
    return {i.path: i.value for i in space.items if isinstance(i, Sysctl)}


def only4(router: Router) -> Router:
    host = evolve(router.host, addresses=router.host.addresses[:1])
    return uplink(
        evolve(router, host=host), addresses=router.addresses[:1], gateways=router.gateways[:1]
    )


# -- forwards ------------------------------------------------------------------------------


def test_forward_without_target_leads_to_the_host_in_both_families() -> None:
    assert sets(ONE) == {
        "forward_ipv4": {"tcp . 22 : 192.168.158.2 . 22"},
        "forward_ipv6": {"tcp . 22 : 2001:db8:1:2::2 . 22"},
    }


def test_forward_with_a_target_exists_in_the_family_of_its_target_only() -> None:
    assert sets(forwarding("80/tcp -> 192.168.158.9")) == {
        "forward_ipv4": {"tcp . 80 : 192.168.158.9 . 80"}
    }
    assert sets(forwarding("80/tcp -> [fd00::9]:8080")) == {
        "forward_ipv6": {"tcp . 80 : fd00::9 . 8080"}
    }


def test_forward_to_another_port_of_the_host() -> None:
    assert sets(forwarding("5353/udp -> :53"))["forward_ipv4"] == {
        "udp . 5353 : 192.168.158.2 . 53"
    }


def test_range_keeps_its_ports_in_a_map_of_its_own() -> None:
    router = only4(forwarding("30000-30100/tcp", "22/tcp"))
    assert sets(router) == {
        "forward_ipv4": {"tcp . 22 : 192.168.158.2 . 22"},
        "forward_ipv4_ranges": {"tcp . 30000-30100 : 192.168.158.2"},
    }


def test_range_that_leads_to_other_ports_is_a_row_of_single_ones() -> None:
    router = only4(forwarding("8000-8002/tcp -> 192.168.158.9:9000-9002"))
    assert sets(router) == {
        "forward_ipv4": {
            "tcp . 8000 : 192.168.158.9 . 9000",
            "tcp . 8001 : 192.168.158.9 . 9001",
            "tcp . 8002 : 192.168.158.9 . 9002",
        }
    }
    same = only4(forwarding("8000-8002/tcp -> 192.168.158.9:8000-8002"))
    assert sets(same) == {"forward_ipv4_ranges": {"tcp . 8000-8002 : 192.168.158.9"}}


def test_list_of_ports_and_protocols_has_an_element_for_each() -> None:
    assert sets(only4(forwarding("53,60-61/tcp+udp"))) == {
        "forward_ipv4": {f"{p} . 53 : 192.168.158.2 . 53" for p in ("tcp", "udp")},
        "forward_ipv4_ranges": {f"{p} . 60-61 : 192.168.158.2" for p in ("tcp", "udp")},
    }


TWO = uplink(BARE, addresses=(*BARE.addresses, ip_interface("192.0.2.11/24")))


def test_public_address_of_a_forward_is_a_part_of_its_key() -> None:
    office = Forward((Ports(22, 22),), addresses=(TWO.addresses[2].ip,), sources=OFFICE)
    router = forwarding("192.0.2.11:443/tcp", "80/tcp", evolve(office, hairpin=False), router=TWO)
    found = sets(router)
    assert found["forward_ipv4_addresses"] == {"192.0.2.11 . tcp . 443 : 192.168.158.2 . 443"}
    assert found["forward_ipv4_sources_addresses"] == {
        "203.0.113.0/24 . 192.0.2.11 . tcp . 22 : 192.168.158.2 . 22"
    }
    # A forward that names an IPv4 address has none of IPv6.
    assert found["forward_ipv6"] == {"tcp . 80 : 2001:db8:1:2::2 . 80"}
    assert [r for r in rules(router, "prerouting") if "addresses" in r] == [
        "meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport "
        "map @forward_ipv4_addresses",
        "meta l4proto { tcp, udp } dnat ip to ip saddr . ip daddr . meta l4proto . th dport "
        "map @forward_ipv4_sources_addresses",
    ]


SEVERAL = tuple(Target(ip_address(f"10.42.0.{n}"), Ports(80, 80)) for n in (1, 2))


def balanced(port: int, balance: Balance = "source", **more: Any) -> Forward:
    return Forward((Ports(port, port),), targets=SEVERAL, balance=balance, **more)


def test_balanced_forwards_share_the_choice_of_their_server() -> None:
    router = only4(forwarding(balanced(443), balanced(444)))
    assert sets(router) == {
        "balance_ipv4": {f"tcp . {port} : goto by_source_2_ipv4" for port in (443, 444)},
        "server_1_ipv4": {f"tcp . {port} : 10.42.0.1 . 80" for port in (443, 444)},
        "server_2_ipv4": {f"tcp . {port} : 10.42.0.2 . 80" for port in (443, 444)},
    }
    assert rules(router, "prerouting") == (
        "ip daddr 192.0.2.10 meta l4proto . th dport vmap @balance_ipv4",
    )
    assert rules(router, "by_source_2_ipv4") == (
        "jhash ip saddr mod 2 seed 0x6e6674 "
        "vmap { 0 : goto server_1_ipv4, 1 : goto server_2_ipv4 }",
    )
    assert rules(router, "server_2_ipv4") == (
        "dnat ip to meta l4proto . th dport map @server_2_ipv4",
    )


def test_each_forward_has_a_turn_of_its_own() -> None:
    router = only4(forwarding(balanced(443, "round-robin"), balanced(444, "round-robin")))
    assert sets(router)["balance_ipv4"] == {
        "tcp . 443 : goto in_turn_tcp_443_ipv4",
        "tcp . 444 : goto in_turn_tcp_444_ipv4",
    }
    assert rules(router, "in_turn_tcp_444_ipv4")[0].startswith("numgen inc mod 2 vmap ")


def test_limit_jumps_to_the_buckets_of_its_forward_first_of_all() -> None:
    limit = Limit(Rate(20, "minute"), 50)
    router = only4(forwarding(Forward((Ports(22, 22),), limit=limit), balanced(443, limit=limit)))
    assert sets(router)["limit_ipv4"] == {
        "0.0.0.0/0 . 192.0.2.10 . tcp . 22 : jump limit_tcp_22_ipv4",
        "0.0.0.0/0 . 192.0.2.10 . tcp . 443 : jump limit_tcp_443_ipv4",
    }
    assert rules(router, "prerouting")[0] == (
        'iifname "ens3" ip saddr . ip daddr . meta l4proto . th dport vmap @limit_ipv4'
    )
    assert rules(router, "limit_tcp_22_ipv4") == (
        "update @limited_tcp_22_ipv4 { ip saddr limit rate over 20/minute burst 50 packets } drop",
    )
    # 50 tokens at 20 a minute.
    assert "timeout 150s" in text(router)


def test_hidden_client_is_told_by_what_it_asked_for() -> None:
    router = only4(forwarding(Forward((Ports(25, 25),), sources=OFFICE, hide_client=True)))
    assert sets(router)["hidden_ipv4"] == {"203.0.113.0/24 . 192.0.2.10 . tcp . 25"}
    assert rules(router, "postrouting")[-1] == (
        'iifname "ens3" oifname "vens3" meta l4proto { tcp, udp } '
        "ct original ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst "
        "@hidden_ipv4 masquerade"
    )


def test_sctp_is_spoken_of_only_where_it_is_used() -> None:
    office = Forward((Ports(443, 443),), sources=OFFICE)
    assert "sctp" not in text(forwarding(office, "80/tcp"))
    assert "meta l4proto { tcp, udp, sctp } dnat" in text(forwarding(office, "80/sctp"))


def test_number_of_rules_does_not_depend_on_the_number_of_forwards() -> None:
    many = forwarding(*(f"{port}/tcp" for port in range(1, 500)))
    assert rules(many, "prerouting") == rules(ONE, "prerouting")
    assert len(sets(many)["forward_ipv4"]) == 499


def test_sources_are_listed_with_what_is_inside() -> None:
    router = forwarding(Forward((Ports(443, 443),), sources=OFFICE))
    assert sets(router) == {
        "forward_ipv4_sources": {
            "203.0.113.0/24 . tcp . 443 : 192.168.158.2 . 443",
            "192.168.158.2 . tcp . 443 : 192.168.158.2 . 443",
        },
        "forward_ipv6_sources": {
            "2001:db8:9::/48 . tcp . 443 : 2001:db8:1:2::2 . 443",
            "2001:db8:1:2::2 . tcp . 443 : 2001:db8:1:2::2 . 443",
        },
    }


def test_sources_without_hairpin_are_those_that_were_named() -> None:
    router = only4(forwarding(Forward((Ports(443, 443),), sources=OFFICE, hairpin=False)))
    assert sets(router) == {
        "forward_ipv4_sources": {"203.0.113.0/24 . tcp . 443 : 192.168.158.2 . 443"}
    }


def test_overlapping_and_adjacent_sources_become_one() -> None:
    networks = ("198.51.100.0/25", "198.51.100.128/25", "198.51.100.7/32", "203.0.113.0/24")
    sources = tuple(ip_network(n) for n in networks)
    router = only4(forwarding(Forward((Ports(443, 443),), sources=sources, hairpin=False)))
    assert sets(router)["forward_ipv4_sources"] == {
        "198.51.100.0/24 . tcp . 443 : 192.168.158.2 . 443",
        "203.0.113.0/24 . tcp . 443 : 192.168.158.2 . 443",
    }


def test_sources_that_hold_the_inside_are_not_listed_twice() -> None:
    everyone = Forward((Ports(443, 443),), sources=(ip_network("0.0.0.0/0"),))
    assert sets(only4(forwarding(everyone)))["forward_ipv4_sources"] == {
        "0.0.0.0/0 . tcp . 443 : 192.168.158.2 . 443"
    }


def test_forward_whose_sources_lack_a_family_does_not_exist_in_it() -> None:
    router = forwarding(Forward((Ports(443, 443),), sources=OFFICE[:1]))
    assert set(sets(router)) == {"forward_ipv4_sources"}


def test_every_public_address_is_forwarded() -> None:
    two = uplink(ONE, addresses=(*ONE.addresses, ip_interface("192.0.2.11/24")))
    assert rules(two, "prerouting")[0].startswith("ip daddr { 192.0.2.10, 192.0.2.11 } dnat")


# -- hairpin and masquerade ----------------------------------------------------------------

HAIRPIN = 'iifname "vens3" oifname "vens3" ct status dnat masquerade'
MASQUERADE = 'oifname "ens3" meta nfproto ipv4 masquerade'


def test_hairpin_translates_only_what_comes_from_inside() -> None:
    assert rules(ONE, "postrouting") == (MASQUERADE, HAIRPIN)
    assert not any("iifname" in rule for rule in rules(ONE, "prerouting"))


@pytest.mark.parametrize(
    "router",
    [
        evolve(ONE, hairpin=False),
        forwarding(Forward((Ports(22, 22),), hairpin=False)),
    ],
    ids=["of the router", "of the forward"],
)
def test_forward_without_hairpin_is_for_the_outside_only(router: Router) -> None:
    assert set(sets(router)) == {"forward_ipv4_outside", "forward_ipv6_outside"}
    assert all(rule.startswith('iifname "ens3" ') for rule in rules(router, "prerouting"))


def test_no_hairpin_means_no_hairpin_rule() -> None:
    assert rules(evolve(ONE, hairpin=False), "postrouting") == (MASQUERADE,)
    assert rules(BARE, "postrouting") == (MASQUERADE,)


def test_masquerade_is_for_ipv4_and_the_uplink_only() -> None:
    router = evolve(BARE, host=Inner("vens3", (HERE,)))
    only6 = uplink(router, addresses=BARE.addresses[1:], gateways=BARE.gateways[1:])
    assert "masquerade" not in text(only6)


# -- whole addresses, and sources ----------------------------------------------------------

PAIR = OneToOne(ip_address("192.0.2.11"), ip_address("10.42.0.10"))
PREFIX = PrefixPair(IPv6Network("2001:db8:7::/64"), IPv6Network("fd00:42::/64"))


def test_address_that_is_one_hosts_alone_has_no_forwards() -> None:
    router = evolve(forwarding("22/tcp", router=TWO), one_to_one=(PAIR,))
    assert sets(router)["one_to_one_ipv4"] == {"192.0.2.11 : 10.42.0.10"}
    assert sets(router)["one_to_one_out_ipv4"] == {"10.42.0.10 : 192.0.2.11"}
    found = rules(router, "prerouting")
    assert found[0].startswith("ip daddr 192.0.2.10 dnat ")
    assert found[-1] == "dnat ip to ip daddr map @one_to_one_ipv4"
    without = rules(evolve(router, hairpin=False), "prerouting")
    assert without[-1] == 'iifname "ens3" dnat ip to ip daddr map @one_to_one_ipv4'


def test_what_decides_the_source_goes_from_the_narrow_to_the_wide() -> None:
    network, pool = ip_network("10.42.0.0/24"), [ip_address(f"192.0.2.{n}") for n in (20, 29)]
    router = evolve(
        ONE,
        uplinks=TWO.uplinks,
        one_to_one=(PAIR,),
        prefix_translation=(PREFIX,),
        snat=(SourceNat(network, pool[0], pool[0]), SourceNat(network, *pool, persistent=True)),
        no_nat=(ip_network("10.8.0.0/24"), ip_network("10.9.0.0/24")),
        source_ports="random",
    )
    assert rules(router, "postrouting") == (
        'oifname "ens3" ip daddr { 10.8.0.0/24, 10.9.0.0/24 } accept',
        'oifname "ens3" snat ip to ip saddr map @one_to_one_out_ipv4',
        'oifname "ens3" snat ip to ip saddr map @snat_ipv4 random',
        'oifname "ens3" snat ip to ip saddr map @snat_ipv4_persistent random,persistent',
        f"{MASQUERADE} random",
        'oifname "ens3" snat ip6 prefix to ip6 saddr map @prefixes_out',
        HAIRPIN,
    )
    assert sets(router)["snat_ipv4"] == {"10.42.0.0/24 : 192.0.2.20/32"}
    assert sets(router)["snat_ipv4_persistent"] == {"10.42.0.0/24 : 192.0.2.20-192.0.2.29"}


@pytest.mark.parametrize(
    ("change", "out"),
    [
        ({}, "ip6 saddr 2001:db8:1:2::2"),
        ({"prefix_translation": (PREFIX,)}, "ip6 saddr { 2001:db8:1:2::2, fd00:42::/64 }"),
        (
            {"snat": (SourceNat(ip_network("fd00:42:0:0:1::/80"), HERE.ip, HERE.ip),)},
            "ip6 saddr { 2001:db8:1:2::2, fd00:42:0:0:1::/80 }",
        ),
        (
            {"one_to_one": (OneToOne(ip_address("2001:db8:7::1"), ip_address("fd00:42::9")),)},
            "ip6 saddr { 2001:db8:1:2::2, fd00:42::9 }",
        ),
    ],
    ids=["nothing", "a prefix", "a part of the network", "one host"],
)
def test_unique_local_addresses_go_out_where_they_are_translated(
    change: dict[str, Any], out: str
) -> None:
    host = evolve(BARE.host, networks=(ip_network("fd00:42::/64"),))
    found = rules(evolve(BARE, host=host, **change), "forward")
    assert f'iifname "vens3" oifname "ens3" {out} accept' in found


@pytest.mark.parametrize(
    ("source", "to", "expected"),
    [
        ("10.42.0.10", "198.51.100.1", ["192.0.2.11/32"]),
        ("10.42.0.11", "198.51.100.1", ["192.0.2.20/31"]),
        ("10.42.0.10", "10.8.0.1", ["10.42.0.10/32"]),
        ("192.168.158.2", "198.51.100.1", ["192.0.2.10/32", "192.0.2.11/32"]),
        ("fd00:42::ab", "2001:db8:9::1", ["2001:db8:7::ab/128"]),
        ("2001:db8:1:2::2", "2001:db8:9::1", ["2001:db8:1:2::2/128"]),
    ],
)
def test_as_whom_somebody_is_seen(source: str, to: str, expected: list[str]) -> None:
    pool = [ip_address(f"192.0.2.{n}") for n in (20, 21)]
    router = evolve(
        TWO,
        one_to_one=(PAIR,),
        prefix_translation=(PREFIX,),
        snat=(SourceNat(ip_network("10.42.0.0/24"), *pool),),
        no_nat=(ip_network("10.8.0.0/24"),),
    )
    ends = ip_address(source), ip_address(to)
    assert [str(n) for n in seen_as(router, router.uplinks[0], *ends)] == expected


# -- what each key switches off ------------------------------------------------------------


def gone(before: Router, after: Router) -> set[str]:
    """The lines of the ruleset and the settings that a change of the router takes away."""
    return lines(before) - lines(after)


def come(before: Router, after: Router) -> set[str]:
    return lines(after) - lines(before)


def lines(router: Router) -> set[str]:
    found = {line.strip() for line in text(router).splitlines()}
    for each in (compile_router(router), compile_host(router)):
        found |= {str(item) for item in each.items if not isinstance(item, Set | Chain)}
    return found


STATES = "ct state vmap { established : accept, related : accept, invalid : drop }"
OPEN = 'iifname "ens3" oifname "vens3" ip6 daddr 2001:db8:1:2::2'
PROXY = str(Neighbour("ens3", HERE.ip, proxy=True))


def sysctl(path: str, value: str) -> str:
    return str(Sysctl(path, value))


SWITCHES: dict[str, tuple[Callable[[Router], Router], set[str], set[str]]] = {
    "masquerade": (lambda r: evolve(r, masquerade=False), {MASQUERADE}, set()),
    "counters": (
        lambda r: evolve(r, counters=True),
        set(),
        {
            "set traffic {",
            "type nf_proto . inet_proto . inet_service",
            "ipv4 . tcp . 22,",
            "ipv6 . tcp . 22",
            "chain accounting {",
            "type filter hook forward priority filter + 1; policy accept;",
            "ct status dnat meta l4proto tcp "
            "meta nfproto . meta l4proto . ct original proto-dst @traffic",
        },
    ),
    "drop_invalid": (
        lambda r: evolve(r, drop_invalid=False),
        {STATES},
        {"ct state vmap { established : accept, related : accept }"},
    ),
    "forward_filter": (
        lambda r: evolve(r, forward_filter=False),
        {
            "type filter hook forward priority filter; policy drop;",
            STATES,
            'iifname "vens3" oifname "ens3" ip saddr 192.168.158.2 accept',
            'iifname "vens3" oifname "ens3" ip6 saddr 2001:db8:1:2::2 accept',
            'oifname "vens3" ct status dnat accept',
            f"{OPEN} accept",
        },
        {
            "type filter hook forward priority filter; policy accept;",
            "ct state vmap { invalid : drop }",
        },
    ),
    "inbound_ipv6": (
        lambda r: evolve(r, inbound_ipv6="forwards"),
        {f"{OPEN} accept"},
        {
            "set inbound_ipv6 {",
            "type inet_proto . inet_service",
            "flags interval",
            "tcp . 22",
            f"{OPEN} icmpv6 type echo-request accept",
            f"{OPEN} meta l4proto . th dport @inbound_ipv6 accept",
        },
    ),
    "proxy_ndp": (
        lambda r: evolve(r, proxy_ndp=False),
        {PROXY, sysctl("net/ipv6/conf/ens3/proxy_ndp", "1")},
        {sysctl("net/ipv6/conf/ens3/proxy_ndp", "0")},
    ),
    "proxy_delay": (
        lambda r: evolve(r, proxy_delay=80),
        {sysctl("net/ipv6/neigh/ens3/proxy_delay", "0")},
        {sysctl("net/ipv6/neigh/ens3/proxy_delay", "80")},
    ),
    "accept_ra": (
        lambda r: evolve(r, accept_ra=2),
        {sysctl("net/ipv6/conf/ens3/accept_ra", "0")},
        {sysctl("net/ipv6/conf/ens3/accept_ra", "2")},
    ),
    "rp_filter": (
        lambda r: evolve(r, rp_filter=2),
        {sysctl(f"net/ipv4/conf/{d}/rp_filter", "1") for d in ("all", "default", "ens3", "vens3")},
        {sysctl(f"net/ipv4/conf/{d}/rp_filter", "2") for d in ("all", "default", "ens3", "vens3")},
    ),
    "default_route": (
        lambda r: evolve(r, host=evolve(r.host, default_route=False)),
        {str(i) for i in compile_host(ONE).items if isinstance(i, Route)},
        set(),
    ),
    "gateways": (
        lambda r: uplink(r, gateways=()),
        {
            str(i)
            for i in compile_router(ONE).items
            if isinstance(i, Route) and not i.destination.prefixlen
        },
        set(),
    ),
}


@pytest.mark.parametrize("key", SWITCHES)
def test_key_changes_what_it_names_and_nothing_else(key: str) -> None:
    change, off, on = SWITCHES[key]
    assert (gone(ONE, change(ONE)), come(ONE, change(ONE))) == (off, on)


def test_forwards_are_counted_by_port_and_overlapping_ranges_apart() -> None:
    """A set of intervals takes none that overlap, as ranges for several senders may."""
    elsewhere = Forward((Ports(150, 300),), sources=(ip_network("198.51.100.0/24"),))
    router = forwarding("443/tcp", "53/udp", "100-200/tcp", Forward((Ports(443, 443),)), elsewhere)
    found = sets(evolve(router, counters=True))
    ports = {"tcp . 443", "udp . 53"}
    assert found["traffic"] == {f"{v} . {p}" for v in ("ipv4", "ipv6") for p in ports}
    assert found["traffic_ranges"] == {
        "ipv4 . tcp . 100-149",
        "ipv4 . tcp . 150-200",
        "ipv4 . tcp . 201-300",
        "ipv6 . tcp . 100-200",
    }
    dnat = "ct status dnat meta l4proto"
    key = "meta nfproto . meta l4proto . ct original proto-dst"
    assert rules(evolve(router, counters=True), "accounting") == (
        f"{dnat} {{ tcp, udp }} {key} @traffic",
        f"{dnat} tcp {key} @traffic_ranges",
    )


def test_nothing_is_counted_where_nothing_is_forwarded() -> None:
    assert text(evolve(BARE, counters=True)) == text(BARE)


def test_all_switched_off_leaves_no_chain() -> None:
    bare = evolve(BARE, masquerade=False, hairpin=False, drop_invalid=False, forward_filter=False)
    assert text(bare) == "table inet nftnsr {\n}\n"


def test_nothing_is_made_for_what_is_not_used() -> None:
    assert sets(BARE) == {}
    assert rules(BARE, "prerouting") == ()
    assert "ip6" not in text(only4(ONE))


def test_inbound_ipv6_opens_the_ports_of_the_host_and_no_others() -> None:
    office = Forward((Ports(443, 443),), sources=OFFICE)
    router = evolve(
        forwarding("30000-30100/udp", "2222/tcp -> :22", "80/tcp -> [fd00::9]", office),
        inbound_ipv6="forwards",
    )
    found = {n: e for n, e in sets(router).items() if n.startswith("inbound")}
    assert found == {
        "inbound_ipv6": {"udp . 30000-30100"},
        "inbound_ipv6_sources": {"2001:db8:9::/48 . tcp . 443"},
    }


# -- addresses, routes, settings -----------------------------------------------------------


def test_port_of_one_public_address_opens_nothing_at_the_hosts_own() -> None:
    router = evolve(forwarding("[2001:db8:1:2::3]:80/tcp", "81/tcp"), inbound_ipv6="forwards")
    assert sets(router)["inbound_ipv6"] == {"tcp . 81"}


def test_gateway_outside_the_prefixes_is_on_link() -> None:
    router = uplink(
        BARE,
        addresses=(ip_interface("192.0.2.10/32"), ip_interface("2001:db8:1:2::3/128")),
        gateways=(ip_address("172.31.1.1"), ip_address("2001:db8:ffff::1")),
    )
    found = routes(compile_router(router))
    assert found["0.0.0.0/0"] == Hop("ens3", ip_address("172.31.1.1"), onlink=True)
    assert found["::/0"] == Hop("ens3", ip_address("2001:db8:ffff::1"), onlink=True)


def test_gateway_inside_a_prefix_and_a_link_local_one_are_not_on_link() -> None:
    router = uplink(BARE, gateways=(ip_address("192.0.2.1"), ip_address("fe80::1")))
    found = routes(compile_router(router))
    assert not found["0.0.0.0/0"].onlink
    assert not found["::/0"].onlink


def test_networks_are_routed_through_the_host() -> None:
    networks = (ip_network("10.42.0.0/24"), ip_network("fd00:42::/64"))
    router = evolve(BARE, host=evolve(BARE.host, networks=networks))
    found = routes(compile_router(router))
    assert found["10.42.0.0/24"] == Hop("vens3", ip_address("192.168.158.2"))
    assert found["fd00:42::/64"] == Hop("vens3", ip_address("fe80::2"))
    assert found["2001:db8:1:2::2/128"] == Hop("vens3", ip_address("fe80::2"))


def test_unique_local_network_may_not_leave_by_the_uplink() -> None:
    networks = (ip_network("fd00:42::/64"), ip_network("2001:db8:7::/64"))
    router = evolve(BARE, host=evolve(BARE.host, networks=networks))
    out = [r for r in rules(router, "forward") if r.startswith('iifname "vens3"')]
    assert out[1].endswith("ip6 saddr { 2001:db8:1:2::2, 2001:db8:7::/64 } accept")


def test_rule_of_the_spec_says_by_which_uplink_somebody_leaves() -> None:
    text = """
    [router.wan]
    uplink = "ens3"
    addresses = ["1.2.3.4/24"]
    gateways = ["1.2.3.1"]
    routes = ["0.0.0.0/0 via 5.6.7.9 table 77"]
    rules = ["from 10.42.0.0/25 lookup 1100", "from 10.42.0.200/32 to 9.9.9.9 lookup 1100",
             "from 10.42.0.201/32 lookup 77", "from 10.43.0.9/32 lookup 1000"]
    [router.wan.uplinks.lte]
    uplink = "ens4"
    addresses = ["5.6.7.8/24"]
    gateways = ["5.6.7.1"]
    networks = ["10.43.0.0/24"]
    [router.wan.host]
    interface = "vwan"
    addresses = ["192.168.158.2/24"]
    router_addresses = ["192.168.158.1/24"]
    networks = ["10.42.0.0/24", "10.43.0.0/24"]
    """
    (router,) = parse(text, "spec.toml").routers
    sent = {ip: leaves_by(router, ip_address(ip)).dev for ip in (
        "10.42.0.9", "10.42.0.200", "10.42.0.201", "10.43.0.9", "10.43.0.10")}  # fmt: skip
    assert sent == {
        "10.42.0.9": "ens4", "10.42.0.200": "ens3", "10.42.0.201": "ens4",
        "10.43.0.9": "ens3", "10.43.0.10": "ens4",
    }  # fmt: skip


TWO_ULA = """
[router.wan]
uplink = "ens3"
addresses = ["1.2.3.4/24", "2001:db8:1::3/64"]
gateways = ["1.2.3.1", "fe80::1"]
snat = ["fd00:42::/64 -> 2001:db8:1::3"]
[router.wan.uplinks.lte]
uplink = "ens4"
addresses = ["5.6.7.8/24", "2001:db8:2::3/64"]
gateways = ["5.6.7.1", "fe80::1"]
[router.wan.host]
interface = "vwan"
addresses = ["192.168.158.2/24", "2001:db8:1::2/128"]
router_addresses = ["192.168.158.1/24"]
networks = ["fd00:42::/64", "fd00:42:0:1::/64"]
"""


def test_unique_local_network_leaves_by_the_uplink_that_translates_it_alone() -> None:
    out = [r for r in accepting(TWO_ULA) if "ip6 saddr" in r]
    assert out == [
        'iifname "vwan" oifname "ens3" ip6 saddr { 2001:db8:1::2, fd00:42::/64 } accept',
        'iifname "vwan" oifname "ens4" ip6 saddr 2001:db8:1::2 accept',
    ]
    # Being restricted lets nobody out who would not get out without it.
    egress = '[router.wan.filter]\negress = ["fd00:42::/63 -> 80/tcp"]'
    sent = [r for r in accepting(TWO_ULA + egress) if "vmap" in r and "egress" in r]
    way = 'iifname "vwan" oifname "ens3" ip6 saddr vmap { fd00:42::/64 : goto egress_fd00_42___63 }'
    assert sent == [way]


def accepting(text: str) -> tuple[str, ...]:
    (router,) = parse(text, "spec.toml").routers
    return next(c.rules for c in compile_router(router).items
                if isinstance(c, Chain) and c.name == "forward")  # fmt: skip


def test_host_reaches_the_internet_by_the_router() -> None:
    assert routes(compile_host(BARE)) == {
        "0.0.0.0/0": Hop("vens3", ip_address("192.168.158.1")),
        "::/0": Hop("vens3", ip_address("fe80::1")),
    }


def test_only_addresses_of_the_uplinks_prefix_are_proxied() -> None:
    other = ip_interface("2001:db8:7::2/128")
    router = evolve(BARE, host=evolve(BARE.host, addresses=(*BARE.host.addresses, other)))
    items = compile_router(router).items
    assert [i for i in items if isinstance(i, Neighbour)] == [
        Neighbour("ens3", HERE.ip, proxy=True)
    ]


def test_names_of_the_veth_ends_may_differ() -> None:
    router = evolve(ONE, host=evolve(ONE.host, router_interface="inside"))
    here, there = compile_host(router), compile_router(router)
    assert here.items[0] == evolve(here.link("vens3"), peer=("wan", "inside"))  # type: ignore[type-var]
    assert there.link("inside").peer == (HOST, "vens3")  # type: ignore[union-attr]
    assert '"vens3"' not in text(router)


def test_router_without_ipv6_has_it_switched_off() -> None:
    found = settings(compile_router(only4(BARE)))
    assert found["net/ipv6/conf/ens3/disable_ipv6"] == "1"
    assert found["net/ipv6/conf/vens3/disable_ipv6"] == "1"
    assert found["net/ipv6/conf/all/forwarding"] == "0"
    items = (*compile_router(only4(BARE)).items, *compile_host(only4(BARE)).items)
    assert not [i for i in items if isinstance(i, Address) and i.interface.version == 6]


def test_every_spec_sets_the_same_settings() -> None:
    """Else one of the spec before would stay."""
    for other in (only4(BARE), evolve(BARE, proxy_ndp=False), ONE):
        assert settings(compile_router(other)).keys() == settings(compile_router(BARE)).keys()


def test_macs_are_stable_local_and_different() -> None:
    def macs(router: Router) -> set[str]:
        items = (*compile_router(router).items, *compile_host(router).items)
        return {i.mac for i in items if isinstance(i, Link) and i.mac}

    assert macs(BARE) == macs(uplink(ONE, dev="other"))
    both = macs(BARE) | macs(evolve(BARE, name="two"))
    assert len(both) == 4
    # The second bit is set (locally administered), the first is not (unicast).
    assert all(int(mac[:2], 16) & 3 == 2 for mac in both)


def test_every_key_of_a_namespace_is_unique() -> None:
    host = evolve(ONE.host, interface="v2", default_route=False)
    state = compile_spec(Spec((ONE, evolve(ONE, name="two", host=host))))
    for space in state.namespaces.values():
        keys = [item.key for item in space.items]
        assert len(keys) == len(set(keys))


def test_routers_share_the_host_and_nothing_else() -> None:
    host = evolve(ONE.host, interface="v2", default_route=False)
    two = uplink(evolve(ONE, name="two", host=host), dev="ens4")
    state = compile_spec(Spec((ONE, two)))
    assert set(state.namespaces) == {HOST, "wan", "two"}
    assert state["wan"] == compile_router(ONE)
    assert state["two"] == compile_router(two)
    expected: list[Item] = [*compile_host(ONE).items, *compile_host(two).items]
    assert list(state[HOST].items) == expected


# -- inner links ---------------------------------------------------------------------------

MAIL = Inner(
    "eth0",
    (ip_interface("10.43.0.2/24"), ip_interface("2001:db8:1:2::25/128")),
    (ip_interface("10.43.0.1/24"),),
    router_interface="mail",
    networks=(ip_network("10.44.0.0/16"), ip_network("fd00:44::/64")),
    name="mail",
    namespace="mail",
)
TWO_LINKS = evolve(BARE, inner=(MAIL,))


def test_further_link_is_in_every_rule_that_the_hosts_is_in() -> None:
    found = come(BARE, TWO_LINKS)
    assert {
        'oifname { "vens3", "mail" } ct status dnat accept',
        'iifname "mail" oifname "ens3" ip saddr { 10.43.0.2, 10.44.0.0/16 } accept',
        'iifname "mail" oifname "vens3" ip saddr { 10.43.0.2, 10.44.0.0/16 } accept',
        'iifname "vens3" oifname "mail" ip saddr 192.168.158.2 accept',
        # A ULA goes to others inside, and not out.
        'iifname "mail" oifname "ens3" ip6 saddr 2001:db8:1:2::25 accept',
        'iifname "mail" oifname "vens3" ip6 saddr { 2001:db8:1:2::25, fd00:44::/64 } accept',
    } <= found
    assert not any("daddr" in line and "::25" in line for line in found)  # closed
    links = '{ "vens3", "mail" }'
    hairpin = f"iifname {links} oifname {links} ct status dnat masquerade"
    forward = (Forward((Ports(25, 25),)),)
    assert hairpin in lines(evolve(TWO_LINKS, forward=forward))


def test_far_end_is_in_its_namespace_and_that_is_somebody_elses() -> None:
    state = compile_spec(Spec((TWO_LINKS,)))
    assert state["mail"].foreign
    assert not state["wan"].foreign
    far, near = state["mail"].link("eth0"), state["wan"].link("mail")
    assert far is not None and near is not None
    assert (far.peer, near.peer) == (("wan", "mail"), ("mail", "eth0"))
    assert far.mac != near.mac
    there = [i for i in state["mail"].items if isinstance(i, Route)]
    assert {str(i.destination): i.devs for i in there} == dict.fromkeys(
        ("0.0.0.0/0", "::/0"), frozenset({"eth0"})
    )
    proxied = {str(i.address) for i in state["wan"].items if isinstance(i, Neighbour) and i.proxy}
    assert proxied == {"2001:db8:1:2::2", "2001:db8:1:2::25"}
    assert not state[HOST].foreign
    assert state[HOST] == compile_spec(Spec((BARE,)))[HOST]


def test_default_route_of_a_far_end_can_be_in_a_table_of_its_own() -> None:
    link = evolve(MAIL, default_route=False, table=77)
    space = compile_spec(Spec((evolve(BARE, inner=(link,)),)))["mail"]
    assert {i.table for i in space.items if isinstance(i, Route)} == {77}
    sources = {str(i.source) for i in space.items if isinstance(i, PolicyRule) and i.table == 77}
    assert sources >= {"10.43.0.2/32", "10.44.0.0/16", "2001:db8:1:2::25/128"}


def test_what_is_not_of_ours_in_somebody_elses_namespace_never_goes() -> None:
    wanted, found = State({HOST: Namespace()}), State({"mail": Namespace(foreign=True)})
    assert difference(wanted, found) == ()
    gone = State({HOST: Namespace()})
    made = difference(compile_spec(Spec((TWO_LINKS,))), gone)
    assert AddNamespace("wan") in made
    assert AddNamespace("mail") not in made


# -- several uplinks -----------------------------------------------------------------------

LTE = Uplink(
    dev="ens4",
    addresses=(ip_interface("198.51.100.7/24"), ip_interface("2001:db8:2::3/64")),
    gateways=(ip_address("198.51.100.1"), ip_address("fe80::1")),
    name="lte",
    metric=200,
    mark=0x2,
    networks=(ip_network("10.43.0.0/24"),),
)
TWO_WAYS = evolve(ONE, uplinks=(*ONE.uplinks, LTE))


def table_of(router: Router, number: int) -> set[str]:
    found = (i for i in compile_router(router).items if isinstance(i, Route))
    return {f"{i.destination} {i.hops[0].dev}" for i in found if i.table == number}


def test_own_table_of_an_uplink_has_what_the_main_one_has_over_it() -> None:
    static = StaticRoute(ip_network("10.9.0.0/16"), ip_address("198.51.100.9"))
    router = evolve(TWO_WAYS, routes=(static, StaticRoute(ip_network("10.8.0.0/16"), dev="vens3")))
    assert table_of(router, 1200) == {
        "0.0.0.0/0 ens4", "::/0 ens4", "198.51.100.0/24 ens4", "2001:db8:2::/64 ens4",
        "10.9.0.0/16 ens4",
    }  # fmt: skip
    assert table_of(router, 1000) == {
        "0.0.0.0/0 ens3", "::/0 ens3", "192.0.2.0/24 ens3", "2001:db8:1:2::/64 ens3",
    }  # fmt: skip


def test_default_routes_have_the_metric_of_their_uplink() -> None:
    """IPv6 counts from 1024 on, which is what a route has that says none."""
    found = {
        (i.destination.version, i.hops[0].dev): i.metric
        for i in compile_router(TWO_WAYS).items
        if isinstance(i, Route) and i.destination.prefixlen == 0 and i.table == 254
    }
    assert found == {(4, "ens3"): 0, (6, "ens3"): 1024, (4, "ens4"): 200, (6, "ens4"): 1224}


def test_public_address_of_an_uplink_decides_by_which_its_inner_host_leaves() -> None:
    pair = OneToOne(ip_address("198.51.100.8"), ip_address("10.42.0.9"))
    pool = SourceNat(ip_network("10.44.0.0/24"), *[ip_address("198.51.100.7")] * 2)
    far = ip_interface("2001:db8:2::2/128")
    host = evolve(TWO_WAYS.host, addresses=(*TWO_WAYS.host.addresses, far))
    router = evolve(TWO_WAYS, one_to_one=(PAIR, pair), snat=(pool,), host=host)
    inner = ("10.43.0.0/24", "10.42.0.9/32", "10.44.0.0/24", "2001:db8:2::2/128")
    assert sources(router, LTE) == tuple(map(ip_network, inner))
    assert [leaves_by(router, ip_address(ip)).dev for ip in ("10.42.0.10", "10.42.0.9")] == [
        "ens3", "ens4",
    ]  # fmt: skip
    found = sets(router)
    assert found["one_to_one_out_ipv4"] == {"10.42.0.10 : 192.0.2.11"}
    assert found["one_to_one_out_ipv4_lte"] == {"10.42.0.9 : 198.51.100.8"}
    assert found["snat_ipv4_lte"] == {"10.44.0.0/24 : 198.51.100.7/32"}
    both = 'oifname { "ens3", "ens4" }'
    assert rules(router, "postrouting")[:4] == (
        'oifname "ens3" snat ip to ip saddr map @one_to_one_out_ipv4',
        'oifname "ens4" snat ip to ip saddr map @one_to_one_out_ipv4_lte',
        'oifname "ens4" snat ip to ip saddr map @snat_ipv4_lte',
        f"{both} meta nfproto ipv4 masquerade",
    )


def test_uplink_without_ipv6_has_none() -> None:
    only4 = evolve(LTE, addresses=LTE.addresses[:1], gateways=LTE.gateways[:1])
    found = settings(compile_router(evolve(TWO_WAYS, uplinks=(*ONE.uplinks, only4))))
    disabled = [found[f"net/ipv6/conf/{dev}/disable_ipv6"] for dev in ("ens3", "ens4", "vens3")]
    assert disabled == ["0", "1", "0"]
