"""Routes of both namespaces, and the host's IPv6 addresses that the uplink answers for."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import evolve

from nftnsr.compile.families import Family, families, family
from nftnsr.spec.model import MAIN_TABLE, Address, Interface, Network, Router, StaticRoute
from nftnsr.state.model import Hop, Neighbour, PolicyRule, Route

_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_METRIC = {4: 0, 6: 1024}  # what iproute2 gets when it names none
_SCOPE_LINK = 253
_KIND = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}  # RTN_*, and FR_ACT_*
_FIRST_PRIORITY = 1000


def router_routes(router: Router) -> Iterator[Route]:
    for each in families(router):
        yield from _to_inside(router, each)
        for gateway in router.gateways:
            if gateway.version == each.version:
                hop = _hop(router.uplink, gateway, router.connected)
                yield _route(_DEFAULT[each.version], hop)


def host_rules(router: Router) -> Iterator[PolicyRule]:
    """Where the host has a table for the router: what comes from behind it takes that table.

    All that the main table has a route to is found there first, but for its default route; and for
    the uplink's own segment, on which the host may be, too: answers must leave as they came in.
    """
    if router.host.table is None:
        return
    for each in families(router):
        for source in each.inside:
            ours = PolicyRule(each.version, _FIRST_PRIORITY, source, table=router.host.table)
            for segment in dict.fromkeys(i.network for i in each.public):
                yield evolve(ours, priority=_FIRST_PRIORITY - 2, destination=segment)
            yield evolve(ours, priority=_FIRST_PRIORITY - 1, table=MAIN_TABLE, suppress=0)
            yield ours


def host_routes(router: Router) -> Iterator[Route]:
    """The host's default routes, through the router."""
    if not router.host.default_route and router.host.table is None:
        return
    table = router.host.table or MAIN_TABLE
    for each in families(router):
        via: Address | None = router.host.router_link_local if each.version == 6 else None
        if each.version == 4 and each.router:
            via = each.router[0].ip
        if each.host and via is not None:
            hop = _hop(router.host.interface, via, each.host)
            yield evolve(_route(_DEFAULT[each.version], hop), table=table)


def static_routes(router: Router) -> Iterator[Route]:
    """Those that the spec names."""
    for each in router.routes:
        version = each.destination.version
        hops = _hops(router, each)
        # IPv6 has no route scopes; IPv4 wants `link` where no gateway is in between.
        near = version == 4 and each.type == "unicast" and each.via is None
        yield Route(
            each.destination,
            hops,
            metric=each.metric or _METRIC[version],
            table=each.table,
            source=each.source,
            kind=_KIND[each.type],
            scope=_SCOPE_LINK if near else 0,
            metrics=() if each.mtu is None else (("mtu", each.mtu),),
        )


def _hops(router: Router, route: StaticRoute) -> tuple[Hop, ...]:
    if route.type != "unicast":
        # The kernel lists an IPv6 route that leads nowhere as one over the loopback.
        return (Hop("lo"),) if route.destination.version == 6 else ()
    if route.via is None:
        return (Hop(route.dev),)
    dev = route.dev or router.link_to(route.via)
    assert dev is not None
    connected = router.connected if dev == router.uplink else router.host.router_addresses
    return (_hop(dev, route.via, connected),)


def rules(router: Router) -> Iterator[PolicyRule]:
    """The rules of the spec, those without a priority in their order from 1000 on.

    What is inside is found by the main table before any of them is asked: a table of its own has
    no more than a default route as a rule, and forwards and answers would leave by the uplink.
    """
    said = tuple(_numbered(router))
    versions = {rule.version for rule in said}
    for each in families(router):
        if each.version in versions:
            for network in each.inside:
                yield PolicyRule(each.version, _FIRST_PRIORITY - 1, destination=network)
    yield from said


def _numbered(router: Router) -> Iterator[PolicyRule]:
    for number, each in enumerate(router.rules, _FIRST_PRIORITY):
        network = each.source or each.destination
        versions = [f.version for f in families(router)] if network is None else [network.version]
        for version in versions:
            yield PolicyRule(
                version,
                each.priority or number,
                each.source,
                each.destination,
                each.mark,
                each.iif,
                each.oif,
                each.table if each.type == "unicast" else 0,
                _KIND[each.type],
            )


def neighbours(router: Router) -> Iterator[Neighbour]:
    """The static ones of the spec."""
    for each in router.neighbours:
        dev = each.dev or router.link_to(each.address)
        assert dev is not None
        yield Neighbour(dev, each.address, each.mac)


def proxied_neighbours(router: Router) -> Iterator[Neighbour]:
    """The host's addresses inside the uplink's prefix: the segment asks there for them (NDP)."""
    each = family(router, 6)
    if each is None or not router.proxy_ndp:
        return
    for host in each.host:
        if any(host.ip in public.network for public in each.public):
            yield Neighbour(router.uplink, host.ip, proxy=True)


def _to_inside(router: Router, each: Family) -> Iterator[Route]:
    dev = router.host.peer
    if each.version == 6:
        via = Hop(dev, router.host.link_local)
        yield from (_route(n, via) for n in each.inside)
        return
    for host in each.host:
        if not each.reaches(host.ip):
            yield _route(ip_network(host.ip), Hop(dev))
    if each.host:
        hop = _hop(dev, each.host[0].ip, each.router)
        yield from (_route(network, hop) for network in each.networks)


def _route(destination: Network, hop: Hop) -> Route:
    # IPv6 has no route scopes; IPv4 wants `link` where no gateway is in between (ip-route(8)).
    scope = _SCOPE_LINK if destination.version == 4 and hop.via is None else 0
    return Route(destination, (hop,), metric=_METRIC[destination.version], scope=scope)


def _hop(dev: str, via: Address, connected: tuple[Interface, ...]) -> Hop:
    """A next hop on `dev`; one outside the connected prefixes needs the `onlink` flag."""
    near = via.is_link_local or any(via in i.network for i in connected)
    return Hop(dev, via, onlink=not near)
