"""What is in the namespace of a router, and neither nftnsr nor the kernel put there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from nftnsr.state.difference import Change, Remove, difference
from nftnsr.state.model import HOST, RULESET, Address, Item, Link, Route, State, Sysctl

_NOTHING = State({})


@frozen
class Unmanaged:
    """A thing that is not nftnsr's; `before` is the route of ours whose packets it takes."""

    namespace: str
    item: Item
    before: Route | None = None


def unmanaged(wanted: State, observed: State, ours: State = _NOTHING) -> tuple[Unmanaged, ...]:
    """All that is foreign in the namespaces of `wanted`, but for what the difference speaks of."""
    told = {
        (d.namespace, (d.old if isinstance(d, Change) else d.item).key)
        for d in difference(wanted, observed, ours)
        if isinstance(d, Change | Remove)
    }
    return tuple(
        Unmanaged(name, item, _before(item, wanted[name].items))
        for name in sorted(wanted.namespaces.keys() & observed.namespaces.keys() - {HOST})
        if not wanted[name].foreign
        for item in (*_foreign(wanted, observed, name), *observed[name].strangers)
        if (name, item.key) not in told
    )


def _foreign(wanted: State, observed: State, name: str) -> Iterator[Item]:
    for item in observed[name].items:
        by_kernel = isinstance(item, Address) and (
            item.by_kernel or _is_made_of_the_mac(item, observed[name].link(item.dev))
        )
        ruled = isinstance(item, (Sysctl, *RULESET))  # wanted, or told by the difference
        if not (by_kernel or ruled or item.key in wanted[name].by_key):
            yield item


def _is_made_of_the_mac(address: Address, link: Link | None) -> bool:
    """Whether it is the link-local one that the kernel gives a link (RFC 4291, appendix A).

    One that an undo put back bears the kernel's mark no more.
    """
    if link is None or link.mac is None or not address.interface.is_link_local:
        return False
    mac = bytes.fromhex(link.mac.replace(":", ""))
    identifier = bytes((mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]))
    return address.interface.ip.packed[8:] == identifier


def _before(item: Item, ours: tuple[Item, ...]) -> Route | None:
    """The most particular route of ours that leads where a foreign one does, and yields to it."""
    if not isinstance(item, Route):
        return None
    yielding = [
        r for r in ours if isinstance(r, Route) and r.table == item.table and _goes(item, r)
    ]
    return max(yielding, key=lambda r: r.destination.prefixlen, default=None)


def _goes(foreign: Route, ours: Route) -> bool:
    """Whether packets that `ours` is for take `foreign`."""
    near, far = foreign.destination, ours.destination
    if near.version != far.version or near.prefixlen < far.prefixlen:
        return False
    inside = near.network_address in far
    return inside and (near != far or (foreign.metric, -foreign.tos) < (ours.metric, -ours.tos))


def foreign_items(found: Iterable[Unmanaged], observed: State) -> Iterator[tuple[str, Item]]:
    """Those that can be taken away, and put back by an undo: no links, no tables."""
    for each in found:
        if each.item not in observed[each.namespace].strangers:
            yield each.namespace, each.item
