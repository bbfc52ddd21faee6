"""Several uplinks: that nothing of one is another one's, and that what leaves can be answered."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ..draft import At, RouterDraft, UplinkDraft
from ..model import FIRST_TABLE, Address, Network, StaticRoute
from ..problems import Fault, Path
from ..words import family, quoted
from .behind import Behind
from .overlaps import overlapping, stretches


def faults(router: RouterDraft) -> Iterator[Fault]:
    if len(router.uplinks) == 1:
        return
    yield from _devs(router)
    yield from _numbers(router)
    yield from _prefixes(router)
    yield from _gateways(router)
    yield from _tables(router)
    yield from _marked(router)
    for uplink in router.uplinks[1:]:
        yield from _networks(router, uplink)
    yield from _chosen_twice(router)


def _devs(router: RouterDraft) -> Iterator[Fault]:
    seen: dict[str, Path] = {}
    for dev in (uplink.dev for uplink in router.uplinks if uplink.dev is not None):
        first = seen.setdefault(dev.value, dev.path)
        if first is not dev.path:
            message = f"{quoted(dev.value)} is an uplink of this router already"
            yield Fault(dev.path, message, "name another interface", also=first)


def _numbers(router: RouterDraft) -> Iterator[Fault]:
    """Metrics and marks, those that nobody has written among them."""
    metrics: dict[int, Path] = {}
    marks: dict[int, Path] = {FIRST_TABLE: router.path}
    for uplink in router.uplinks[1:]:
        for what, seen, item in (("metric", metrics, uplink.metric), ("mark", marks, uplink.mark)):
            assert item is not None
            first = seen.setdefault(item.value, item.path)
            if first is not item.path:
                message = f"{what} {item.value} is that of another uplink"
                yield Fault(item.path, message, f"give each a {what} of its own", also=first)
                break  # of the same metric comes the same mark


def _prefixes(router: RouterDraft) -> Iterator[Fault]:
    """The router must know by the address alone on which link somebody is."""
    addresses = [(u, i) for u in router.uplinks for i in u.addresses if not i.value.is_link_local]
    for version in (4, 6):
        mine = [(i.value.network, (u, i)) for u, i in addresses if i.value.version == version]
        for (one, elder), (other, younger) in overlapping(stretches(mine)):
            if one is not other and elder.value.ip != younger.value.ip:
                message = f"address {younger.value} is in {elder.value.network} of another uplink"
                hint = "two uplinks on one segment are no two ways out"
                yield Fault(younger.path, message, hint, also=elder.path)


def _gateways(router: RouterDraft) -> Iterator[Fault]:
    """On a link of its own a gateway of another one's prefix would never be found."""
    for uplink in router.uplinks:
        for gateway in uplink.gateways:
            address = gateway.value
            others = (u for u in router.uplinks if u is not uplink and u.reaches(address))
            other = next(others, None)
            if other is not None and not address.is_link_local and not uplink.reaches(address):
                message = f"gateway {address} is on the link of another uplink"
                yield Fault(
                    gateway.path, message, "write it there", also=other.addresses.items[0].path
                )


def _tables(router: RouterDraft) -> Iterator[Fault]:
    """What an uplink's table routes leaves by that uplink, or not at all."""
    for item in router.routes:
        route = item.value
        uplink = next((u for u in router.uplinks if u.table == route.table), None)
        over = leads_over(router, route)
        if uplink is not None and over not in (None, uplink):
            dev = "" if uplink.dev is None else f" {uplink.dev.value}"
            message = f"table {route.table} is for what leaves by the uplink{dev}"
            hint = "take another one, and a rule that looks there"
            yield Fault(item.path, message, hint, also=uplink.numbered)


def _marked(router: RouterDraft) -> Iterator[Fault]:
    """Packets with an uplink's mark have found its table before a rule of the spec is asked."""
    for item in router.rules:
        mark, mask = item.value.mark or (0, 0)
        for uplink in router.uplinks:
            its = FIRST_TABLE if uplink.mark is None else uplink.mark.value
            if mark and its & mask == mark:
                message = f"mark {its} is that of what leaves by an uplink"
                also = uplink.path if uplink.mark is None else uplink.mark.path
                yield Fault(item.path, message, "take another one", also=also)


def leads_over(router: RouterDraft, route: StaticRoute) -> UplinkDraft | None:
    """The uplink that `route` leads over, if it is one."""
    if route.dev is not None:
        named = (u for u in router.uplinks if u.dev is not None and u.dev.value == route.dev)
        return next(named, None)
    via = route.via
    return next((u for u in router.uplinks if via is not None and u.reaches(via)), None)


def _networks(router: RouterDraft, uplink: UplinkDraft) -> Iterator[Fault]:
    behind = Behind(router)
    if not behind.whole:
        return
    gateways = {item.value.version for item in uplink.gateways}
    for item in uplink.networks:
        network = item.value
        if not behind.overlaps(network):
            message = f"nothing of {network} is behind the router"
            yield Fault(item.path, message, f"add it to `networks` of {behind.of}")
        elif uplink.gateways.whole and network.version not in gateways:
            kind = family(network.version)
            message = f"{network} has no way out: this uplink has no {kind} gateway"
            yield Fault(item.path, message, "add one to `gateways`")


Claim = tuple[Network, tuple[UplinkDraft, At[object]]]


def _chosen_twice(router: RouterDraft) -> Iterator[Fault]:
    """One network by two uplinks, be it that its public address is on another one."""
    claims: list[Claim] = [(n.value, (u, n)) for u in router.uplinks for n in u.networks]
    claims += _translated(router)
    for version in (4, 6):
        mine = [claim for claim in claims if claim[0].version == version]
        for (one, elder), (other, younger) in overlapping(stretches(mine)):
            if one is not other:
                message = "what is inside is to leave by two uplinks"
                hint = "name networks that do not overlap, and public addresses of their uplink"
                yield Fault(younger.path, message, hint, also=elder.path)


def _translated(router: RouterDraft) -> Iterator[Claim]:
    for pair in router.one_to_one:
        yield ip_network(pair.value.inner), (_owner(router, pair.value.public), pair)
    for nat in router.snat:
        yield nat.value.network, (_owner(router, nat.value.first), nat)
    for prefix in router.prefix_translation:
        yield prefix.value.inner, (router.uplinks[0], prefix)


def _owner(router: RouterDraft, public: Address) -> UplinkDraft:
    """As Uplink.uplink_for has it."""
    on_link = (u for u in router.uplinks if any(public in i.value.network for i in u.addresses))
    return next(on_link, router.uplinks[0])
