"""The filter: that what it lets in can be let in, and that it shuts nobody out who is needed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Network, ip_network
from typing import Final

from ..draft import At, RouterDraft
from ..model import NOBODYS, Address, Blocklist, Egress, Network, Service
from ..problems import Fault, Path
from ..words import quoted
from .behind import Behind
from .overlaps import bounds
from .untranslated import ULA
from .uplink import owned

# RFC 5737, RFC 3849, RFC 9637: nobody means these, they stand for addresses in what is only shown.
_EXAMPLES: Final = frozenset(
    map(
        ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)


def faults(router: RouterDraft) -> Iterator[Fault]:
    yield from _logs(router)
    yield from _inbound(router)
    yield from _input(router)
    yield from _egress(router)
    for blocklist in router.filter.blocklists:
        held = _Held(blocklist.value.networks)
        yield from _needed(router, blocklist, held)
        yield from _dead(router, blocklist, held)
    if router.filter.settings.get("bogons", False):
        yield from _bogons(router)


class _Held:
    """Which addresses and networks a list holds; a lookup costs the same for every length."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._ranges: dict[int, Sequence[tuple[int, int]]] = {
            version: sorted(bounds(n) for n in networks if n.version == version)
            for version in (4, 6)
        }

    def __contains__(self, what: Address | Network) -> bool:
        network = isinstance(what, Network)
        first, last = bounds(what) if network else (int(what), int(what))  # type: ignore[arg-type]
        ranges = self._ranges[what.version]
        index = bisect_right(ranges, (first, 1 << 128)) - 1
        return index >= 0 and ranges[index][1] >= last


def _logs(router: RouterDraft) -> Iterator[Fault]:
    settings = router.filter.settings
    if "log_drops" in settings:
        return
    for key in ("log_prefix", "log_group"):
        if key in settings:
            message = f"`{key}` is of no use: nothing is logged"
            yield Fault((*router.filter.path, key), message, 'add log_drops = "10/minute"')


def _inbound(router: RouterDraft) -> Iterator[Fault]:
    closed = router.settings.get("forward_filter", True)
    behind = Behind(router)
    # What the host has of its own is open, or closed, by `inbound_ipv6`.
    inner = [network for link in router.links for network in link.networks.values]
    inner += [i.network for link in router.inner.values for i in link.addresses.values]
    for item in router.filter.inbound:
        network = item.value
        if not closed:
            also = (*router.path, "forward_filter")
            message = f"{network} is open already: there is no forward filter"
            yield Fault(item.path, message, "leave it out", also=also)
        elif network.version == 4:
            hint = "what comes in over IPv4 is what `forward` names"
            yield Fault(item.path, f"network {network} is not an IPv6 one", hint)
        elif behind.whole and not _within(network, inner):
            hint = f"add it to `networks` of {behind.of}"
            yield Fault(item.path, f"network {network} is not behind {behind.whom}", hint)


def _input(router: RouterDraft) -> Iterator[Fault]:
    """Two that name one port for one sender: the kernel takes no elements that overlap."""
    services = router.filter.input
    if services is None:
        if "ping" in router.filter.settings:
            path = (*router.filter.path, "ping")
            message = "`ping` is of no use: the router answers everything"
            yield Fault(path, message, "add input = []")
        return
    for number, item in enumerate(services):
        for elder in services.items[:number]:
            if _meet(elder.value, item.value):
                yield Fault(item.path, "another one names such packets", also=elder.path)
                break


def _meet(one: Service, other: Service) -> bool:
    if not set(one.protocols) & set(other.protocols):
        return False
    if not any(a.first <= b.last and b.first <= a.last for a in one.ports for b in other.ports):
        return False
    if not one.sources or not other.sources:
        return one.sources == other.sources
    return any(_overlap(a, b) for a in one.sources for b in other.sources)


def _overlap(one: Network, other: Network) -> bool:
    (first, last), (low, high) = bounds(one), bounds(other)
    return one.version == other.version and first <= high and low <= last


def _egress(router: RouterDraft) -> Iterator[Fault]:
    if router.filter.egress.items and not router.settings.get("forward_filter", True):
        path, also = router.filter.egress.items[0].path, (*router.path, "forward_filter")
        message = "nothing is kept in where there is no forward filter"
        yield Fault(path, message, "leave out forward_filter = false", also=also)
        return
    seen: list[At[Egress]] = []
    for item in router.filter.egress:
        yield from _source(router, item)
        elder = next((e for e in seen if _contradict(e.value, item.value)), None)
        if elder is not None:
            message = f"another one says otherwise, or the same, of {item.value.source}"
            if elder.value.source != item.value.source:
                message = f"{item.value.source} overlaps {elder.value.source}"
            yield Fault(item.path, message, _egress_hint(elder.value, item.value), also=elder.path)
        seen.append(item)


def _contradict(one: Egress, other: Egress) -> bool:
    if one.source != other.source:
        return _overlap(one.source, other.source)
    return one.nothing or other.nothing or one == other


def _egress_hint(one: Egress, other: Egress) -> str:
    if one.source != other.source:
        return "say it of networks that are apart"
    return "leave one of them out"


def _source(router: RouterDraft, item: At[Egress]) -> Iterator[Fault]:
    source, behind = item.value.source, Behind(router)
    if behind.whole and not behind.holds(source):
        message = f"nothing goes out from {source}: it is not behind {behind.whom}"
        yield Fault(item.path, message, f"add it to `networks` of {behind.of}")
    elif _is_ula(source) and not _is_translated(router, source):
        message = f"nothing goes out from {source}: it is private, and not translated"
        yield Fault(item.path, message, "name it in `snat`, or in `prefix_translation`")


def _is_ula(network: Network) -> bool:
    return isinstance(network, IPv6Network) and network.subnet_of(ULA)


def _is_translated(router: RouterDraft, source: Network) -> bool:
    """Whether some of it leaves by another address; what could not be read may say so."""
    inner = [ip_network(pair.value.inner) for pair in router.one_to_one]
    inner += [nat.value.network for nat in router.snat]
    inner += [prefix.value.inner for prefix in router.prefix_translation]
    whole = router.one_to_one.whole and router.snat.whole and router.prefix_translation.whole
    return not whole or any(_overlap(source, network) for network in inner)


def _within(network: Network, others: Sequence[Network]) -> bool:
    first, last = bounds(network)
    around = (bounds(n) for n in others if n.version == network.version)
    return any(low <= first and last <= high for low, high in around)


def _needed(router: RouterDraft, blocklist: At[Blocklist], held: _Held) -> Iterator[Fault]:
    """Those without whom there is no router: its gateways, itself, the host."""
    own = [(item.path, item.value.ip) for item in owned(router)]
    gateways = [(g.path, g.value) for uplink in router.uplinks for g in uplink.gateways]
    for path, address in (*gateways, *own):
        if address in held:
            message = f"{blocklist.value.file} blocks {address}, which the router needs"
            yield Fault(blocklist.path, message, "take it out of the list", also=path)


def _dead(router: RouterDraft, blocklist: At[Blocklist], held: _Held) -> Iterator[Fault]:
    """What nobody could use, or reach, because of a list."""
    name = quoted(blocklist.value.name)
    for path, sources in _restricted(router):
        if all(source in held for source in sources):
            message = f"block list {name} holds all its sources: nobody could use it"
            yield Fault(path, message, also=blocklist.path)
    for item in router.filter.egress:
        if item.value.destination is not None and item.value.destination in held:
            message = f"block list {name} holds {item.value.destination}: nothing goes there"
            yield Fault(item.path, message, also=blocklist.path)


def _bogons(router: RouterDraft) -> Iterator[Fault]:
    """As _dead; networks that the uplink is in are no bogons there."""
    near = [item.value.network for item in router.addresses]
    held = _Held([n for n in NOBODYS if n not in _EXAMPLES])
    also = (*router.filter.path, "bogons")
    for path, sources in _restricted(router):
        if all(s in held and not any(_overlap(s, n) for n in near) for s in sources):
            message = "all its sources are bogons: nobody could use it"
            yield Fault(path, message, "leave out bogons = true", also=also)


def _restricted(router: RouterDraft) -> Iterator[tuple[Path, Sequence[Network]]]:
    """Forwards and ports of the router that are for some sources only."""
    for item in (*router.forward, *(router.filter.input or ())):
        if item.value.sources:
            yield item.path, item.value.sources
