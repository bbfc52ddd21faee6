"""Where inner links lead: the host and namespaces of somebody else's, which several may share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..draft import At, InnerDraft, RouterDraft
from ..model import Interface, Network
from ..problems import Fault, Path
from ..words import family, quoted
from .machine import devs
from .overlaps import overlapping, stretches

Link = tuple[RouterDraft, InnerDraft]
Place = At[Interface] | At[Network]


def faults(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    places: dict[str | None, list[Link]] = {}
    for router in routers:
        for link in router.links:
            if link.namespace is not None:
                places.setdefault(link.namespace.value, []).append((router, link))
    names = {router.name: router for router in reversed(routers)}
    for name, links in places.items():
        if name in names:
            yield from _of_a_router(links, names[name])
        yield from _interfaces(links)
        yield from _networks(links)
        yield from _default_routes(links)
        yield from _tables(links)
    yield from _uplinks(routers, places.get(None, []))


def _of_a_router(links: Sequence[Link], owner: RouterDraft) -> Iterator[Fault]:
    for _, link in links:
        assert link.namespace is not None
        message = f"namespace {quoted(owner.name)} is that of router {quoted(owner.name)}"
        yield Fault(link.namespace.path, message, "name one of somebody else's", also=owner.path)


def _whose(owner: Link, other: Link) -> str:
    """The owner of something, as the other is told: another router, or a link of its own."""
    if owner[0] is other[0]:
        return f"inner link {quoted(owner[1].name)}"
    return f"router {quoted(owner[0].name)}"


def _interfaces(links: Sequence[Link]) -> Iterator[Fault]:
    seen: dict[str, tuple[Link, At[str]]] = {}
    for router, link in links:
        item = link.interface
        if item is None:
            continue
        owner, first = seen.setdefault(item.value, ((router, link), item))
        if first is not item:
            what = f"interface {quoted(item.value)} of {link.far}"
            if link.far == "the host":
                what = f"host interface {quoted(item.value)}"
            message = f"{what} belongs to {_whose(owner, (router, link))} already"
            yield Fault(item.path, message, also=first.path)


def _uplinks(routers: Sequence[RouterDraft], links: Sequence[Link]) -> Iterator[Fault]:
    """An uplink must be able to come back to the host under its name."""
    uplinks = {dev.value: (r, dev) for r in reversed(routers) for dev in devs(r)}
    for router, link in links:
        item = link.interface
        if item is None or item.value not in uplinks:
            continue
        owner, uplink = uplinks[item.value]
        if owner is not router:
            message = f"host interface {quoted(item.value)} has the name of an uplink"
            yield Fault(item.path, message, "choose another name", also=uplink.path)


def _networks(links: Sequence[Link]) -> Iterator[Fault]:
    """A place has one routing table: each network is behind one interface.

    What is within one router, other rules say.
    """
    claims = [(network, owner) for each in links for network, owner in _routes(*each)]
    for version in (4, 6):
        mine = [claim for claim in claims if claim[0].version == version]
        for (owner, network, item), (router, own, place) in overlapping(stretches(mine)):
            if owner is router or _same_address(item, place):
                continue
            message = f"network {own} overlaps {network} of router {quoted(owner.name)}"
            yield Fault(place.path, message, also=item.path)


def _same_address(one: Place, other: Place) -> bool:
    """Whether it has been said of the addresses."""
    return getattr(one.value, "ip", one) == getattr(other.value, "ip", other)


def _routes(
    router: RouterDraft, link: InnerDraft
) -> Iterator[tuple[Network, tuple[RouterDraft, Network, Place]]]:
    firsts: dict[Network, Place] = {}
    for address in link.addresses:
        firsts.setdefault(address.value.network, address)
    for network in link.networks:
        firsts.setdefault(network.value, network)
    for value, item in firsts.items():
        yield value, (router, value, item)


def _default_routes(links: Sequence[Link]) -> Iterator[Fault]:
    seen: dict[int, Link] = {}
    told: set[Path] = set()
    for each in links:
        link = each[1]
        if not link.default_route:
            continue
        for version in sorted({item.value.version for item in link.addresses}):
            first = seen.setdefault(version, each)
            if first is each or link.path in told:
                continue
            told.add(link.path)
            whose = _whose(first, each)
            message = f"a second {family(version)} default route of {link.far}, beside {whose}"
            hint = "write default_route = false in one of them"
            path, also = (*link.path, "default_route"), (*first[1].path, "default_route")
            yield Fault(path, message, hint, also=also)


def _tables(links: Sequence[Link]) -> Iterator[Fault]:
    """The default routes of each link are in a table of their own."""
    seen: dict[int, Link] = {}
    for each in links:
        number = each[1].settings.get("table")
        if number is None:
            continue
        first = seen.setdefault(number, each)
        if first is not each:
            message = f"table {number} belongs to {_whose(first, each)} already"
            path, also = (*each[1].path, "table"), (*first[1].path, "table")
            yield Fault(path, message, "take another number", also=also)
