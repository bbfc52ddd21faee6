"""Which flows a change concerns: those whose translation its maps, or its addresses, decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as Set_

from nftnsr.state.difference import Add, Change, Difference, Remove
from nftnsr.state.flows import Flows, flows_of, translates
from nftnsr.state.model import (
    HOST,
    Address,
    Address_,
    Item,
    Link,
    Namespace,
    Network_,
    Route,
    Set,
    State,
)
from nftnsr.state.operations import ForgetFlows


def forgotten(
    name: str, differences: Iterable[Difference], wanted: State, observed: State
) -> ForgetFlows | None:
    """The flows of a namespace that must be decided anew; None where there are none.

    They are those of every element that comes, goes or changes; but one that the maps will then
    translate as it is translated already (its forward moved to another map, or it is with one of
    several servers that stays) may stay. Where the host is led another way, they are all that its
    tables translate, changed or not: what an undo finds half done may have misled those whose
    elements are as they should be. And they are those of what is behind no inner link any more:
    established, they would take the default route, with private addresses.
    """
    here = [d for d in differences if d.namespace == name]
    public = _public(observed[name], observed[HOST]) if name != HOST else ()
    flows: list[Flows] = []
    keys: set[str] = set()
    for item, gone, come in filter(None, map(_elements, here)):
        flows += (*flows_of(item, gone, public), *flows_of(item, come, public))
        keys |= {_key(element) for element in gone | come}
    kept = [
        each
        for item in (_maps(wanted[name]) if keys else ())
        for each in flows_of(item, [e for e in item.elements if _key(e) in keys], public)
    ]
    if name == HOST and any(map(_leads, here)):
        maps = (*_maps(wanted[HOST]), *_maps(observed[HOST]))
        flows += (f for each in maps for f in flows_of(each, each.elements))
    if lost := _lost(here, public):
        flows.append(Flows(lost))
    for network in _left(here, observed[name], observed[HOST]) if name != HOST else ():
        flows += (Flows(into=network), Flows(source=network))
    return ForgetFlows(name, tuple(dict.fromkeys(flows)), tuple(kept)) if flows else None


def abandoned(name: str, differences: Iterable[Difference], observed: State) -> ForgetFlows | None:
    """The flows with an address of an uplink that goes, to be forgotten once it has gone.

    What leaves with it would do so for as long as it lasts, though it may be somebody else's by
    then; what is masqueraded the kernel forgets by itself, but in its own time. What somebody
    inside sent to it while it was nobody's forward and still the router's own would go out next,
    and untranslated: that much has been decided for it.
    """
    here = [d for d in differences if d.namespace == name]
    lost = _lost(here, _public(observed[name], observed[HOST]) if name != HOST else ())
    return ForgetFlows(name, (Flows(lost), Flows(lost, answers=True))) if lost else None


def _lost(here: Iterable[Difference], public: Iterable[Address_]) -> tuple[Address_, ...]:
    """The public addresses that go."""
    here = tuple(here)
    lost = frozenset(public) & (_ips(here, Remove) - _ips(here, Add))
    return tuple(sorted(lost, key=lambda a: (a.version, a)))


def _leads(each: Difference) -> bool:
    """Whether packets go another way after it."""
    match each:
        case Add(_, item) | Remove(_, item) | Change(_, _, item):
            return isinstance(item, Link | Address | Route)
        case _:
            return False


def _elements(each: Difference) -> tuple[Set, frozenset[str], frozenset[str]] | None:
    """A translation map, and those of its elements that go and come, if `each` is about one."""
    match each:
        case Add(_, Set() as new) if translates(new):
            return new, frozenset(), new.elements
        case Remove(_, Set() as old) if translates(old):
            return old, old.elements, frozenset()
        case Change(_, Set() as old, Set() as new) if translates(new):
            return new, old.elements - new.elements, new.elements - old.elements
        case _:
            return None


def _maps(space: Namespace) -> Iterator[Set]:
    return (i for i in space.items if isinstance(i, Set) and translates(i))


def _key(element: str) -> str:
    return element.partition(" : ")[0]


def _is_uplink(link: Link, host: Namespace) -> bool:
    """Whether it is no end of an inner link: the other end of an uplink is in the host's bridge."""
    other = host.link(link.peer[1]) if link.peer is not None and link.peer[0] == HOST else None
    return link.peer is None or bool(other and other.master)


def _public(space: Namespace, host: Namespace) -> tuple[Address_, ...]:
    """The addresses of a router's uplink."""
    uplinks = {i.name for i in space.items if isinstance(i, Link) and _is_uplink(i, host)} - {"lo"}
    found = (i for i in space.items if isinstance(i, Address) and i.dev in uplinks)
    return tuple(dict.fromkeys(i.interface.ip for i in found))


def _left(
    differences: Collection[Difference], space: Namespace, host: Namespace
) -> Iterator[Network_]:
    """The networks that the inner links of a router lead to no longer."""
    links = (i for i in space.items if isinstance(i, Link) and i.name != "lo")
    inner = {link.name for link in links if not _is_uplink(link, host)}
    come = [n for d in differences if isinstance(d, Add) and (n := _reached(d.item, None))]
    for each in differences:
        network = _reached(each.item, inner) if isinstance(each, Remove) else None
        if network is not None and not any(map(network.overlaps, come)):
            yield network


def _reached(item: Item, devs: Set_[str] | None) -> Network_ | None:
    """What an address or a route leads to, over one of `devs` if these are named."""
    match item:
        case Route(destination) if destination.prefixlen and (devs is None or item.devs & devs):
            return destination
        case Address(dev, interface) if not interface.is_link_local:
            return interface.network if devs is None or dev in devs else None
        case _:
            return None


def _ips(differences: Iterable[Difference], kind: type[Add | Remove]) -> frozenset[Address_]:
    items = (d.item for d in differences if isinstance(d, kind))
    return frozenset(i.interface.ip for i in items if isinstance(i, Address))
