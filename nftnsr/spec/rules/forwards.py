"""Forwards: whom they reach, who may use them, and that no two want the same packet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Network
from typing import Final

from ..draft import At, HostDraft, RouterDraft
from ..model import Address, Forward, Network
from ..problems import Fault
from ..words import family, family_of, quoted
from .overlaps import Area, clashing, merged
from .uplink import owned

# Every sender on the uplink's side is the number of an address. What is behind the router is one
# sender more, with a number before them all: hairpin lets it use a forward whatever `from` says.
_INSIDE: Final = -1
_LAST_SENDER: Final = {4: 2**32 - 1, 6: 2**128 - 1}


def faults(router: RouterDraft) -> Iterator[Fault]:
    yield from _names(router)
    host = router.host
    if host is None or not router.forward.items:
        return
    common = _families(router.addresses) & _families(host.addresses)
    if router.addresses.whole and host.addresses.whole:
        yield from _unreachable(router, common)
    yield from _targets(router, host)
    yield from _repeated_sources(router)
    yield from _clashes(router, common)


def _families(items: Iterable[At[object]]) -> frozenset[int]:
    return frozenset(getattr(item.value, "version", 0) for item in items)


def _names(router: RouterDraft) -> Iterator[Fault]:
    seen: dict[str, At[Forward]] = {}
    for item in router.forward:
        if item.value.name is None:
            continue
        first = seen.setdefault(item.value.name, item)
        if first is not item:
            path = (*item.path, "name")
            message = f"another forward has the name {quoted(item.value.name)}"
            yield Fault(path, message, also=(*first.path, "name"))


def _unreachable(router: RouterDraft, common: frozenset[int]) -> Iterator[Fault]:
    """Forwards that no packet could ever take."""
    uplink = _families(router.addresses)
    told = False
    for item in router.forward:
        target = item.value.target
        if target is not None and target.version not in uplink:
            kind = family_of(target)
            message = f"target {target} is of no use: the uplink has no {kind} address"
            yield Fault((*item.path, "to"), message, "add one to `addresses`")
        elif target is None and not common:
            # Said once: it is the router's addresses that are to be repaired.
            if not told:
                message = "it leads nowhere: the uplink and the host share no address family"
                hint = "give the host an address of a family that the uplink has"
                yield Fault(item.path, message, hint)
            told = True
        else:
            yield from _useless_sources(item, common if target is None else {target.version})


def _useless_sources(item: At[Forward], families: Iterable[int]) -> Iterator[Fault]:
    for index, source in enumerate(item.value.sources):
        if source.version not in families:
            only = " and ".join(family(version) for version in sorted(families))
            message = f"source {source} can never match: the forward is for {only}"
            yield Fault((*item.path, "from", index), message, "leave it out")


def _repeated_sources(router: RouterDraft) -> Iterator[Fault]:
    for item in router.forward:
        if len(item.value.sources) < 2:
            continue
        seen: dict[Network, int] = {}
        for index, source in enumerate(item.value.sources):
            first = seen.setdefault(source, index)
            if first != index:
                path = (*item.path, "from")
                yield Fault((*path, index), f"source {source} is given twice", also=(*path, first))


class _Behind:
    """Which addresses are behind the host; a lookup costs the same however many networks."""

    def __init__(self, host: HostDraft) -> None:
        networks: list[Network] = [item.value for item in host.networks]
        networks += [item.value.network for item in host.addresses]
        self._lasts: dict[int, list[int]] = {}
        self._firsts: dict[int, list[int]] = {}
        for version in (4, 6):
            ranges = merged(network for network in networks if network.version == version)
            self._firsts[version] = [first for first, _ in ranges]
            self._lasts[version] = [last for _, last in ranges]

    def __contains__(self, address: Address) -> bool:
        number, version = int(address), address.version
        index = bisect_right(self._firsts[version], number) - 1
        return index >= 0 and number <= self._lasts[version][index]


def _targets(router: RouterDraft, host: HostDraft) -> Iterator[Fault]:
    behind = _Behind(host)
    own = {item.value.ip: item for item in owned(router) if item.path[4:5] != ("addresses",)}
    known = host.networks.whole and host.addresses.whole
    for item in router.forward:
        target = item.value.target
        if target is None:
            continue
        path = (*item.path, "to")
        if target in own:
            message = f"target {target} is the router's own address"
            hint = "leave the target out to reach the host"
            yield Fault(path, message, hint, also=own[target].path)
        elif known and target not in behind:
            message = f"target {target} is not behind the host"
            hint = f'add its network to `networks` of the host, such as "{_around(target)}"'
            yield Fault(path, message, hint)


def _around(target: Address) -> str:
    if isinstance(target, IPv4Address):
        return f"{target}/32"
    return str(IPv6Network((target, 64), strict=False))


def _clashes(router: RouterDraft, common: frozenset[int]) -> Iterator[Fault]:
    """Two forwards that a packet could take."""
    hairpin = router.settings.get("hairpin", True)
    told: set[tuple[int, int]] = set()
    areas: dict[tuple[str, int], list[Area[At[Forward]]]] = {}
    for rank, item in enumerate(router.forward):
        forward = item.value
        versions = common if forward.target is None else {forward.target.version}
        for version in versions:
            for low, high in _senders(forward, version, hairpin):
                area = Area(forward.ports.first, forward.ports.last, low, high, rank, item)
                areas.setdefault((forward.protocol, version), []).append(area)
    for group in areas.values():
        for elder, younger in clashing(group):
            pair = id(elder.owner), id(younger.owner)
            if pair not in told:
                told.add(pair)
                inside = elder.high == _INSIDE or younger.high == _INSIDE
                yield _clash(elder.owner, younger.owner, inside)


def _senders(forward: Forward, version: int, hairpin: bool) -> Iterator[tuple[int, int]]:
    """Who may use the forward, as ranges of senders that do not overlap."""
    hairpin = hairpin and forward.hairpin
    if not forward.sources:
        yield (_INSIDE if hairpin else 0), _LAST_SENDER[version]
        return
    sources = [source for source in forward.sources if source.version == version]
    yield from merged(sources)
    if hairpin and sources:
        yield _INSIDE, _INSIDE


def _clash(elder: At[Forward], younger: At[Forward], inside: bool) -> Fault:
    first, second = elder.value, younger.value
    what = f"{second.ports}/{second.protocol}"
    label = quoted(first.name or f"{first.ports}/{first.protocol}")
    both = bool(first.sources and second.sources)
    if both and inside:
        message = f"{what} overlaps forward {label} for the host and what is behind it"
        hint = "write hairpin = false in one of them"
        return Fault(younger.path, message, hint, also=elder.path)
    repair = None if both else "a `from` in both of them can tell them apart"
    return Fault(younger.path, f"{what} overlaps forward {label}", repair, also=elder.path)
