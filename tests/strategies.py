"""Random routers for properties: one router, of which everything that decides a ruleset varies.

Ports come from a small range, so that the forwards of two routers meet: re-pointed, moved to
another map, restricted, removed.
"""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address, ip_interface, ip_network

from attrs import evolve
from hypothesis import strategies as st

from nftnsr.spec.model import (
    Blocklist,
    Egress,
    Filter,
    Forward,
    Inner,
    Limit,
    OneToOne,
    Ports,
    PrefixPair,
    Rate,
    Router,
    RoutingRule,
    Service,
    SourceNat,
    StaticRoute,
    Target,
    Uplink,
)

PUBLIC = {
    4: [ip_interface("192.0.2.10/24"), ip_interface("192.0.2.11/32")],
    6: [ip_interface("2001:db8:1:2::3/64"), ip_interface("2001:db8:1:7::3/128")],
}
GATEWAYS = {
    4: [ip_address("192.0.2.1"), ip_address("172.31.1.1")],
    6: [ip_address("2001:db8:1:2::1"), ip_address("fe80::1"), ip_address("2001:db8:9::1")],
}
INSIDE = {
    4: [ip_interface("192.168.158.2/24")],
    6: [ip_interface("2001:db8:1:2::2/128"), ip_interface("fd00:7::2/128")],
}
NETWORKS = {
    4: [ip_network("10.42.0.0/24"), ip_network("10.43.0.0/16")],
    6: [ip_network("fd00:42::/64"), ip_network("2001:db8:1:42::/64")],
}
TARGETS = {
    4: [ip_address("10.42.0.10"), ip_address("10.42.0.11")],
    6: [ip_address("fd00:42::10"), ip_address("2001:db8:1:42::11")],
}
SOURCES = {
    4: [ip_network(n) for n in ("203.0.113.0/24", "203.0.113.7/32", "0.0.0.0/0")],
    6: [ip_network(n) for n in ("2001:db8:9::/48", "2001:db8:9:1::/64", "fd00::/8")],
}
PAIRS = {
    4: [(ip_address("192.0.2.11"), TARGETS[4][0]), (ip_address("198.51.100.9"), TARGETS[4][1])],
    6: [(ip_address("2001:db8:1:7::3"), TARGETS[6][0])],
}
PREFIXES = [
    PrefixPair(IPv6Network(f"2001:db8:1:{n}::/64"), IPv6Network(f"fd00:4{n}::/64")) for n in (2, 3)
]
POOLS = {
    4: [
        SourceNat(NETWORKS[4][0], ip_address("192.0.2.10"), ip_address("192.0.2.10")),
        SourceNat(NETWORKS[4][1], ip_address("198.51.100.1"), ip_address("198.51.100.5"), True),
    ],
    6: [SourceNat(ip_network("fd00:44::/64"), *[ip_address("2001:db8:1:2::3")] * 2)],
}


FURTHER = [
    Inner(
        name="mail",
        namespace="mail",
        interface="eth0",
        addresses=(ip_interface("10.45.0.2/24"), ip_interface("2001:db8:1:2::25/128")),
        router_addresses=(ip_interface("10.45.0.1/24"),),
        router_interface="mail",
    ),
    Inner(
        name="pods",
        namespace="pods",
        interface="ens3",
        addresses=(ip_interface("10.46.0.2/32"), ip_interface("fd00:46::2/64")),
        router_addresses=(ip_interface("10.46.0.1/32"),),
        router_interface="pods",
        networks=(ip_network("10.47.0.0/16"), ip_network("2001:db8:1:47::/64")),
        default_route=False,
        table=77,
    ),
    Inner(
        name="second",
        interface="vsecond",
        addresses=(ip_interface("10.48.0.2/24"),),
        router_addresses=(ip_interface("10.48.0.1/24"),),
        router_interface="second",
        default_route=False,
    ),
]
MORE_UPLINKS = [
    Uplink(
        "ens4", (ip_interface("198.51.100.1/24"), ip_interface("2001:db8:2::3/64")),
        (ip_address("198.51.100.254"), ip_address("fe80::1")), name="lte", metric=200, mark=2,
        networks=(NETWORKS[4][1],),
    ),
    Uplink(
        "ens5", (ip_interface("203.0.113.9/32"), ip_interface("2001:db8:3::3/64")),
        (ip_address("172.31.1.1"), ip_address("2001:db8:3::1")), name="dsl", metric=300, mark=1300,
        networks=(ip_network("10.42.0.128/25"), NETWORKS[6][1]), mtu=1400,
    ),
]  # fmt: skip


def of(versions: list[int], uplink: Uplink) -> Uplink:
    """The part of an uplink that is of these families."""
    return evolve(
        uplink,
        addresses=tuple(i for i in uplink.addresses if i.version in versions),
        gateways=tuple(g for g in uplink.gateways if g.version in versions),
        networks=tuple(n for n in uplink.networks if n.version in versions),
    )


def some(options: list, minimum: int = 0) -> st.SearchStrategy:  # type: ignore[type-arg]
    """A few of `options`, in their order."""
    if not options:
        return st.just([])
    chosen = st.sets(st.sampled_from(range(len(options))), min_size=minimum)
    return chosen.map(lambda numbers: [options[n] for n in sorted(numbers)])


@st.composite
def forwards(draw: st.DrawFn, versions: list[int], ports: Ports) -> Forward:
    target, family = None, None
    if draw(st.booleans()):
        family = draw(st.sampled_from(versions))
        target = draw(st.sampled_from(TARGETS[family]))
    sources = [s for v in versions if family in (None, v) for s in SOURCES[v]]
    first = draw(st.none() | st.integers(20, 23))
    shifted = None if first is None else Ports(first, first + ports.count - 1)
    others = [
        Target(ip, draw(st.sampled_from([None, shifted]))) for v in versions for ip in TARGETS[v]
    ]
    public = [i.ip for v in versions if family in (None, v) for i in PUBLIC[v]]
    return Forward(
        (ports,),
        draw(st.sampled_from([("tcp",), ("udp",), ("tcp", "udp"), ("udp", "sctp")])),
        tuple(draw(some([Target(target, shifted), *others], 1))),
        tuple(draw(some(public))) if draw(st.booleans()) else (),
        tuple(draw(some(sources))) if draw(st.booleans()) else (),
        None,
        draw(st.booleans()),
        balance=draw(st.sampled_from(["source", "round-robin"])),
        limit=draw(st.none() | st.just(Limit(Rate(20, "minute")))),
        hide_client=draw(st.booleans()),
        synproxy=draw(st.booleans()),
        nat=draw(st.sampled_from([True, True, False])),
    )


@st.composite
def port_ranges(draw: st.DrawFn) -> list[Ports]:
    edges = sorted(draw(st.sets(st.integers(20, 40), max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [Ports(a, draw(st.sampled_from([a, b]))) for a, b in pairs]


@st.composite
def routers(draw: st.DrawFn, name: str = "wan") -> Router:
    versions = draw(st.sampled_from([[4], [6], [4, 6]]))
    flag = st.booleans()
    public = [a for v in versions for a in draw(some(PUBLIC[v], 1))]
    # No pair has the first address of a family: that one is the router's own.
    firsts = [next(i.ip for i in public if i.version == v) for v in versions]
    pairs = [OneToOne(*p) for v in versions for p in draw(some(PAIRS[v])) if p[0] not in firsts]
    return Router(
        name=name,
        uplinks=(
            Uplink(
                dev=draw(st.sampled_from(["ens3", "ens3", "eth0.100"])),
                addresses=tuple(public),
                gateways=tuple(draw(st.sampled_from(GATEWAYS[v])) for v in versions if draw(flag)),
            ),
            *(of(versions, uplink) for uplink in draw(some(MORE_UPLINKS)) if draw(flag)),
        ),
        forward=tuple(draw(forwards(versions, ports)) for ports in draw(port_ranges())),
        host=Inner(
            interface=draw(st.sampled_from(["vens3", "vens3", "inside"])),
            addresses=tuple(a for v in versions for a in draw(some(INSIDE[v], 1))),
            router_addresses=(ip_interface("192.168.158.1/24"),) * (4 in versions),
            networks=tuple(n for v in versions for n in draw(some(NETWORKS[v]))),
            default_route=draw(flag),
        ),
        inner=tuple(draw(some(FURTHER))),
        masquerade=draw(flag),
        one_to_one=tuple(pairs),
        prefix_translation=tuple(draw(some(PREFIXES))) if 6 in versions else (),
        snat=tuple(n for v in versions for n in draw(some(POOLS[v]))),
        no_nat=tuple(n for v in versions for n in draw(some(SOURCES[v][:1]))),
        helpers=tuple(draw(some(["ftp", "sip", "tftp"]))),
        source_ports=draw(st.sampled_from(["preserve", "random"])),
        hairpin=draw(flag),
        drop_invalid=draw(flag),
        forward_filter=draw(flag),
        counters=draw(flag),
        inbound_ipv6=draw(st.sampled_from(["open", "forwards"])),
        proxy_ndp=draw(flag),
        accept_ra=draw(st.sampled_from([0, 1, 2])),
        rp_filter=draw(st.sampled_from([0, 1, 2])),
    )


EGRESS = {
    4: [
        Egress(NETWORKS[4][0], ip_network("203.0.114.0/24"), (Ports(20, 30),), ("tcp",)),
        Egress(NETWORKS[4][0], ports=(Ports(22, 22), Ports(25, 25)), protocols=("tcp", "udp")),
        Egress(NETWORKS[4][1], nothing=True),
    ],
    6: [Egress(NETWORKS[6][0], ip_network("2001:db8:9::/48"))],
}
BLOCKED = {4: [ip_network("203.0.114.0/24")], 6: [ip_network("2001:db8:99::/64")]}
ROUTES = {
    4: [
        StaticRoute(ip_network("0.0.0.0/0"), ip_address("192.0.2.9"), "ens3", table=100),
        StaticRoute(ip_network("10.99.0.0/16"), type="blackhole"),
        StaticRoute(ip_network("203.0.114.0/24"), type="unreachable", table=100),
        StaticRoute(ip_network("8.8.0.0/16"), ip_address("192.0.2.8"), "ens3", metric=5),
    ],
    6: [
        StaticRoute(ip_network("::/0"), ip_address("fe80::9"), "ens3", table=100),
        StaticRoute(ip_network("2001:db8:99::/48"), type="prohibit"),
    ],
}
RULES = {
    4: [
        RoutingRule(NETWORKS[4][0], table=100),
        RoutingRule(destination=ip_network("203.0.114.0/24"), type="blackhole", priority=50),
        RoutingRule(source=NETWORKS[4][1], iif="vens3", type="unreachable"),
        RoutingRule(ip_network("203.0.113.0/24"), mark=(1, 1), type="prohibit"),
    ],
    6: [RoutingRule(NETWORKS[6][0], table=100), RoutingRule(NETWORKS[6][1], type="prohibit")],
}


NEAR = {4: [ip_interface("172.31.1.2/24")], 6: [ip_interface("fd00:9::3/64")]}
"""Where one gateway is, and nearer to one of the networks inside."""


@st.composite
def guarded(draw: st.DrawFn) -> Router:
    """A router with a filter, routes and rules of its own as well, and with addresses to choose."""
    router = draw(routers())
    first, *further = router.uplinks
    flag = st.booleans()
    versions = sorted({i.version for i in router.addresses})
    inner = [n for v in versions for n in router.host.networks if n.version == v]
    egress = [e for v in versions for e in draw(some(EGRESS[v])) if e.source in inner]
    sources = [SOURCES[v][0] for v in versions]
    protocols = draw(st.sampled_from([("tcp",), ("tcp", "udp")]))
    service = Service((Ports(20, 30),), protocols, tuple(sources) if draw(flag) else ())
    blocked = tuple(n for v in versions for n in BLOCKED[v])
    return evolve(
        router,
        uplinks=(
            evolve(
                first,
                dev="ens3",
                addresses=(*first.addresses, *(i for v in versions for i in draw(some(NEAR[v])))),
            ),
            *further,
        ),
        snat=tuple(evolve(n, persistent=draw(flag)) for n in router.snat),
        host=evolve(router.host, interface="vens3"),
        mss_clamp=draw(st.sampled_from([False, True, 1400])),
        filter=Filter(
            input=draw(st.none() | st.just((service,))),
            ping=draw(flag),
            egress=tuple(egress),
            inbound=tuple(draw(some([n for n in inner if n.version == 6]))),
            blocklists=draw(st.sampled_from([(), (Blocklist("bad", "bad", blocked, "bad"),)])),
            bogons=draw(flag) and draw(flag),
            reverse_path_ipv6=draw(flag),
            log_drops=draw(st.none() | st.just(Rate(10, "minute"))),
        ),
        routes=tuple(r for v in versions for r in draw(some(ROUTES[v]))),
        rules=tuple(r for v in versions for r in draw(some(RULES[v]))),
    )
