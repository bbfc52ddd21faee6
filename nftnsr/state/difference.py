"""How an observed state differs from a wanted one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs
from attrs import frozen

from nftnsr.state.model import (
    HOST,
    PARKED,
    RTPROT_NFTNSR,
    RULESET,
    Address,
    Item,
    Key,
    Link,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    State,
    Sysctl,
)


@frozen
class AddNamespace:
    namespace: str


@frozen
class RemoveNamespace:
    namespace: str


@frozen
class NameNamespace:
    """A namespace that is there, but has lost its name; something at `path` keeps it alive."""

    namespace: str
    path: str


@frozen
class Add:
    namespace: str
    item: Item


@frozen
class Remove:
    namespace: str
    item: Item


@frozen
class Change:
    """An item of the same key that is there, but not as wanted."""

    namespace: str
    old: Item
    new: Item


Difference: TypeAlias = AddNamespace | RemoveNamespace | NameNamespace | Add | Remove | Change


_NOTHING = State({})


def difference(wanted: State, observed: State, ours: State = _NOTHING) -> tuple[Difference, ...]:
    """All that must happen to make `observed` agree with `wanted`, grouped by namespace.

    The host comes first. Only what nftnsr made is ever to be removed: what `ours` holds, what
    bears a mark of ours (a route's protocol, an address's label, a veth's peer, our table), and
    what goes with a link that goes. Whatever else somebody, or the kernel, put beside it is no
    difference.
    """
    found: list[Difference] = []
    for name in sorted({HOST, *wanted.namespaces, *observed.namespaces}):
        # The host's, and somebody else's, is neither made nor ended, whatever is wanted of it.
        own = name != HOST and not (wanted[name].foreign or observed[name].foreign)
        if own and name not in wanted:
            found += (Remove(name, link) for link in _lodgers(observed[name]))
            # Others end with their namespace, in the kernel's own time: one upon the host's
            # interface holds its MAC until then.
            found += (Remove(name, link) for link in _upon_the_host(observed[name]))
            found.append(RemoveNamespace(name))
            continue
        if own and name not in observed:
            found.append(AddNamespace(name))
        # A name that was given back does no harm: nothing ever wants to take it away again.
        if (path := observed[name].nameless) is not None and wanted[name].nameless is None:
            found.append(NameNamespace(name, path))
        is_there = name in observed
        found += _items(name, wanted[name], observed[name], ours[name], is_there=is_there)
    return tuple(found)


def changed_fields(old: Item, new: Item) -> dict[str, tuple[object, object]]:
    """The fields in which two items of one key differ: name -> (old, new)."""
    fields = [f.name for f in attrs.fields(type(new)) if f.eq]
    pairs = {name: (getattr(old, name), getattr(new, name)) for name in fields}
    return {n: (a, b) for n, (a, b) in pairs.items() if a != b and not _is_free(new, n, b)}


def _is_free(item: Item, field: str, value: object) -> bool:
    """Whether a wanted item says nothing about a field."""
    match item, field:
        case (Link(), "peer" | "master") | (Address(), "peer"):
            return False  # None says that there shall be none
        case Address(), "missing":
            return value != ()  # an undo gives a broken address back, and does not break it
        case Address(), "nodad":
            return not value  # it is of no effect on an address that is there
        case ((Link() | Address()), _):
            return value is None
        case _:
            return False


def _items(
    name: str, wanted: Namespace, observed: Namespace, ours: Namespace, *, is_there: bool
) -> Iterator[Difference]:
    """A namespace that is not there yet has the kernel's rules as soon as it is."""
    have: dict[Key, Item] = dict(observed.by_key)
    gone = {key: item for key, item in have.items() if key not in wanted.by_key}
    altered: dict[Key, Item] = {}
    for key, item in wanted.by_key.items():
        made = key not in have and (key in ours.by_key or _bears_our_mark(item))
        if made and (old := next((i for i in gone.values() if _was(i, item)), None)):
            altered[key] = gone.pop(old.key)
    leaving = {item.name for item in gone.values() if isinstance(item, Link)}
    for key, item in gone.items():
        may_go = key in ours.by_key or _bears_our_mark(item) or _devs(item) & leaving
        if may_go and not _lasts(item):
            yield Remove(name, item)
    for key, item in wanted.by_key.items():
        if (old := have.get(key, altered.get(key))) is None:
            if is_there or not (isinstance(item, PolicyRule) and item.by_kernel):
                yield Add(name, item)
        elif changed_fields(old, item):
            yield Change(name, old, item)


def _lasts(item: Item) -> bool:
    """Whether it is never taken away: a setting cannot be, a rule of the kernel's must not be."""
    return isinstance(item, Sysctl) or (isinstance(item, PolicyRule) and item.by_kernel)


def _was(found: Item, ours: Item) -> bool:
    """Whether something of another key is what became of an item of ours in somebody's hands."""
    match found, ours:
        case Address(), Address():
            # IPv4: with another prefix length, or a peer.
            return (found.dev, found.interface.ip) == (ours.dev, ours.interface.ip)
        case Route(), Route() if found.destination == ours.destination:
            if found.place == ours.place:
                # In its place, or one path more beside it; its own successor takes no part.
                theirs = found.protocol != RTPROT_NFTNSR
                return theirs or (len(found.hops) > 1 and set(ours.hops) <= set(found.hops))
            return found.hops == ours.hops  # with another metric, or in another table
        case _:
            return False


def _bears_our_mark(item: Item) -> bool:
    match item:
        case Link():
            return True  # a veth of ours, or an uplink, which is never removed but moved
        case Route() | PolicyRule():
            return item.protocol == RTPROT_NFTNSR
        case Address():
            return item.label == PARKED
        case _:
            return isinstance(item, RULESET)


def _devs(item: Item) -> frozenset[str]:
    match item:
        case Address() | Neighbour():
            return frozenset({item.dev})
        case Route():
            return item.devs
        case _:
            return frozenset()


def _lodgers(namespace: Namespace) -> list[Link]:
    """Links that must leave a namespace before it ends: the uplinks (our veths end with it)."""
    links = [i for i in namespace.items if isinstance(i, Link)]
    return [i for i in links if not i.made and i.name != "lo"]


def _upon_the_host(namespace: Namespace) -> list[Link]:
    return [i for i in namespace.items if isinstance(i, Link) and i.lower is not None]
