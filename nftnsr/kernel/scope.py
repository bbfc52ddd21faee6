"""What is looked at: the part of a machine that concerns the routers of a command."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

from nftnsr.kernel.identity import Identity, Message, Place, identities, kind
from nftnsr.state.model import HOST, PARKED, Address, Link, PolicyRule, Route, State, Sysctl, Table


@frozen
class Scope:
    """What to look at: nothing else on the machine is read, compared or touched."""

    namespaces: frozenset[str]
    links: frozenset[tuple[str, str]]
    """(namespace, name) of the links, those that it makes where they are, uplinks everywhere."""
    macs: frozenset[tuple[str, str, str]]
    """(namespace, name, MAC) of the links that nftnsr makes, by which it knows its own."""
    lowers: frozenset[tuple[str, str, str]]
    """(namespace, name, kind) of the links that nftnsr makes upon one of the host."""
    uplinks: frozenset[str]
    """Links that nftnsr moves, whose own sysctls are lost by it: in the host all are read."""
    sysctls: frozenset[tuple[str, str]]
    tables: frozenset[tuple[str, str, str]]
    routes: frozenset[Route]
    """Routes that are looked for by themselves, over whatever link."""
    rules: frozenset[tuple[str, PolicyRule]]
    """(namespace, rule): rules lead over no link, so each is looked for by itself."""
    parked: frozenset[Address]
    """Addresses that are looked for by themselves, on the host's loopback."""
    identities: frozenset[Identity]
    """By what the uplinks are known, whatever they are called by now."""
    remembered: frozenset[str] = frozenset()
    """Namespaces in which routers lived before."""
    foreign: frozenset[str] = frozenset()
    """Those of `namespaces` that are somebody else's: there only what is nftnsr's is looked at."""

    @classmethod
    def of(cls, *states: State) -> Scope:
        """All that any of `states` speaks of."""
        pairs = [(n, i) for s in states for n, space in s.namespaces.items() for i in space.items]
        links = [(n, i) for n, i in pairs if isinstance(i, Link) and (n, i.name) != (HOST, "lo")]
        addresses = [i for _, i in pairs if isinstance(i, Address)]
        known = identities(states)
        moved = {(place, one.name) for one in known for place in one.places}
        return cls(
            namespaces=frozenset(n for s in states for n in s.namespaces) - {HOST},
            links=frozenset((n, i.name) for n, i in links) | moved,
            macs=frozenset((n, i.name, i.mac) for n, i in links if i.peer and i.mac),
            lowers=frozenset((n, i.name, i.lower.kind) for n, i in links if i.lower),
            uplinks=frozenset(one.name for one in known),
            sysctls=frozenset((n, i.path) for n, i in pairs if isinstance(i, Sysctl)),
            tables=frozenset((n, i.family, i.name) for n, i in pairs if isinstance(i, Table)),
            routes=frozenset(i for _, i in pairs if isinstance(i, Route)),
            rules=frozenset((n, i) for n, i in pairs if isinstance(i, PolicyRule)),
            parked=frozenset(i for i in addresses if i.label == PARKED),
            identities=known,
            foreign=frozenset(
                n for s in states for n, space in s.namespaces.items() if space.foreign
            ),
        )

    def shares(self, namespace: str) -> bool:
        """Whether a namespace is others', too: the host's, or somebody else's."""
        return namespace == HOST or namespace in self.foreign

    @property
    def made(self) -> frozenset[Identity]:
        """The links that nftnsr makes: somebody may have given one another name."""
        return frozenset(
            Identity(d, frozenset({n}), frozenset({mac}), kind="veth") for n, d, mac in self.macs
        )

    def holds(self, namespace: str, links: Mapping[str, Message]) -> bool:
        """Whether one of the `links` of a namespace is one that nftnsr made there."""
        made = {mac for n, _, mac in self.macs if n == namespace}
        return any(m.get("address") in made and kind(m) == "veth" for m in links.values())

    def knows(
        self, namespace: str, name: str, message: Message, peers: Mapping[Place, Place]
    ) -> bool:
        """Whether a link is one that nftnsr made, or moves, and not only one of that name."""
        place = (namespace, name)
        if place not in self.links:
            return False
        upon = [kind for n, d, kind in self.lowers if (n, d) == place]
        if kind(message) in upon:
            return True
        made = [mac for n, d, mac in self.macs if (n, d) == place]
        if upon and not made and name not in self.uplinks:
            return False
        # Our veth keeps its MAC even where somebody took its other end away.
        return not made or place in peers or message.get("address") in made

    def learning(self, found: State) -> Scope:
        """This scope with what `found` tells of the uplinks."""
        known = {link.name: link for link in found.links() if not link.made}
        return evolve(self, identities=frozenset(i.of(known.get(i.name)) for i in self.identities))
