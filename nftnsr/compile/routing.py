"""Routes of all namespaces, and the IPv6 addresses inside that an uplink answers for."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product

from attrs import evolve

from nftnsr.compile.families import Family, Side, families, family
from nftnsr.spec.model import (
    MAIN_TABLE,
    Address,
    Inner,
    Interface,
    Network,
    Router,
    StaticRoute,
    Uplink,
)
from nftnsr.state.model import Hop, Neighbour, PolicyRule, Route

_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_METRIC = {4: 0, 6: 1024}  # what iproute2 gets when it names none
_SCOPE_LINK = 253
_KIND = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}  # RTN_*, and FR_ACT_*
_FIRST_PRIORITY = 1000


def router_routes(router: Router) -> Iterator[Route]:
    for each in families(router):
        for side in each.sides:
            yield from _to_inside(each, side)
        for route in (route for uplink in router.uplinks for route in default_routes(uplink)):
            if route.destination.version == each.version:
                yield route


def default_routes(uplink: Uplink) -> Iterator[Route]:
    for gateway in uplink.gateways:
        route = _route(_DEFAULT[gateway.version], _hop(uplink.dev, gateway, uplink.connected))
        yield evolve(route, metric=route.metric + uplink.metric)


def far_rules(router: Router, link: Inner) -> Iterator[PolicyRule]:
    """Where the far end has a table for the router: what comes from there takes that table.

    All that the main table has a route to is found there first, but for its default route; and for
    the uplink's own segment, on which the host may be, too: answers must leave as they came in.
    """
    if link.table is None:
        return
    for each, side in _sides(router, link):
        for source in side.inside:
            ours = PolicyRule(each.version, _FIRST_PRIORITY, source, table=link.table)
            for segment in dict.fromkeys(i.network for i in each.public):
                yield evolve(ours, priority=_FIRST_PRIORITY - 2, destination=segment)
            yield evolve(ours, priority=_FIRST_PRIORITY - 1, table=MAIN_TABLE, suppress=0)
            yield ours


def far_routes(router: Router, link: Inner) -> Iterator[Route]:
    """The default routes of a far end, through the router."""
    if not link.default_route and link.table is None:
        return
    table = link.table or MAIN_TABLE
    for each, side in _sides(router, link):
        via: Address | None = link.router_link_local if each.version == 6 else None
        if each.version == 4 and side.router:
            via = side.router[0].ip
        # Over IPv6 who has no address of his own sends on what comes from behind him all the same.
        sends = side.inside if each.version == 6 else side.far
        if sends and via is not None:
            hop = _hop(link.interface, via, side.far)
            yield evolve(_route(_DEFAULT[each.version], hop), table=table)


def _sides(router: Router, link: Inner) -> Iterator[tuple[Family, Side]]:
    return ((each, side) for each in families(router) for side in each.sides if side.link == link)


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
    connected = {link.peer: link.router_addresses for link in router.links}
    connected |= {uplink.dev: uplink.connected for uplink in router.uplinks}
    return (_hop(dev, route.via, connected.get(dev, ())),)


def rules(router: Router) -> Iterator[PolicyRule]:
    """The rules of the spec, those without a priority in their order from 1000 on.

    What is inside is found by the main table before any of them is asked: a table of its own has
    no more than a default route as a rule, and forwards and answers would leave by the uplink.
    """
    said = tuple(_numbered(router))
    versions = {rule.version for rule in said}
    # Where there are several uplinks it is their rules that say so.
    for each in families(router) if len(router.uplinks) == 1 else ():
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
    """The addresses inside that an uplink's prefix has: its segment asks there for them (NDP)."""
    each = family(router, 6)
    if each is None or not router.proxy_ndp:
        return
    for uplink, far in product(router.uplinks, each.far):
        if any(far.ip in public.network for public in each.on(uplink).public):
            yield Neighbour(uplink.dev, far.ip, proxy=True)


def _to_inside(each: Family, side: Side) -> Iterator[Route]:
    dev = side.link.peer
    if each.version == 6:
        via = Hop(dev, side.link.link_local)
        yield from (_route(n, via) for n in side.inside)
        return
    for far in side.far:
        if not side.reaches(far.ip):
            yield _route(ip_network(far.ip), Hop(dev))
    if side.far:
        hop = _hop(dev, side.far[0].ip, side.router)
        yield from (_route(network, hop) for network in side.networks)


def _route(destination: Network, hop: Hop) -> Route:
    # IPv6 has no route scopes; IPv4 wants `link` where no gateway is in between (ip-route(8)).
    scope = _SCOPE_LINK if destination.version == 4 and hop.via is None else 0
    return Route(destination, (hop,), metric=_METRIC[destination.version], scope=scope)


def _hop(dev: str, via: Address, connected: tuple[Interface, ...]) -> Hop:
    """A next hop on `dev`; one outside the connected prefixes needs the `onlink` flag."""
    near = via.is_link_local or any(via in i.network for i in connected)
    return Hop(dev, via, onlink=not near)
