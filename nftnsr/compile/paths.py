"""Which way a packet takes through a router: asked of the spec alone, before it is applied."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.families import families
from nftnsr.spec.model import MAIN_TABLE, Address, Network, Router, RoutingRule, StaticRoute

_FIRST_PRIORITY = 1000


def leads_nowhere(router: Router, source: Address, destination: Address) -> bool:
    """Whether a packet from inside is dropped or refused by a route or a rule of the spec."""
    if any(_in(destination, n) for each in families(router) for n in each.inside):
        return False  # as the compiler's own rule has it, which comes first
    for rule in _in_order(router):
        if not _matches(router, rule, source, destination):
            continue
        if rule.type != "unicast":
            return True
        route = _best(router, rule.table, destination)
        if route is not None:
            return route.type != "unicast"
    return False


def _in_order(router: Router) -> Iterator[RoutingRule]:
    """The rules by their priority, as the compiler gives it; the main table comes last."""
    ranked = [(r.priority or n, n, r) for n, r in enumerate(router.rules, _FIRST_PRIORITY)]
    yield from (rule for _, _, rule in sorted(ranked, key=lambda r: r[:2]))
    yield RoutingRule(table=MAIN_TABLE)


def _matches(router: Router, rule: RoutingRule, source: Address, destination: Address) -> bool:
    # A packet from inside comes in by the link of its source, and bears no mark.
    if rule.mark not in (None, (0, 2**32 - 1)) or rule.oif is not None:
        return False
    if rule.iif not in (None, _comes_in_by(router, source)):
        return False
    return _in(source, rule.source) and _in(destination, rule.destination)


def _in(address: Address, network: Network | None) -> bool:
    return network is None or (address.version == network.version and address in network)


def _best(router: Router, table: int, destination: Address) -> StaticRoute | None:
    """The longest prefix, and of several routes to it the one of the lowest metric."""
    found = [r for r in router.routes if r.table == table and _in(destination, r.destination)]
    if table == MAIN_TABLE:
        found += [StaticRoute(n) for n in _implied(router) if _in(destination, n)]
    return min(found, key=lambda r: (-r.destination.prefixlen, r.metric or 0), default=None)


def _implied(router: Router) -> Iterator[Network]:
    for uplink in router.uplinks:
        yield from (i.network for i in uplink.connected)
    for link in router.links:
        yield from (i.network for i in link.router_addresses)
        yield from link.networks


def _comes_in_by(router: Router, source: Address) -> str | None:
    sides = (side for each in families(router) for side in each.sides)
    return next((s.link.peer for s in sides if any(_in(source, n) for n in s.inside)), None)
