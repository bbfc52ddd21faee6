"""How an observed state differs from a wanted one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs
from attrs import frozen

from nftnsr.state.model import HOST, Address, Item, Key, Link, Namespace, State, Sysctl


@frozen
class AddNamespace:
    namespace: str


@frozen
class RemoveNamespace:
    namespace: str


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


Difference: TypeAlias = AddNamespace | RemoveNamespace | Add | Remove | Change


def difference(wanted: State, observed: State) -> tuple[Difference, ...]:
    """All that must happen to make `observed` agree with `wanted`, grouped by namespace.

    The host comes first. What the kernel makes by itself, and what cannot be taken away (a
    sysctl), is no difference.
    """
    found: list[Difference] = []
    for name in sorted({HOST, *wanted.namespaces, *observed.namespaces}):
        if name not in wanted and name != HOST:
            found += (Remove(name, link) for link in _lodgers(observed[name]))
            found.append(RemoveNamespace(name))
            continue
        if name not in observed and name != HOST:
            found.append(AddNamespace(name))
        found += _items(name, wanted[name], observed[name])
    return tuple(found)


def changed_fields(old: Item, new: Item) -> dict[str, tuple[object, object]]:
    """The fields in which two items of one key differ: name -> (old, new)."""
    fields = [f.name for f in attrs.fields(type(new)) if f.eq]
    pairs = {name: (getattr(old, name), getattr(new, name)) for name in fields}
    # `None` says "as it is" for what the kernel always has a value of.
    free = isinstance(new, Link | Address)
    return {n: (a, b) for n, (a, b) in pairs.items() if a != b and not (free and b is None)}


def _items(name: str, wanted: Namespace, observed: Namespace) -> Iterator[Difference]:
    have: dict[Key, Item] = dict(observed.by_key)
    for key, item in have.items():
        if key not in wanted.by_key and not _of_the_kernel(item):
            yield Remove(name, item)
    for key, item in wanted.by_key.items():
        if key not in have:
            yield Add(name, item)
        elif changed_fields(have[key], item):
            yield Change(name, have[key], item)


def _of_the_kernel(item: Item) -> bool:
    """Link-local addresses come and go with their link, and a sysctl is always there."""
    if isinstance(item, Address):
        return item.interface.version == 6 and item.interface.is_link_local
    return isinstance(item, Sysctl)


def _lodgers(namespace: Namespace) -> list[Link]:
    """Links that must leave a namespace before it ends: the uplinks (our veths end with it)."""
    links = [i for i in namespace.items if isinstance(i, Link)]
    return [i for i in links if i.peer is None and i.name != "lo"]
