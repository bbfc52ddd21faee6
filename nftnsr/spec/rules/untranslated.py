"""Forwards without NAT: that there is a server which anybody outside can ask for, and a need."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network
from typing import Final

from ..draft import At, RouterDraft
from ..model import Address, Forward
from ..problems import Fault
from ..words import quoted
from .forwards import targets

ULA: Final = IPv6Network("fc00::/7")


def faults(router: RouterDraft) -> Iterator[Fault]:
    for item in router.forward:
        if not item.value.nat:
            reachable = tuple(_unreachable(router, item))
            yield from reachable or _open_already(router, item)


def _unreachable(router: RouterDraft, item: At[Forward]) -> Iterator[Fault]:
    hint = "leave out nat = false"
    for place in targets(item):
        address = place.value.address
        if address is None:
            if reason := _host_unreachable(router):
                yield Fault(item.path, f"it leads nowhere: {reason}", hint)
        elif reason := _private(address):
            message = f"target {address} is {reason}: nobody outside can ask for it"
            yield Fault(place.path, message, hint)


def _host_unreachable(router: RouterDraft) -> str | None:
    if router.addresses.whole and all(i.version == 4 for i in router.addresses.values):
        return "the uplink has no IPv6 address"
    host = router.host
    if host is None or not host.addresses.whole:
        return None
    private = all(_private(i.ip) for i in host.addresses.values)
    return "the host has no IPv6 address that others can ask for" if private else None


def _private(address: Address) -> str | None:
    """Why an address leads nowhere from outside."""
    if address.version == 4:
        return "an IPv4 address"
    return "a unique local address" if address in ULA else None


def _open_already(router: RouterDraft, item: At[Forward]) -> Iterator[Fault]:
    settings = router.settings
    if not settings.get("forward_filter", True):
        message, also = "it is open already: there is no forward filter", "forward_filter"
        yield Fault(item.path, message, "leave it out", also=(*router.path, also))
        return
    own = () if router.host is None else tuple(i.ip for i in router.host.addresses.values)
    named = [t.address for t in item.value.targets]
    if settings.get("inbound_ipv6", "open") == "open" and all(a in (None, *own) for a in named):
        message = "it is open already: the host's own IPv6 addresses are"
        yield Fault(item.path, message, 'write inbound_ipv6 = "forwards", or leave it out')
    for other in router.forward:
        # Where IPv6 is closed, such a forward opens the host's own addresses as well.
        same = other.value.nat and other.value.to_host and not other.value.addresses
        anybody = same and not other.value.sources and all(a in (None, *own) for a in named)
        if anybody and _covers(other.value, item.value):
            message = f"it is open already, by forward {quoted(other.value.service)}"
            yield Fault(item.path, message, "leave it out", also=other.path)
    for network in router.filter.inbound:
        if any(a is not None and a in network.value for a in named):
            message = f"it is open already: all of {network.value} is"
            yield Fault(item.path, message, "leave one of them out", also=network.path)


def _covers(one: Forward, other: Forward) -> bool:
    """Whether all that `other` opens is open by `one`."""
    return set(other.protocols) <= set(one.protocols) and all(
        any(a.first <= b.first and b.last <= a.last for a in one.ports) for b in other.ports
    )
