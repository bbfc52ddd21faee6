"""Routers that share a machine, be it in one file or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..draft import At, RouterDraft
from ..model import Address, Interface, Network
from ..problems import Fault, Path
from ..words import family, quoted
from .overlaps import overlapping, stretches
from .uplink import owned


def faults(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    yield from _parents(routers)
    if len(routers) < 2:
        return
    yield from _names(routers)
    yield from _unique(routers, "uplink", _devs)
    yield from _unique(routers, "host interface", _host_interface)
    yield from _uplink_as_host_interface(routers)
    yield from _addresses(routers)
    yield from _networks(routers)
    yield from _default_routes(routers)
    yield from _tables(routers)


def _names(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[str, RouterDraft] = {}
    for router in routers:
        first = seen.setdefault(router.name, router)
        if first is not router:
            message = "there is another router of this name"
            yield Fault(router.path, message, "give it another name", None, True, first.path)


def _devs(router: RouterDraft) -> list[At[str]]:
    return [uplink.dev for uplink in router.uplinks if uplink.dev is not None]


def _host_interface(router: RouterDraft) -> list[At[str]]:
    return [router.host.interface] if router.host and router.host.interface else []


def _unique(
    routers: Sequence[RouterDraft], what: str, of: Callable[[RouterDraft], list[At[str]]]
) -> Iterator[Fault]:
    seen: dict[str, tuple[RouterDraft, At[str]]] = {}
    for router, item in ((r, item) for r in routers for item in of(r)):
        owner, first = seen.setdefault(item.value, (router, item))
        if owner is not router:
            message = f"{what} {quoted(item.value)} belongs to router {quoted(owner.name)} already"
            yield Fault(item.path, message, also=first.path)


def _uplink_as_host_interface(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """An uplink must be able to come back to the host under its name."""
    uplinks = {dev.value: (r, dev) for r in reversed(routers) for dev in _devs(r)}
    for router, item in ((r, item) for r in routers for item in _host_interface(r)):
        owner, uplink = uplinks.get(item.value, (router, item))
        if owner is not router:
            message = f"host interface {quoted(item.value)} has the name of an uplink"
            yield Fault(item.path, message, "choose another name", also=uplink.path)


def _parents(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """What an uplink is made upon, or put into, must stay in the host."""
    uplinks = [uplink for router in routers for uplink in router.uplinks]
    moved = {u.dev.value: u.dev for u in uplinks if u.dev is not None and u.made is None}
    for uplink in uplinks:
        made = uplink.made
        for key in ("parent", "bridge"):
            name = None if made is None else getattr(made, key)
            if name in moved:
                message = f"{key} {quoted(name)} is an uplink, which leaves the host"
                yield Fault((*uplink.path, "uplink", key), message, also=moved[name].path)


def _tables(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """Each router's default routes are in a table of their own."""
    seen: dict[int, RouterDraft] = {}
    for router in routers:
        number = None if router.host is None else router.host.settings.get("table")
        if router.host is None or number is None:
            continue
        first = seen.setdefault(number, router)
        if first is not router and first.host is not None:
            message = f"table {number} belongs to router {quoted(first.name)} already"
            path, also = (*router.host.path, "table"), (*first.host.path, "table")
            yield Fault(path, message, "take another number", also=also)


def _addresses(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[Address, tuple[RouterDraft, At[Interface]]] = {}
    for router in routers:
        for item in owned(router):
            # The router's ends are in namespaces of their own; _networks keeps them apart.
            if item.path[4:5] == ("router_addresses",) or item.value.ip.is_link_local:
                continue
            owner, first = seen.setdefault(item.value.ip, (router, item))
            if owner is not router:
                message = f"address {item.value.ip} belongs to router {quoted(owner.name)} already"
                yield Fault(item.path, message, also=first.path)


Owner = tuple[RouterDraft, Network, At[Interface] | At[Network]]


def _networks(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """The host has one routing table: each network is behind one interface."""
    claims = [(network, owner) for router in routers for network, owner in _host_routes(router)]
    for version in (4, 6):
        mine = [claim for claim in claims if claim[0].version == version]
        for (owner, network, item), (router, own, place) in overlapping(stretches(mine)):
            if owner is router or _same_address(item, place):
                continue
            message = f"network {own} overlaps {network} of router {quoted(owner.name)}"
            yield Fault(place.path, message, also=item.path)


def _same_address(one: At[Interface] | At[Network], other: At[Interface] | At[Network]) -> bool:
    """Whether _addresses has said it."""
    return getattr(one.value, "ip", one) == getattr(other.value, "ip", other)


def _host_routes(router: RouterDraft) -> Iterator[tuple[Network, Owner]]:
    if router.host is None:
        return
    firsts: dict[Network, At[Interface] | At[Network]] = {}
    for address in router.host.addresses:
        firsts.setdefault(address.value.network, address)
    for network in router.host.networks:
        firsts.setdefault(network.value, network)
    for value, item in firsts.items():
        yield value, (router, value, item)


def _default_routes(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[int, RouterDraft] = {}
    told: set[Path] = set()
    for router in routers:
        host = router.host
        if host is None or not host.default_route:
            continue
        for version in sorted({item.value.version for item in host.addresses}):
            first = seen.setdefault(version, router)
            if first is router or router.path in told:
                continue
            told.add(router.path)
            message = f"a second {family(version)} default route of the host, beside router "
            hint = "write default_route = false in one of them"
            assert first.host is not None
            path, also = (*host.path, "default_route"), (*first.host.path, "default_route")
            yield Fault(path, message + quoted(first.name), hint, also=also)
