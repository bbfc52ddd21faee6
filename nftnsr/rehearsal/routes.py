"""Scene -> probes of static routes, policy rules and static neighbours.

The provider's gateway is every next hop on its segment, so what a route promises is that packets
arrive; which of several next hops took them, no end can see.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.families import Family
from nftnsr.compile.paths import leads_nowhere
from nftnsr.rehearsal.addresses import free
from nftnsr.rehearsal.outcome import Untried
from nftnsr.rehearsal.probes import Arrives, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, INTERNET, Client, Scene, Segment
from nftnsr.rehearsal.whole import known_as
from nftnsr.spec.model import MAIN_TABLE, Address, Router, RoutingRule, StaticRoute


def through_routes(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    """Everything that can be tried about the routes, rules and neighbours of one router."""
    router = segment.router
    for route in router.routes:
        if not _is_tried_here(scene, segment, route):
            continue
        tried = _route(scene, segment, route)
        yield tried if isinstance(tried, Reach) else Untried(router.name, route.text, tried)
    for rule in router.rules if segment.first else ():
        tried = _rule(scene, segment, rule)
        yield tried if isinstance(tried, Reach) else Untried(router.name, rule.text, tried)
    for each in router.neighbours:
        if each.address not in segment.next_hops and not segment.first:
            continue
        if each.address not in segment.next_hops:
            what = f"neighbour {each.address}"
            yield Untried(router.name, what, "nobody has this address in a rehearsal")
        elif each.mac != segment.next_hop_mac:
            reason = "another next hop has another MAC, and in a rehearsal all are one"
            yield Untried(router.name, f"neighbour {each.address}", reason)


def _is_tried_here(scene: Scene, segment: Segment, route: StaticRoute) -> bool:
    """Each over its own uplink, and with the first what leads over none."""
    others = (s for s in scene.segments if s.router == segment.router)
    return segment.leads(route) or (segment.first and not any(s.leads(route) for s in others))


def _route(scene: Scene, segment: Segment, route: StaticRoute) -> Reach | str:
    """A probe of the route, or why there is none."""
    router, goal = segment.router, route.destination
    nowhere = route.type != "unicast"
    if route.table != MAIN_TABLE:
        return "only a rule leads to its table"
    if goal.prefixlen == 0:
        return "it is a default route beside that of `gateways`, or instead of it"
    if not nowhere and not segment.leads(route):
        return "nobody is there in a rehearsal"
    if any(r.destination == goal and (r.metric or 0) < (route.metric or 0) for r in router.routes):
        return "another route to the same destination has a lower metric"
    narrower = [r.destination for r in router.routes if _within(r, route)]
    address = free(goal, (*scene.taken, *narrower))
    family = next((f for f in segment.families if f.version == goal.version), None)
    if address is None or family is None:
        return "no address of it is free"
    return _probe(scene, segment, family, _host(router, family), address)


def _within(inner: StaticRoute, outer: StaticRoute) -> bool:
    goal, around = inner.destination, outer.destination
    return goal != around and goal.version == around.version and goal.subnet_of(around)  # type: ignore[arg-type]


def _rule(scene: Scene, segment: Segment, rule: RoutingRule) -> Reach | str:
    if rule.mark is not None:
        return "no packet of a rehearsal bears a mark"
    if rule.type == "unicast":
        return "which next hop it chooses no end can see"
    router = segment.router
    for family in segment.families:
        inner = [i.client for i in scene.behind(router) if i.address.version == family.version]
        inner += scene.ends(router, family.version)
        host = _host(router, family)
        for client in (*([host] if host is not None else ()), *inner):
            goal = rule.destination
            if goal is not None and goal.version != family.version:
                continue
            to = scene.far_end(family.version) if goal is None else free(goal, scene.taken)
            source = rule.source is None or client.address in rule.source
            if source and to is not None and leads_nowhere(router, client.address, to):
                return _probe(scene, segment, family, client, to)
    return "nobody in a rehearsal sends what it speaks of"


def _host(router: Router, family: Family) -> Client | None:
    """The host as a client whose packets take the router."""
    through = router.host.default_route or router.host.table is not None
    if not through or not family.host:
        return None
    return Client(HOST, family.host[0].ip)


def _probe(
    scene: Scene, segment: Segment, family: Family, client: Client | None, to: Address
) -> Reach | str:
    if client is None:
        return "the host's packets take another way"
    router = segment.router
    blocked = leads_nowhere(router, client.address, to)
    server = Server(INTERNET, "udp", to, scene.quiet_port)
    name = f"{endpoint(to, server.port)}/udp from {client.origin}"
    expect = None if blocked else Arrives(known_as(router, segment.uplink, client.address, to))
    return Reach(router.name, "route", name, client.origin, to, server.port, server, expect)
