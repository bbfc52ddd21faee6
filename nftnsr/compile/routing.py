"""Routes of both namespaces, and the host's IPv6 addresses that the uplink answers for."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from nftnsr.compile.families import Family, families, family
from nftnsr.spec.model import Address, Interface, Network, Router
from nftnsr.state.model import Hop, Neighbour, Route

_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_METRIC = {4: 0, 6: 1024}  # what iproute2 gets when it names none
_SCOPE_LINK = 253


def router_routes(router: Router) -> Iterator[Route]:
    for each in families(router):
        yield from _to_inside(router, each)
        for gateway in router.gateways:
            if gateway.version == each.version:
                hop = _hop(router.uplink, gateway, router.connected)
                yield _route(_DEFAULT[each.version], hop)


def host_routes(router: Router) -> Iterator[Route]:
    """The host's default routes, through the router."""
    if not router.host.default_route:
        return
    for each in families(router):
        via: Address | None = router.host.router_link_local if each.version == 6 else None
        if each.version == 4 and each.router:
            via = each.router[0].ip
        if each.host and via is not None:
            yield _route(_DEFAULT[each.version], _hop(router.host.interface, via, each.host))


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
