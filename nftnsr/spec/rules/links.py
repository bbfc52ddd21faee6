"""What links and their addresses can be told to be: MTU, names, lifetimes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..draft import InnerDraft, RouterDraft, UplinkDraft
from ..problems import Fault, Path
from ..words import quoted

_OF_LINK: Final = re.compile(r"net/[^/]+/(?:conf|neigh)/([^/]+)/.*")
_IPV6_MTU: Final = 1280  # the least for IPv6 (RFC 8200, section 5): below, the kernel ends it


def faults(router: RouterDraft) -> Iterator[Fault]:
    for uplink in router.uplinks:
        yield from _options(uplink)
        yield from _mtu(uplink.path, uplink.settings)
        yield from _made(uplink)
    yield from _altnames(router)
    yield from _sysctls(router)
    for link in router.links:
        yield from _mtu(link.path, link.settings)
    yield from _macs(router)


def _macs(router: RouterDraft) -> Iterator[Fault]:
    seen: dict[str, UplinkDraft | InnerDraft] = {}
    sides: list[UplinkDraft | InnerDraft] = [*router.uplinks, *router.links]
    for side in sides:
        mac = side.settings.get("mac")
        if mac is not None and (first := seen.setdefault(mac, side)) is not side:
            whose = "the uplink's" if first in router.uplinks else "another inner link's"
            path, also = (*side.path, "mac"), (*first.path, "mac")
            yield Fault(path, f"MAC address {mac} is {whose}, too", also=also)


def _options(uplink: UplinkDraft) -> Iterator[Fault]:
    for item in uplink.address_options:
        options = item.value
        valid, preferred = options.valid_lifetime, options.preferred_lifetime
        if options.interface.version == 4 and not options.nodad:
            message = "duplicate address detection is a matter of IPv6"
            yield Fault((*item.path, "nodad"), message, "leave it out")
        if valid == 0:
            message = "an address with no lifetime would never be there"
            yield Fault((*item.path, "valid_lifetime"), message)
        elif valid is not None and preferred is None:
            message = "the address would be preferred for longer than it is there"
            hint = "write preferred_lifetime, too"
            yield Fault((*item.path, "valid_lifetime"), message, hint)
        elif valid is not None and preferred is not None and preferred > valid:
            message = "the address would be preferred for longer than it is there"
            also = (*item.path, "valid_lifetime")
            yield Fault((*item.path, "preferred_lifetime"), message, also=also)


def _made(uplink: UplinkDraft) -> Iterator[Fault]:
    made = uplink.made
    if made is None:
        return
    path = (*uplink.path, "uplink")
    if made.kind == "ipvlan" and "mac" in uplink.settings:
        message = "an ipvlan has the MAC address of its parent"
        yield Fault((*uplink.path, "mac"), message, "leave it out")
    if made.bridge == made.name:
        message = f"the other end of the veth would have the name of its bridge, {made.name}"
        yield Fault((*path, "name"), message, "choose another name")


def _altnames(router: RouterDraft) -> Iterator[Fault]:
    taken: dict[str, Path] = {}
    for uplink in router.uplinks:
        if uplink.dev is not None:
            taken[uplink.dev.value] = uplink.dev.path
    for link in router.links:
        if link.peer is not None:
            taken[link.peer.value] = link.peer.path
    for name in (name for uplink in router.uplinks for name in uplink.altnames):
        first = taken.setdefault(name.value, name.path)
        if first is not name.path:
            message = f"{quoted(name.value)} is the name of an interface of this router already"
            yield Fault(name.path, message, also=first)


def _sysctls(router: RouterDraft) -> Iterator[Fault]:
    links = [uplink.dev for uplink in router.uplinks]
    links += [link.peer for link in router.links]
    links += [] if router.links_whole else [None]
    known = {"all", "default", "lo", *(link.value for link in links if link is not None)}
    seen: dict[str, Path] = {}
    for item in router.sysctls:
        path = item.value.path
        first = seen.setdefault(path, item.path)
        if first is not item.path:
            name = ".".join(word.replace(".", "/") for word in path.split("/"))
            yield Fault(item.path, f"{name} is set twice", on_key=True, also=first)
        of_link = _OF_LINK.fullmatch(path)
        if of_link and of_link[1] not in known and None not in links:
            message = f"{quoted(of_link[1])} is no link of the router"
            hint = f"it has {', '.join(sorted(known))}"
            yield Fault(item.path, message, hint, on_key=True)


def _mtu(path: Path, settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Without IPv6 addresses, too: the settings that keep a link free of IPv6 go with it."""
    mtu = settings.get("mtu", _IPV6_MTU)
    if mtu < _IPV6_MTU:
        message = f"mtu {mtu} is too small for IPv6"
        yield Fault((*path, "mtu"), message, f"IPv6 needs {_IPV6_MTU} bytes (RFC 8200)")
