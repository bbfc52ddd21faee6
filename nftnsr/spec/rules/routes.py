"""Routes, rules and neighbours: that they lead over a link of the router, and to one place each."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from ..draft import At, RouterDraft, UplinkDraft
from ..model import MAIN_TABLE, Address, Interface, Network, StaticRoute
from ..problems import Fault, Path
from ..words import family, quoted
from .uplink import is_far, owned
from .uplinks import leads_over

_METRIC = {4: 0, 6: 1024}  # what ip(8) gets when it names none
_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}

Place = tuple[int, Network, int]  # table, destination, metric: one route each


def faults(router: RouterDraft) -> Iterator[Fault]:
    own = {item.value.ip: item for item in reversed(tuple(owned(router)))}
    versions: set[int] = {item.value.version for item in router.addresses}
    for item in router.routes:
        route = item.value
        if router.addresses.whole and route.destination.version not in versions:
            yield _no_family(item.path, f"a route to {route.destination}", route.destination)
        elif route.via is not None and route.via in own:
            message = f"next hop {route.via} is an address of this machine itself"
            yield Fault(item.path, message, also=own[route.via].path)
        yield from _dev(router, item.path, route.dev, route.via)
        yield from _source(router, item)
    yield from _places(router)
    yield from _rules(router, versions)
    yield from _neighbours(router, own)


def _no_family(path: Path, what: str, value: Network | Address) -> Fault:
    kind = family(value.version)
    message = f"{what} is of no use: the uplink has no {kind} address"
    return Fault(path, message, "add one to `addresses`")


def _links(router: RouterDraft) -> list[str] | None:
    """The links of the router, the uplinks first; None where one could not be read."""
    ends = [*(uplink.dev for uplink in router.uplinks), *(link.peer for link in router.links)]
    links = [end.value for end in ends if end is not None]
    return links if router.links_whole and len(links) == len(ends) else None


def _dev(
    router: RouterDraft, path: Path, dev: str | None, address: Address | None
) -> Iterator[Fault]:
    """The link is one of the router's, or it is told by the prefixes that its links have."""
    links = _links(router)
    if links is None:
        return
    uplinks = len(router.uplinks)
    words = [f"{link} (the uplink)" for link in links[:uplinks]] + links[uplinks:]
    if dev is not None and dev not in links:
        message = f"{quoted(dev)} is no link of the router"
        yield Fault(path, message, f"its links are {', '.join(words[:-1])} and {words[-1]}")
    elif dev is None and address is not None and not _connected(router, address):
        message = f"nothing says on which link of the router {address} is"
        hint = f"{', dev '.join(words[:-1])} or dev {words[-1]}"
        yield Fault(path, message, f"add dev {hint}")


def _connected(router: RouterDraft, address: Address) -> bool:
    """Whether a prefix tells where `address` is; so it is for one that could not be read."""
    prefixes = list(_prefixes(router))
    return not _ends_whole(router) or any(address in item.value.network for item in prefixes)


def _prefixes(router: RouterDraft) -> Iterator[At[Interface]]:
    for uplink in router.uplinks:
        without = {o.value.interface for o in uplink.address_options if o.value.noprefixroute}
        yield from (item for item in uplink.addresses if item.value not in without)
    for link in router.links:
        yield from link.router_addresses


def _ends_whole(router: RouterDraft) -> bool:
    inner = router.links_whole and all(link.router_addresses.whole for link in router.links)
    return router.addresses.whole and inner


def _source(router: RouterDraft, item: At[StaticRoute]) -> Iterator[Fault]:
    source = item.value.source
    if source is None:
        return
    mine = [*router.addresses, *(i for link in router.links for i in link.router_addresses)]
    if _ends_whole(router) and source not in [each.value.ip for each in mine]:
        message = f"source {source} is no address of the router"
        own = ", ".join(str(e.value.ip) for e in mine if e.value.version == source.version)
        yield Fault(item.path, message, f"its addresses are {own}" if own else None)


def _places(router: RouterDraft) -> Iterator[Fault]:
    """Two routes of one place: the second would take the place of the first."""
    taken: dict[Place, tuple[Path, str]] = {}
    for place, path, what in _implied(router):
        taken.setdefault(place, (path, what))
    for item in router.routes:
        route = item.value
        metric = route.metric or _METRIC[route.destination.version]
        uplink = leads_over(router, route) if route.table == MAIN_TABLE else None
        tables = (route.table,) if uplink is None else _tables(router, uplink)
        for table in tables:
            path, what = taken.setdefault(
                (table, route.destination, metric), (item.path, "a route")
            )
            if path != item.path:
                message = f"there is {what} to {route.destination} of the same metric already"
                yield Fault(item.path, message, "give it a metric, or a table", also=path)
                break


def _implied(router: RouterDraft) -> Iterator[tuple[Place, Path, str]]:
    """The places of the routes that the rest of the spec implies."""

    def place(network: Network) -> Place:
        return MAIN_TABLE, network, _METRIC[network.version]

    for uplink in router.uplinks:
        metric = 0 if uplink.metric is None else uplink.metric.value
        for gateway in uplink.gateways:
            version = gateway.value.version
            for table in _tables(router, uplink):
                where = (table, _DEFAULT[version], _METRIC[version] + metric)
                yield where, gateway.path, "the gateway's route"
    for item in _prefixes(router):
        if item.value.version == 4:
            yield place(item.value.network), item.path, "the connected route"
    for link in router.links:
        for network in link.networks:
            yield place(network.value), network.path, "the route"
        for address in link.addresses:
            yield place(ip_network(address.value.ip)), address.path, "the route"


def _tables(router: RouterDraft, uplink: UplinkDraft) -> tuple[int, ...]:
    """Where a route over `uplink` is that is in the main table."""
    return (MAIN_TABLE, uplink.table) if len(router.uplinks) > 1 else (MAIN_TABLE,)


def _rules(router: RouterDraft, versions: set[int]) -> Iterator[Fault]:
    links = _links(router)
    for item in router.rules:
        rule = item.value
        for dev in (rule.iif, rule.oif):
            if dev is not None and links is not None and dev not in (*links, "lo"):
                message = f"{quoted(dev)} is no link of the router"
                yield Fault(item.path, message, f"its links are {', '.join((*links, 'lo'))}")
        network = rule.source or rule.destination
        if network is not None and router.addresses.whole and network.version not in versions:
            yield _no_family(item.path, f"a rule for {network}", network)
    seen: dict[object, Path] = {}
    for item in router.rules:
        first = seen.setdefault(item.value, item.path)
        if first != item.path:
            yield Fault(item.path, "this rule is given twice", also=first)


def _neighbours(router: RouterDraft, own: dict[Address, At[Interface]]) -> Iterator[Fault]:
    seen: dict[tuple[Address, str | None], Path] = {}
    for item in router.neighbours:
        address, dev = item.value.address, item.value.dev
        if address in own and not is_far(own[address]):
            message = f"neighbour {address} is an address of the router itself"
            yield Fault(item.path, message, also=own[address].path)
        first = seen.setdefault((address, dev), item.path)
        if first != item.path:
            yield Fault(item.path, f"neighbour {address} is given twice", also=first)
        yield from _dev(router, item.path, dev, address)
