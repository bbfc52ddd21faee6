"""Where a router's rules and routes lead: those of its state, and those that the kernel adds.

ip-rule(8), ip-route(8); net/ipv4/fib_rules.c, net/ipv4/fib_frontend.c, net/ipv6/addrconf.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

from attrs import frozen

from nftnsr.state.model import (
    RT_MAIN,
    Address,
    Address_,
    Hop,
    Namespace,
    Network_,
    PolicyRule,
    Route,
)

RT_LOCAL, RTPROT_KERNEL = 255, 2
_UNICAST, _LOCAL, _BROADCAST, _ANYCAST = 1, 2, 3, 4  # RTN_*
_REFUSALS: dict[int, Refusal] = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_METRIC = {4: 0, 6: 256}  # of a route that comes with an address (IP6_RT_PRIO_ADDRCONF)

Refusal = Literal["blackhole", "unreachable", "prohibit"]


@frozen
class Way:
    """What the rules and routes say of a destination, and which of them it was."""

    kind: Literal["local", "unicast", "none"] | Refusal
    rule: PolicyRule | None = None
    route: Route | None = None
    address: Address | None = None
    """With which the kernel made the route."""

    @property
    def dev(self) -> str | None:
        return None if self.route is None or not self.route.hops else self.route.hops[0].dev

    @property
    def via(self) -> Address_ | None:
        return None if self.route is None or not self.route.hops else self.route.hops[0].via

    @property
    def policy(self) -> PolicyRule | None:
        """The rule, if it is not one of those that every namespace has."""
        return None if self.rule in _EVERYWHERE else self.rule


_EVERYWHERE = tuple(
    PolicyRule(version, priority, table=table)
    for version in (4, 6)
    for priority, table in ((0, RT_LOCAL), (32766, RT_MAIN))
)


@frozen
class Fib:
    """The rules of a namespace in their order, and its routes."""

    rules: tuple[PolicyRule, ...]
    routes: tuple[tuple[Route, Address | None], ...]

    @classmethod
    def of(cls, space: Namespace) -> Fib:
        said = (i for i in space.items if isinstance(i, PolicyRule))
        rules = sorted((*_EVERYWHERE, *said), key=lambda r: r.priority)
        routes: list[tuple[Route, Address | None]] = []
        for item in space.items:
            if isinstance(item, Route):
                routes.append((item, None))
            elif isinstance(item, Address):
                routes += [(route, item) for route in _by_kernel(item)]
        return cls(tuple(rules), tuple(routes))

    def way(self, to: Address_, of: Address_, iif: str, mark: int = 0) -> Way:
        """What becomes of a packet from `of` to `to` that came in by `iif`."""
        for rule in self.rules:
            if not _applies(rule, to, of, iif, mark):
                continue
            if rule.kind != _UNICAST:
                return Way(_REFUSALS[rule.kind], rule)
            found = self._best(rule.table, to)
            if found is None or _suppressed(rule, found[0]):
                continue
            match found[0].kind:
                case 1:
                    return Way("unicast", rule, *found)
                case 2 | 3 | 4:
                    return Way("local", rule, *found)
                case kind:
                    return Way(_REFUSALS[kind], rule, *found)
        return Way("none")

    def way_back(self, source: Address_, of: Address_, by: str = "lo", mark: int = 0) -> Way:
        """How what `of` answers, coming in by that link, would reach `source`: the reverse path
        filter asks for it (fib_validate_source), and so do rules with `fib`.
        """
        return self.way(source, of, by, mark)

    def _best(self, table: int, to: Address_) -> tuple[Route, Address | None] | None:
        """The longest prefix, and of several routes to it the one of the lowest metric."""
        found = [
            each for each in self.routes
            if each[0].table == table
            and each[0].destination.version == to.version
            and to in each[0].destination
        ]  # fmt: skip
        return min(found, key=_rank, default=None)


def _rank(found: tuple[Route, Address | None]) -> tuple[int, int]:
    route, _ = found
    return -route.destination.prefixlen, route.metric


def _applies(rule: PolicyRule, to: Address_, of: Address_, iif: str, mark: int) -> bool:
    if rule.version != to.version or rule.oif is not None or rule.iif not in (None, iif):
        return False
    if rule.mark is not None and mark & rule.mark[1] != rule.mark[0] & rule.mark[1]:
        return False
    return _within(of, rule.source) and _within(to, rule.destination)


def _within(address: Address_, network: Network_ | None) -> bool:
    return network is None or address in network


def _suppressed(rule: PolicyRule, route: Route) -> bool:
    return rule.suppress is not None and route.destination.prefixlen <= rule.suppress


def _by_kernel(address: Address) -> Iterator[Route]:
    """The routes that come with an address: to itself, to its network, and what is around it."""
    interface, dev = address.interface, address.dev
    version, network = interface.version, interface.network
    yield _local(ip_network(interface.ip), dev, _LOCAL)
    if not address.noprefixroute and (version == 6 or network.prefixlen < 32):
        hop = Hop(dev)
        yield Route(network, (hop,), metric=_METRIC[version], protocol=RTPROT_KERNEL, scope=253)
    yield from (_local(around, dev, kind) for around, kind in _around(network))


def _around(network: Network_) -> Iterator[tuple[Network_, int]]:
    """Addresses of everybody on the link: the broadcast one, the anycast one of its routers."""
    if isinstance(network, IPv4Network) and network.prefixlen < 31:
        yield IPv4Network(network.broadcast_address), _BROADCAST
    if isinstance(network, IPv6Network) and network.prefixlen < 127:
        yield IPv6Network(network.network_address), _ANYCAST


def _local(network: Network_, dev: str, kind: int) -> Route:
    return Route(network, (Hop(dev),), table=RT_LOCAL, kind=kind, protocol=RTPROT_KERNEL, scope=254)
