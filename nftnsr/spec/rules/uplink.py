"""The uplinks' side: addresses, gateways, interface names."""

from __future__ import annotations

from collections.abc import Iterator

from ..draft import At, RouterDraft, UplinkDraft
from ..model import Address, Interface
from ..problems import Fault
from ..words import family, quoted


def faults(router: RouterDraft) -> Iterator[Fault]:
    for uplink in router.uplinks:
        yield from _names(router, uplink)
    yield from _ends(router)
    for twin, first in duplicates(router):
        what = f"address {twin.value.ip} is given twice"
        yield Fault(twin.path, what, also=first.path)
    for uplink in router.uplinks:
        yield from _gateways(router, uplink)


def _names(router: RouterDraft, of: UplinkDraft) -> Iterator[Fault]:
    uplink = of.dev
    if uplink is None:
        return
    for link in router.links:
        if link.far == "the host" and _called(link.interface, uplink):
            assert link.interface is not None
            message = (
                f"the host's end of the veth pair has the uplink's name {quoted(uplink.value)}"
            )
            hint = f'call it "v{uplink.value}"' if len(uplink.value) < 15 else "choose another name"
            yield Fault(link.interface.path, message, hint, also=uplink.path)
        elif _called(link.peer, uplink):
            assert link.peer is not None
            message = (
                f"the router's end of the veth pair has the uplink's name {quoted(uplink.value)}"
            )
            yield Fault(link.peer.path, message, "choose another name", also=uplink.path)


def _called(end: At[str] | None, uplink: At[str]) -> bool:
    return end is not None and end.value == uplink.value


def _ends(router: RouterDraft) -> Iterator[Fault]:
    seen: dict[str, At[str]] = {}
    for end in (link.peer for link in router.links if link.peer is not None):
        first = seen.setdefault(end.value, end)
        if first is not end:
            message = f"the router has a link {quoted(end.value)} already"
            yield Fault(end.path, message, "write another router_interface", also=first.path)


def owned(router: RouterDraft) -> Iterator[At[Interface]]:
    """All addresses that the router gives to interfaces."""
    yield from router.addresses
    for link in router.links:
        yield from link.addresses
        yield from link.router_addresses


def is_far(item: At[object]) -> bool:
    """Whether one of the `owned` is at the far end of an inner link."""
    return item.path[3] in ("host", "inner") and item.path[-2] == "addresses"


def duplicates(router: RouterDraft) -> Iterator[tuple[At[Interface], At[Interface]]]:
    """Each address that is there already, with the place where it is."""
    seen: dict[Address, At[Interface]] = {}
    for item in owned(router):
        first = seen.setdefault(item.value.ip, item)
        if first is not item:
            yield item, first


def _gateways(router: RouterDraft, uplink: UplinkDraft) -> Iterator[Fault]:
    own = {item.value.ip: item for item in reversed(tuple(owned(router)))}
    seen: dict[int, At[Address]] = {}
    for gateway in uplink.gateways:
        address = gateway.value
        first = seen.setdefault(address.version, gateway)
        if first is not gateway:
            message = f"gateway {address} is a second {family(address.version)} default route"
            yield Fault(gateway.path, message, "keep one gateway of each family", also=first.path)
        elif address in own:
            mine = own[address]
            ends = (link.far for link in router.links if mine in link.addresses.items)
            message = f"gateway {address} is an address of {next(ends, 'the router')} itself"
            hint = "a gateway is the provider's router"
            yield Fault(gateway.path, message, hint, also=mine.path)
        elif uplink.addresses.whole and not _has_family(uplink, address.version):
            kind = family(address.version)
            message = f"gateway {address} is of no use: the uplink has no {kind} address"
            yield Fault(gateway.path, message, "add one to `addresses`")
        else:
            yield from _behind(router, uplink, gateway)


def _has_family(uplink: UplinkDraft, version: int) -> bool:
    return any(item.value.version == version for item in uplink.addresses)


def _behind(router: RouterDraft, uplink: UplinkDraft, gateway: At[Address]) -> Iterator[Fault]:
    """A gateway that the router's own routes would look for at an inner side."""
    address = gateway.value
    if any(address in item.value.network for item in uplink.addresses):
        return
    for link in router.links:
        for network in link.networks:
            if address in network.value:
                message = f"gateway {address} is in the network {network.value} behind {link.far}"
                yield Fault(gateway.path, message, also=network.path)
                return
