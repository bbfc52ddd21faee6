"""Routers that share a machine, be it in one file or in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..draft import At, RouterDraft
from ..model import Address, Interface
from ..problems import Fault
from ..words import quoted


def faults(routers: Sequence[RouterDraft]) -> Iterator[Fault]:
    yield from _parents(routers)
    if len(routers) < 2:
        return
    yield from _names(routers)
    yield from _uplinks(routers)
    yield from _addresses(routers)


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
