"""What a picture of a router says, in words: the same for every kind of picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from nftnsr.compile import routing
from nftnsr.compile.families import families
from nftnsr.report.graph.lanes import Far, Kind, Lane, Place, far, lanes, listed, ports_lines
from nftnsr.spec.model import Network, Router, Uplink

_MOST: Final = 6  # lines of one list


@frozen
class End:
    """An interface with the lines that stand below its name."""

    name: str
    lines: tuple[str, ...]


@frozen
class Outer:
    """An uplink, and what is beyond it."""

    end: End
    gateways: tuple[str, ...]


@frozen
class Drawn:
    """One router, left to right: uplinks, its end of the veth pair, host, networks; and beside
    the host the far ends of further links.
    """

    name: str
    uplinks: tuple[Outer, ...]
    duties: tuple[str, ...]
    router: End
    host: End
    networks: tuple[Network, ...]
    lanes: tuple[Lane, ...]
    further: tuple[Far, ...] = ()

    @property
    def outer(self) -> tuple[str, ...]:
        """All uplinks as one, where all arrows begin, for pictures that others lay out."""
        return tuple(word for each in self.uplinks for word in (each.end.name, *each.end.lines))

    @property
    def gateways(self) -> tuple[str, ...]:
        return tuple(gateway for each in self.uplinks for gateway in each.gateways)

    @property
    def quiet(self) -> tuple[str, ...]:
        """The networks that no arrow leads to."""
        busy = {lane.place for lane in self.lanes}
        return cut(str(n) for n in self.networks if n not in busy)

    @property
    def busy(self) -> tuple[Network, ...]:
        """The networks that some arrow leads to."""
        places = {lane.place for lane in self.lanes}
        return tuple(n for n in self.networks if n in places)


@frozen
class Edge:
    """All arrows of one kind between the internet and one place, for pictures that others lay out.

    `lines` say of each arrow what is asked for, what is demanded, and what is reached.
    """

    kind: Kind
    place: Place | None
    lines: tuple[str, ...]


def edges(router: Drawn) -> tuple[Edge, ...]:
    found: dict[tuple[Kind, Place | None], list[str]] = {}
    for lane in router.lanes:
        found.setdefault((lane.kind, lane.place), []).extend(_lane_words(lane))
    return tuple(Edge(kind, place, tuple(lines)) for (kind, place), lines in found.items())


def _lane_words(lane: Lane) -> Iterator[str]:
    if lane.kind == "outward":
        yield from lane.notes
        return
    notes = f" ({', '.join(lane.notes)})" if lane.notes else ""
    yield ", ".join(lane.label) + notes + (f" → {lane.target}" if lane.target else "")


def drawn(router: Router) -> Drawn:
    host = router.host
    return Drawn(
        router.name,
        tuple(map(_outer, router.uplinks)),
        tuple(_duties(router)),
        End(host.peer, cut(str(i) for i in host.router_addresses)),
        End(host.interface, (*cut(str(i) for i in host.addresses), *_defaults(router))),
        host.networks,
        lanes(router),
        tuple(map(far, router.inner)),
    )


def _outer(uplink: Uplink) -> Outer:
    lines = [str(i) for i in uplink.addresses]
    lines += [f"metric {uplink.metric}"] if uplink.metric else []
    lines += [f"for {network}" for network in uplink.networks]
    return Outer(End(uplink.dev, cut(lines)), cut(f"via {g}" for g in uplink.gateways))


def _duties(router: Router) -> Iterator[str]:
    """What the router does to all that passes."""
    if router.forward_filter:
        yield "only what is drawn here passes"
    if router.drop_invalid:
        yield "invalid packets are dropped"
    shut_out = [f"list {b.name}" for b in router.filter.blocklists]
    if shut_out := ["bogons"] * router.filter.bogons + shut_out:
        yield f"kept out: {listed(shut_out)}"
    if router.filter.input is not None:
        own = ["ping"] * router.filter.ping + list(ports_lines(router.filter.input))
        yield f"open of its own: {listed(own or ['nothing'])}"
    if limited := dict.fromkeys(str(each.source) for each in router.filter.egress):
        yield f"only some ways out: {listed(list(limited))}"
    if router.helpers:
        yield f"helpers: {listed(router.helpers)}"
    if router.mss_clamp:
        yield "TCP is told what fits through the uplink"
    if router.hairpin and any(f.nat for f in router.forward):
        yield "forwards work from inside, too"
    proxied = [str(n.address) for n in routing.proxied_neighbours(router)]
    yield from (f"answers NDP for {address}" for address in cut(proxied))
    ways = [f"route {route.text}" for route in router.routes]
    yield from cut([*ways, *(f"rule {rule.text}" for rule in router.rules)])


def _defaults(router: Router) -> Iterator[str]:
    hops = [hop for route in routing.far_routes(router, router.host) for hop in route.hops]
    yield from (f"default via {hop.via}" for hop in hops)
    if not hops and families(router):
        yield "no default route"


def cut(lines: Iterable[str]) -> tuple[str, ...]:
    """As many lines as a box has room for, and how many there are beside them."""
    all_of_them = tuple(lines)
    if len(all_of_them) <= _MOST:
        return all_of_them
    return (*all_of_them[: _MOST - 1], f"and {len(all_of_them) - _MOST + 1} more")


def description(routers: Iterable[Drawn]) -> str:
    """The picture in sentences, for those who cannot see it."""
    return " ".join(_sentence(router) for router in routers)


def _sentence(router: Drawn) -> str:
    forwards = "; ".join(
        f"{', '.join(lane.label)} to {lane.target or 'the host'}"
        for lane in router.lanes
        if lane.kind == "forward"
    )
    uplinks = " and ".join(
        f"the uplink {each.end.name} with {', '.join(each.end.lines)}" for each in router.uplinks
    )
    return (
        f"Namespace {router.name} has {uplinks} and {_pairs(router)}. "
        f"Forwards: {forwards or 'none'}."
    )


def _pairs(router: Drawn) -> str:
    further = "".join(f", one to {far}" for far in router.further)
    return f"a veth pair to {router.host.name} of the host{further}"
