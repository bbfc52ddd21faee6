"""Translations of whole addresses: that their public ones are there, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network, summarize_address_range

from ..draft import At, RouterDraft
from ..model import Address, Helper, Interface, Network, SourceNat
from ..problems import Fault
from ..words import family, quoted
from .behind import Behind
from .overlaps import overlapping, stretches
from .uplink import is_far, owned

Place = At[object]


def faults(router: RouterDraft) -> Iterator[Fault]:
    if router.addresses.whole:
        yield from _nobody_answers(router)
        yield from _firsts(router)
        yield from _of_no_use(router)
    yield from _twice(router)
    yield from _helpers(router)
    yield from _shared(router)
    yield from _sources(router)
    yield from _prefixes(router)
    yield from _not_behind(router)


def _nobody_answers(router: RouterDraft) -> Iterator[Fault]:
    """On the uplink's own link somebody must have an address, for others to find it.

    One outside of all its prefixes is one that the provider routes to the router.
    """
    own = {item.value.ip for item in router.addresses}
    for place, first, last in publics(router):
        for item in router.addresses:
            net = item.value.network
            if net.version != first.version or last < net[0] or first > net[-1]:  # type: ignore[operator]
                continue
            low, high = max(int(first), int(net[0])), min(int(last), int(net[-1]))
            numbers = (n for n in range(low, high + 1) if ip_address(n) not in own)
            if (missing := next(numbers, None)) is not None:
                alone = ip_address(missing)
                message = f"nobody on the uplink's link answers for {alone}"
                hint = f'add "{alone}/{alone.max_prefixlen}" to `addresses`'
                yield Fault(place.path, message, hint)
                break


def publics(router: RouterDraft) -> Iterator[tuple[Place, Address, Address]]:
    for pair in router.one_to_one:
        yield pair, pair.value.public, pair.value.public
    for each in router.snat:
        yield each, each.value.first, each.value.last


def _firsts(router: RouterDraft) -> Iterator[Fault]:
    """An uplink's first address of a family is what all others inside leave by it with."""
    firsts: dict[Address, At[Interface]] = {}
    for uplink in router.uplinks:
        own = {item.value.version: item for item in reversed(uplink.addresses.items)}
        firsts |= {item.value.ip: item for item in own.values()}
    versions = {address.version for address in firsts}
    for pair in router.one_to_one:
        public = pair.value.public
        kind = family(public.version)
        if public.version not in versions:
            message = f"{pair.value.text} is of no use: the uplink has no {kind} address"
            yield Fault(pair.path, message, "add one to `addresses`")
        elif public in firsts:
            message = f"{public} is the uplink's first {kind} address"
            hint = "it is the router's own: take another one, or put another one first"
            yield Fault(pair.path, message, hint, also=firsts[public].path)
    for each in (*router.snat, *router.prefix_translation):
        version = _inner(each.value).version
        if version not in versions:
            message = f"it is of no use: the uplink has no {family(version)} address"
            yield Fault(each.path, message, "add one to `addresses`")


def _inner(value: object) -> Network:
    network = value.network if isinstance(value, SourceNat) else getattr(value, "inner", None)
    assert network is not None
    return network


def _twice(router: RouterDraft) -> Iterator[Fault]:
    for side in ("public", "inner"):
        seen: dict[Address, Place] = {}
        for pair in router.one_to_one:
            address: Address = getattr(pair.value, side)
            first = seen.setdefault(address, pair)
            if first is not pair:
                message = f"{address} has another side already"
                yield Fault(pair.path, message, also=first.path)
    known: dict[Network, Place] = {}
    for item in router.no_nat:
        first = known.setdefault(item.value, item)
        if first is not item:
            yield Fault(item.path, f"network {item.value} is given twice", also=first.path)


def _helpers(router: RouterDraft) -> Iterator[Fault]:
    seen: dict[str, At[Helper]] = {}
    for item in router.helpers:
        first = seen.setdefault(item.value, item)
        if first is not item:
            yield Fault(item.path, f"helper {quoted(item.value)} is given twice", also=first.path)


def _shared(router: RouterDraft) -> Iterator[Fault]:
    """What is one host's alone can neither be forwarded nor be others' source."""
    alone = {pair.value.public: pair for pair in router.one_to_one}
    for item in router.forward:
        for index, address in enumerate(item.value.addresses):
            if address in alone:
                message = f"address {address} is translated one to one"
                path = (*item.path, "address", index)
                yield Fault(
                    path, message, "every port of it is open already", also=alone[address].path
                )
    for each in router.snat:
        first, last = int(each.value.first), int(each.value.last)
        for address, pair in alone.items():
            if address.version == each.value.first.version and first <= int(address) <= last:
                message = f"address {address} is translated one to one"
                hint = "only its own host leaves with it"
                yield Fault(each.path, message, hint, also=pair.path)
    for each in router.snat:
        for pair in router.one_to_one:
            if each.value.network == ip_network(pair.value.inner):
                message = f"it is of no use: {pair.value.inner} leaves as {pair.value.public}"
                yield Fault(each.path, message, "leave one of them out", also=pair.path)


def _sources(router: RouterDraft) -> Iterator[Fault]:
    """No packet may have two networks that say how it leaves."""
    claims: list[tuple[Network, Place]] = [(n.value.network, n) for n in router.snat]
    claims += [(p.value.inner, p) for p in router.prefix_translation]
    for version in (4, 6):
        mine = [claim for claim in claims if claim[0].version == version]
        for elder, younger in overlapping(stretches(mine)):
            inner, other = _inner(younger.value), _inner(elder.value)
            message = f"network {inner} overlaps {other}: how would it leave?"
            yield Fault(younger.path, message, "name networks that do not overlap", also=elder.path)


def _prefixes(router: RouterDraft) -> Iterator[Fault]:
    pairs = router.prefix_translation.items
    for elder, younger in overlapping(stretches([(p.value.public, p) for p in pairs])):
        message = f"prefix {younger.value.public} overlaps {elder.value.public}"
        yield Fault(younger.path, message, also=elder.path)
    held = [(net, at) for net, at in _held(router) if net.version == 6 and not net.is_link_local]
    for pair in pairs:
        for network, item in held:
            if pair.value.public.overlaps(network):
                message = f"prefix {pair.value.public} holds {item.value}"
                hint = "it must be one that the provider routes to the router, with nobody in it"
                yield Fault(pair.path, message, hint, also=item.path)
                break
        for place, first, last in publics(router):
            if any(pair.value.public.overlaps(n) for n in summarize_address_range(first, last)):
                message = f"{_range(first, last)} is in prefix {pair.value.public}"
                hint = "that stands for others: name an address outside of it"
                yield Fault(place.path, message, hint, also=pair.path)


def _range(first: Address, last: Address) -> str:
    return f"{first}" if first == last else f"{first}-{last}"


def _held(router: RouterDraft) -> Iterator[tuple[Network, Place]]:
    """Where somebody is: on the links of the uplinks, and inside."""
    yield from ((item.value.network, item) for item in router.addresses)
    for link in router.links:
        ends = (*link.addresses, *link.router_addresses)
        yield from ((ip_network(item.value.ip), item) for item in ends)
        yield from ((item.value, item) for item in link.networks)


def _not_behind(router: RouterDraft) -> Iterator[Fault]:
    behind = Behind(router)
    if not behind.whole:
        return
    own = {item.value.ip: item for item in owned(router) if not is_far(item)}
    for pair in router.one_to_one:
        inner = pair.value.inner
        if inner in own:
            message = f"{inner} is the router's own address"
            yield Fault(pair.path, message, "name a host inside", also=own[inner].path)
        elif inner not in behind:
            message = f"{inner} is not behind {behind.whom}"
            yield Fault(pair.path, message, f"add its network to `networks` of {behind.of}")
    for place, first, last in publics(router):
        networks: tuple[Network, ...] = tuple(summarize_address_range(first, last))
        if any(behind.overlaps(network) for network in networks):
            message = f"{_range(first, last)} is behind {behind.whom}"
            hint = "name an address that is the router's outside"
            inside = (item for net, item in _held(router) if any(net.overlaps(n) for n in networks))
            first_there = next((i for i in inside if i.path[4:5] == ("networks",)), None)
            also = None if first_there is None else first_there.path
            yield Fault(place.path, message, hint, also=also)
    for each in (*router.snat, *router.prefix_translation):
        network = _inner(each.value)
        if not behind.overlaps(network):
            message = f"nothing of {network} is behind {behind.whom}"
            yield Fault(each.path, message, f"add it to `networks` of {behind.of}")


def _of_no_use(router: RouterDraft) -> Iterator[Fault]:
    masked = router.settings.get("masquerade", True)
    uplink = {item.value.version for item in router.addresses}
    sources = {_inner(e.value).version for e in (*router.snat, *router.prefix_translation)}
    sources |= {pair.value.public.version for pair in router.one_to_one}
    sources |= {4} if masked else set()
    for item in router.no_nat:
        if item.value.version not in sources & uplink:
            kind = family(item.value.version)
            message = f"network {item.value} is of no use: nothing is translated over {kind}"
            yield Fault(item.path, message, "leave it out")
    translated = sources or router.forward.items
    if router.helpers.items and not translated and not router.settings.get("forward_filter", True):
        message = "`helpers` is of no use: nothing is translated, and nothing is kept out"
        yield Fault((*router.path, "helpers"), message, "leave it out")
    ports = router.settings.get("source_ports", "preserve")
    if ports != "preserve" and not router.snat.items and not (masked and 4 in uplink):
        message = f"source_ports {quoted(ports)} is of no use: nothing is masqueraded"
        yield Fault((*router.path, "source_ports"), message, "leave it out")
