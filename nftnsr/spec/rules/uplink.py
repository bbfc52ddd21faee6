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
    for twin, first in duplicates(router):
        what = f"address {twin.value.ip} is given twice"
        yield Fault(twin.path, what, also=first.path)
    for uplink in router.uplinks:
        yield from _gateways(router, uplink)


def _names(router: RouterDraft, of: UplinkDraft) -> Iterator[Fault]:
    host, uplink = router.host, of.dev
    if host is None or uplink is None:
        return
    if host.interface is not None and host.interface.value == uplink.value:
        message = f"the host's end of the veth pair has the uplink's name {quoted(uplink.value)}"
        hint = f'call it "v{uplink.value}"' if len(uplink.value) < 15 else "choose another name"
        yield Fault(host.interface.path, message, hint, also=uplink.path)
    elif host.peer is not None and host.peer.value == uplink.value:
        message = f"the router's end of the veth pair has the uplink's name {quoted(uplink.value)}"
        yield Fault(host.peer.path, message, "choose another name", also=uplink.path)


def owned(router: RouterDraft) -> Iterator[At[Interface]]:
    """All addresses that the router and its host give to interfaces."""
    yield from router.addresses
    if router.host is not None:
        yield from router.host.addresses
        yield from router.host.router_addresses


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
            what = "the host" if mine.path[3] == "host" else "the router"
            if mine.path[4:5] == ("router_addresses",):
                what = "the router"
            message = f"gateway {address} is an address of {what} itself"
            hint = "a gateway is the provider's router"
            yield Fault(gateway.path, message, hint, also=mine.path)
        elif uplink.addresses.whole and not _has_family(uplink, address.version):
            kind = family(address.version)
            message = f"gateway {address} is of no use: the uplink has no {kind} address"
            yield Fault(gateway.path, message, "add one to `addresses`")
        else:
            yield from _behind_the_host(router, uplink, gateway)


def _has_family(uplink: UplinkDraft, version: int) -> bool:
    return any(item.value.version == version for item in uplink.addresses)


def _behind_the_host(
    router: RouterDraft, uplink: UplinkDraft, gateway: At[Address]
) -> Iterator[Fault]:
    """A gateway that the router's own routes would look for at the host's side."""
    if router.host is None:
        return
    address = gateway.value
    if any(address in item.value.network for item in uplink.addresses):
        return
    inside = (item for item in router.host.networks if address in item.value)
    for network in inside:
        message = f"gateway {address} is in the network {network.value} behind the host"
        yield Fault(gateway.path, message, also=network.path)
        return
