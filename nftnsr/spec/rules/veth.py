"""The inner sides: the veth pairs and the networks behind them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface
from typing import Final

from ..draft import At, InnerDraft, RouterDraft
from ..model import Interface, Network
from ..problems import Fault, Path
from ..words import family_of
from .overlaps import overlapping, stretches
from .uplink import duplicates

Place = At[Interface] | At[Network]
Claim = tuple[Network, tuple[str, Place]]  # the str is the role of the place

_KNOWN_TABLES: Final = {253: "default", 254: "main", 255: "local"}
_LINK_LOCAL_HINT: Final = "these addresses are written as `link_local` and `router_link_local`"


def faults(router: RouterDraft) -> Iterator[Fault]:
    twins = {twin.path for twin, _ in duplicates(router)}
    for link in router.links:
        yield from _link_locals(link)
        yield from _table(link)
        yield from _next_hop(link)
        yield from _shared_prefix(link)
        yield from _ipv6(router, link, twins)
    yield from _overlaps(router, twins)


def _link_locals(link: InnerDraft) -> Iterator[Fault]:
    for item in (*link.addresses, *link.router_addresses):
        if item.value.version == 6 and item.value.ip.is_link_local:
            message = f"address {item.value} is link-local"
            yield Fault(item.path, message, _LINK_LOCAL_HINT)
    ours, theirs = link.link_local, link.router_link_local
    if ours is not None and theirs is not None and ours.value == theirs.value:
        message = f"both ends of the veth pair have the link-local address {ours.value}"
        written = theirs if "router_link_local" in link.settings else ours
        yield Fault(written.path, message, "choose another one")


def _table(link: InnerDraft) -> Iterator[Fault]:
    """A table beside the main one: with the default route in both, nobody needs the other."""
    number = link.settings.get("table")
    if number is None:
        return
    path = (*link.path, "table")
    if number in _KNOWN_TABLES:
        message = f"table {number} ({_KNOWN_TABLES[number]}) is not free"
        yield Fault(path, message, "take a number of your own, such as 100")
    elif link.default_route:
        message = f"{link.whose} default route leads to the router, so table {number} is of no use"
        yield Fault(path, message, "write default_route = false, or leave it out")


def _next_hop(link: InnerDraft) -> Iterator[Fault]:
    """Over IPv4 the two ends reach one another by addresses that a person must choose."""
    ends = link.router_addresses
    if not ends.whole or any(item.value.version == 4 for item in ends):
        return
    first = next((item for item in link.addresses if item.value.version == 4), None)
    if first is None:
        return
    purpose = "as the next hop of its default route" if link.default_route else "to be reached by"
    message = (
        f"{link.noun} address {first.value} needs an IPv4 address of the router's end {purpose}"
    )
    hint = f'add router_addresses = ["{_neighbour(first.value)}"]'
    yield Fault(first.path, message, hint)


def _neighbour(address: Interface) -> Interface:
    """Another usable address of the same prefix."""
    network = address.network
    if network.prefixlen == network.max_prefixlen:
        return address + 1 if int(address.ip) % 2 == 0 else address - 1
    lowest = network[0] if network.prefixlen == 31 else network[1]
    other = lowest if lowest != address.ip else lowest + 1
    return IPv4Interface((int(other), network.prefixlen))


def _shared_prefix(link: InnerDraft) -> Iterator[Fault]:
    """Each end must see the other's IPv4 address on the link, unless it is a /32 with a route."""
    if not (link.addresses.whole and link.router_addresses.whole):
        return
    ours = [item for item in link.addresses if item.value.version == 4]
    theirs = [item for item in link.router_addresses if item.value.version == 4]
    if not ours or not theirs:
        return
    for mine, others, whose in ((ours, theirs, "the router's"), (theirs, ours, link.whose)):
        for item in mine:
            network = item.value.network
            if network.prefixlen == 32 or any(other.value.ip in network for other in others):
                continue
            message = f"address {item.value} shares its prefix with no address of {whose} end"
            hint = f'write "{item.value.ip}/32", or give {whose} end an address in {network}'
            yield Fault(item.path, message, hint, also=others[0].path)


def _ipv6(router: RouterDraft, link: InnerDraft, twins: set[Path]) -> Iterator[Fault]:
    """A far address of the uplink's prefix is proxied, one address at a time."""
    uplinks = [item for item in router.addresses if _global(item.value)]
    for item in link.addresses:
        shared = _sharing(item, uplinks) if _global(item.value) else None
        if shared is None or item.path in twins or item.value.network.prefixlen == 128:
            continue
        message = (
            f"{link.noun} address {item.value} is within the uplink's prefix {shared.value.network}"
        )
        hint = (
            f'write "{item.value.ip}/128": a shorter prefix makes the rest of the uplink\'s '
            "network look on-link"
        )
        yield Fault(item.path, message, hint, also=shared.path)
    for item in link.router_addresses:
        shared = _sharing(item, uplinks) if _global(item.value) else None
        if shared is not None and item.path not in twins:
            message = (
                f"the router's end has {item.value}, which is within the uplink's prefix "
                f"{shared.value.network}"
            )
            hint = "leave it out: the ends reach one another by their link-local addresses"
            yield Fault(item.path, message, hint, also=shared.path)
    for network in link.networks:
        same = next((item for item in uplinks if item.value.network == network.value), None)
        if same is not None:
            message = f"network {network.value} is the uplink's own prefix"
            yield Fault(network.path, message, f"name the part behind {link.far}", also=same.path)


def _global(address: Interface) -> bool:
    return isinstance(address, IPv6Interface) and not address.ip.is_link_local


def _sharing(item: At[Interface], uplinks: list[At[Interface]]) -> At[Interface] | None:
    mine = item.value.network
    return next((u for u in uplinks if u.value.network.overlaps(mine)), None)


def _overlaps(router: RouterDraft, twins: set[Path]) -> Iterator[Fault]:
    """Networks at different places must differ, or the routes to them contradict one another."""
    for version in (4, 6):
        claims: list[Claim] = []
        if version == 4:
            claims += _once("uplink", router.addresses.items, version, twins)
        for link in router.links:
            pair = (*link.addresses, *link.router_addresses)
            claims += _once("veth", pair, version, twins)
            networks = (item for item in link.networks if item.value.version == version)
            claims += [(item.value, ("network", item)) for item in networks]
        for (elder_role, elder), (role, younger) in overlapping(stretches(claims)):
            if not (_of_one_link(elder, younger) and _go_together(elder_role, elder, role)):
                yield _overlap(elder_role, elder, role, younger)


def _of_one_link(one: Place, other: Place) -> bool:
    return one.path[:-2] == other.path[:-2]


def _go_together(elder_role: str, elder: Place, role: str) -> bool:
    """Whether both may be of one link: the ends of a pair, and a far address in a network."""
    single = elder.value.max_prefixlen == _network(elder).prefixlen
    if role != "network":
        return elder_role == role
    return single and elder.path[-2] == "addresses"


def _once(
    role: str, items: tuple[At[Interface], ...], version: int, twins: set[Path]
) -> list[Claim]:
    """The networks that these addresses are in, each with the first address in it."""
    firsts: dict[Network, At[Interface]] = {}
    for item in items:
        if item.value.version == version and item.path not in twins:
            firsts.setdefault(item.value.network, item)
    return [(network, (role, item)) for network, item in firsts.items()]


def _network(item: Place) -> Network:
    value = item.value
    return value.network if isinstance(value, IPv4Interface | IPv6Interface) else value


def _overlap(elder_role: str, elder: Place, role: str, younger: Place) -> Fault:
    pair = "the" if _of_one_link(elder, younger) else "another"
    theirs = {
        "uplink": f"the uplink's {family_of(_network(elder))} prefix {_network(elder)}",
        "veth": f"{pair} veth pair's {_network(elder)}",
        "network": f"network {_network(elder)}",
    }[elder_role]
    if role == "veth":
        message = f"the veth pair's address {younger.value} is in {theirs}"
        if _network(elder).prefixlen > _network(younger).prefixlen:
            message = f"the veth pair's network {_network(younger)} contains {theirs}"
        hint = "the veth pair needs a network of its own, such as 192.168.158.0/24"
        return Fault(younger.path, message, hint, also=elder.path)
    message = f"network {younger.value} overlaps {theirs}"
    return Fault(younger.path, message, also=elder.path)
