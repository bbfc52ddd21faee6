"""Forwards: whom they reach, who may use them, and that no two want the same packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Network
from typing import Final

from attrs import evolve

from ..draft import At, RouterDraft
from ..model import Address, Forward, Network, Ports, Protocol, Target
from ..problems import Fault
from ..words import family, family_of, quoted
from .behind import Behind
from .overlaps import Area, clashing, merged
from .uplink import is_far, owned

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
    if router.addresses.whole:
        yield from _addresses(router)
    yield from _targets(router)
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


def targets(item: At[Forward]) -> Iterator[At[Target]]:
    """Each target with its place."""
    several = len(item.value.targets) > 1
    for index, target in enumerate(item.value.targets):
        yield At((*item.path, "to", index) if several else (*item.path, "to"), target)


def _unreachable(router: RouterDraft, common: frozenset[int]) -> Iterator[Fault]:
    """Forwards that no packet could ever take."""
    uplink = _families(router.addresses)
    told = False
    for item in router.forward:
        missing = [t for t in targets(item) if not _versions(t.value, uplink)]
        for place in missing:
            target = place.value.address
            assert target is not None
            message = f"target {target} is of no use: the uplink has no {family_of(target)} address"
            yield Fault(place.path, message, "add one to `addresses`")
        versions = _led_to(item.value, common)
        if not versions and not missing and not item.value.addresses and item.value.nat:
            # Said once: it is the router's addresses that are to be repaired.
            if not told:
                message = "it leads nowhere: the uplink and the host share no address family"
                hint = "give the host an address of a family that the uplink has"
                yield Fault(item.path, message, hint)
            told = True
        elif not missing and versions:
            yield from _useless_sources(item, versions)


def _versions(target: Target, common: frozenset[int]) -> frozenset[int]:
    """The families in which `target` can be reached; `common` are those of the host itself."""
    return common if target.address is None else common & {target.address.version}


def _led_to(forward: Forward, common: frozenset[int]) -> frozenset[int]:
    """The families in which `forward` exists, its sources aside."""
    found = frozenset(
        version
        for target in forward.targets
        for version in (common if target.address is None else (target.address.version,))
    )
    if not forward.nat:
        found &= {6}
    return found & {ip.version for ip in forward.addresses} if forward.addresses else found


def _addresses(router: RouterDraft) -> Iterator[Fault]:
    """A public address is one that somebody on the uplink's side can send packets to."""
    own = {item.value.ip: item for item in router.addresses}
    versions = _families(router.addresses)
    for item in router.forward:
        for index, address in enumerate(item.value.addresses):
            path = (*item.path, "address", index)
            if address not in own:
                message = f"address {address} is none of the uplink's"
                yield Fault(path, message, f'add it to `addresses`, such as "{_alone(address)}"')
            elif not _led_to(evolve(item.value, addresses=(address,)), versions):
                message = f"address {address} can never match: no target is {family_of(address)}"
                yield Fault(path, message, "leave it out")


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


def _targets(router: RouterDraft) -> Iterator[Fault]:
    behind = Behind(router)
    own = {item.value.ip: item for item in owned(router) if not is_far(item)}
    for place in (place for item in router.forward for place in targets(item)):
        target = place.value.address
        if target is None:
            continue
        if target in own:
            message = f"target {target} is the router's own address"
            hint = "leave the target out to reach the host"
            yield Fault(place.path, message, hint, also=own[target].path)
        elif behind.whole and target not in behind:
            message = f"target {target} is not behind {behind.whom}"
            hint = f'add its network to `networks` of {behind.of}, such as "{_around(target)}"'
            yield Fault(place.path, message, hint)


def _alone(address: Address) -> str:
    return f"{address}/{address.max_prefixlen}"


def _around(target: Address) -> str:
    if isinstance(target, IPv4Address):
        return f"{target}/32"
    return str(IPv6Network((target, 64), strict=False))


def _clashes(router: RouterDraft, common: frozenset[int]) -> Iterator[Fault]:
    """Two forwards that a packet could take."""
    hairpin = router.settings.get("hairpin", True)
    alone = {pair.value.public for pair in router.one_to_one}
    own = dict.fromkeys(item.value.ip for item in router.addresses)
    public = tuple(ip for ip in own if ip not in alone)
    told: set[tuple[int, int]] = set()
    areas: dict[tuple[Protocol, Address], list[Area[At[Forward]]]] = {}
    for rank, item in enumerate(router.forward):
        forward = item.value
        versions = _led_to(forward, common)
        senders = {version: tuple(_senders(forward, version, hairpin)) for version in versions}
        asked = _asked_for(router, forward) or public
        for address in asked:
            for ports in forward.ports if address.version in versions else ():
                for low, high in senders[address.version]:
                    area = Area(ports.first, ports.last, low, high, rank, item)
                    for protocol in forward.protocols:
                        areas.setdefault((protocol, address), []).append(area)
    for (protocol, address), group in areas.items():
        apart = "a `from`"
        if address in public and sum(ip.version == address.version for ip in public) > 1:
            apart = "an `address`, or a `from`,"
        for elder, younger in clashing(group):
            pair = id(elder.owner), id(younger.owner)
            if pair not in told:
                told.add(pair)
                yield _clash(elder, younger, protocol, apart)


def _asked_for(router: RouterDraft, forward: Forward) -> tuple[Address, ...]:
    """The addresses that it names for its clients, if it does."""
    if forward.nat:
        return forward.addresses
    hosts = [] if router.host is None else [i.value.ip for i in router.host.addresses]
    named = (hosts if t.address is None else [t.address] for t in forward.targets)
    return tuple(ip for group in named for ip in group)


def _senders(forward: Forward, version: int, hairpin: bool) -> Iterator[tuple[int, int]]:
    """Who may use the forward, as ranges of senders that do not overlap."""
    hairpin = hairpin and forward.hairpin and forward.nat
    if not forward.sources:
        yield (_INSIDE if hairpin else 0), _LAST_SENDER[version]
        return
    sources = [source for source in forward.sources if source.version == version]
    yield from merged(sources)
    if hairpin and sources:
        yield _INSIDE, _INSIDE


def _clash(one: Area[At[Forward]], other: Area[At[Forward]], protocol: str, apart: str) -> Fault:
    first, second = one.owner.value, other.owner.value
    what = f"{Ports(other.first, other.last)}/{protocol}"
    label = quoted(first.name or first.service)
    place, also = other.owner.path, one.owner.path
    inside = _INSIDE in (one.high, other.high)
    if first.sources and second.sources:
        if not inside:
            return Fault(place, f"{what} overlaps forward {label}", also=also)
        message = f"{what} overlaps forward {label} for the host and what is behind it"
        return Fault(place, message, "write hairpin = false in one of them", also=also)
    hint = f"{apart} in both of them can tell them apart"
    return Fault(place, f"{what} overlaps forward {label}", hint, also=also)
