"""The identity of a link, whatever it is called by now.

A NIC that returns from a deleted namespace may find its name taken and come back as `dev2`, and
anybody may rename a link. What stays is the address that its hardware was made with, or else its
MAC. A MAC alone is weak: a VLAN has that of its parent, a bridge that of a port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, frozen

from nftnsr.state.model import HOST, Link, State

Message = Any  # a link as pyroute2 gives it
Place = tuple[str, str]  # namespace, and the link's name in the kernel

_NOBODY = (None, "", "00:00:00:00:00:00")


@frozen
class Identity:
    """By what a link is known: its name, where it may be, and what does not change with either."""

    name: str
    places: frozenset[str]
    macs: frozenset[str] = frozenset()
    """The one it was found with, and the one that a spec gives it."""
    permanent: str | None = None
    kind: str | None = None

    def of(self, link: Link | None) -> Identity:
        """This identity with what `link` adds to it; what is known already stays."""
        if link is None or link.mac is None:
            return self
        kind, permanent = self.kind or link.kind, self.permanent or link.permanent
        return evolve(self, macs=self.macs | {link.mac}, permanent=permanent, kind=kind)


def identities(states: Iterable[State]) -> frozenset[Identity]:
    """One for each link that any of `states` speaks of and that nftnsr did not make."""
    known: dict[str, Identity] = {}
    for state in states:
        for space, namespace in state.namespaces.items():
            for link in namespace.items:
                if isinstance(link, Link) and not link.made and link.name != "lo":
                    one = known.get(link.name, Identity(link.name, frozenset({HOST})))
                    known[link.name] = evolve(one, places=one.places | {space}).of(link)
    return frozenset(known.values())


def whereabouts(one: Identity, there: Mapping[str, Mapping[str, Message]]) -> Place | None:
    """Where a link is, among the links of all namespaces; at most one link is it."""
    found = {
        (space, name): message
        for space in sorted(one.places & there.keys(), reverse=True)  # the host's comes last
        for name, message in there[space].items()
    }
    lasting = [p for p, m in found.items() if one.permanent and permanent(m) == one.permanent]
    if len(lasting) == 1:
        return lasting[0]
    named = [p for p in found if p[1] == one.name]
    if named:
        # Two of one name: that of the MAC, else the one that has been moved already.
        return next((p for p in named if found[p].get("address") in one.macs), named[0])
    alike = [p for p, m in found.items() if _has_mac(m, one) and kind(m) == one.kind]
    return alike[0] if len(alike) == 1 else None


def under_own_names(
    ones: Iterable[Identity], there: Mapping[str, Mapping[str, Message]]
) -> dict[str, dict[str, Message]]:
    """The links of all namespaces, with the names under which nftnsr knows them.

    Another link that has taken the name of one is left out: it is nobody's business here.
    """
    ones = tuple(ones)
    known = {space: dict(links) for space, links in there.items()}
    found = [(one.name, place) for one in ones if (place := whereabouts(one, there)) is not None]
    # A link that nftnsr shall rename is known by its old name, and alike to the one to be.
    named = {place for name, place in found if place[1] == name}
    found = [(name, place) for name, place in found if place[1] == name or place not in named]
    for one in ones:
        for space in one.places & known.keys():
            known[space].pop(one.name, None)
    for _, (space, called) in found:
        known[space].pop(called, None)
    for name, (space, called) in found:
        known[space][name] = there[space][called]
    return known


def kind(message: Message | None) -> str | None:
    """The kind of a virtual link; None of hardware, and of none."""
    info = message and message.get("linkinfo")
    return info.get_attr("IFLA_INFO_KIND") if info else None


def permanent(message: Message) -> str | None:
    """The address that a link's hardware was made with; virtual links have none."""
    address = message.get("perm_address")
    return None if address in _NOBODY else str(address)


def _has_mac(message: Message, one: Identity) -> bool:
    address = message.get("address")
    return address not in _NOBODY and address in one.macs
