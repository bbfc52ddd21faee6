"""Routers that share a machine, be it in one file or in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network, summarize_address_range

from ..draft import At, RouterDraft
from ..model import Address, Interface, Network
from ..problems import Fault
from ..words import quoted
from .overlaps import overlapping, stretches
from .translations import publics


def faults(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    yield from _parents(routers)
    if len(routers) < 2:
        return
    yield from _names(routers)
    yield from _uplinks(routers)
    yield from _addresses(routers)
    yield from _translations(routers)


def _translations(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """An address that stands for somebody behind one router, and is another's, too."""
    claims: list[tuple[Network, tuple[RouterDraft, At[object]]]] = []
    for router in routers:
        for place, first, last in publics(router):
            claims += [(n, (router, place)) for n in summarize_address_range(first, last)]
        claims += [(p.value.public, (router, p)) for p in router.prefix_translation]
        claims += [(ip_network(i.value.ip), (router, i)) for i in router.addresses]
    for version in (4, 6):
        mine = [claim for claim in claims if claim[0].version == version]
        for (one, elder), (other, younger) in overlapping(stretches(mine)):
            plain = isinstance(elder.value, Interface) and isinstance(younger.value, Interface)
            if one is not other and not plain:  # _addresses has said it of plain ones
                message = f"it is an address of router {quoted(one.name)}, too"
                yield Fault(younger.path, message, "each goes to one router", also=elder.path)


def _names(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[str, RouterDraft] = {}
    for router in routers:
        first = seen.setdefault(router.name, router)
        if first is not router:
            message = "there is another router of this name"
            yield Fault(router.path, message, "give it another name", None, True, first.path)


def devs(router: RouterDraft) -> list[At[str]]:
    """The names of the uplinks that could be read."""
    return [uplink.dev for uplink in router.uplinks if uplink.dev is not None]


def _uplinks(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[str, tuple[RouterDraft, At[str]]] = {}
    for router, item in ((r, item) for r in routers for item in devs(r)):
        owner, first = seen.setdefault(item.value, (router, item))
        if owner is not router:
            message = f"uplink {quoted(item.value)} belongs to router {quoted(owner.name)} already"
            yield Fault(item.path, message, also=first.path)


def _parents(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    """What an uplink is made upon, or put into, must stay in the host."""
    uplinks = [uplink for router in routers for uplink in router.uplinks]
    moved = {u.dev.value: u.dev for u in uplinks if u.dev is not None and u.made is None}
    for uplink in uplinks:
        made = uplink.made
        for key in ("parent", "bridge"):
            name = None if made is None else getattr(made, key)
            if name in moved:
                message = f"{key} {quoted(name)} is an uplink, which leaves the host"
                yield Fault((*uplink.path, "uplink", key), message, also=moved[name].path)


def _addresses(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    seen: dict[Address, tuple[RouterDraft, At[Interface]]] = {}
    for router in routers:
        hosts = (i for link in router.links if link.far == "the host" for i in link.addresses)
        for item in (*router.addresses, *hosts):
            # What else there is lies in namespaces of its own.
            if item.value.ip.is_link_local:
                continue
            owner, first = seen.setdefault(item.value.ip, (router, item))
            if owner is not router:
                message = f"address {item.value.ip} belongs to router {quoted(owner.name)} already"
                yield Fault(item.path, message, also=first.path)
