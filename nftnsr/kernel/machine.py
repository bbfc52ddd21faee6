"""The machine as nftnsr sees it: observe a state, perform one operation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import ParamSpec, TypeVar

from attrs import define, evolve, field

from nftnsr.kernel import conntrack, namespaces, sockets, sysctl
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.identity import (
    Identity,
    Place,
    kind,
    permanent,
    under_own_names,
    whereabouts,
)
from nftnsr.kernel.managers import Manager, managers
from nftnsr.kernel.messages import Message, link, lower
from nftnsr.kernel.performing import perform
from nftnsr.kernel.rooms import Furniture, Rooms
from nftnsr.kernel.rtnetlink import Rtnetlink, see_carrier
from nftnsr.kernel.scope import Scope
from nftnsr.kernel.survey import OF_THE_KERNEL, Survey
from nftnsr.state import operations as op
from nftnsr.state.flows import Connection
from nftnsr.state.model import (
    HOST,
    OURS,
    Address_,
    Link,
    Namespace,
    Neighbour,
    Route,
    State,
)
from nftnsr.state.operations import Operation
from nftnsr.state.ruleset import Counter
from nftnsr.state.words import HANDOVER, TABLE, is_ours_in_host

_IFF_LOWER_UP = 1 << 16
P = ParamSpec("P")
T = TypeVar("T")


@define
class Machine:
    """The kernel of this machine; the calling thread's namespace is the host's."""

    _rooms: Rooms = field(factory=Rooms)
    _learnt: dict[str, tuple[Neighbour, ...]] = field(factory=dict)
    """What a link knew of its neighbours before it moved: to ask anew takes a second, if the
    question is lost because the link has only just come up."""
    _ends: dict[Place, Place] = field(factory=dict)
    """The other ends of the veths that it made."""

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._rooms.close()

    # -- observing -------------------------------------------------------------------------

    def observe(self, scope: Scope) -> State:
        """What is there of all that `scope` names."""
        there = self._look(scope)
        messages = under_own_names((*scope.identities, *scope.made), there)
        peers = self._peers(messages, scope.links)
        found = {n: self._namespace(n, scope, messages[n], peers) for n in there}
        parents = {m["index"]: m.get("ifname") for m in there[HOST].values()}
        return State({n: _upon(n, found[n], scope, messages[n], parents) for n in there})

    def _peers(
        self, messages: Mapping[str, Mapping[str, Message]], places: Collection[Place]
    ) -> dict[Place, Place]:
        """(namespace, name) -> that of its veth peer, for the ends that both lie in `messages`.

        A veth tells its peer's index, and the number of its namespace: that is asked only where
        several ends have the same indices.
        """
        ends = {
            (space, name): (message["index"], message.get("link"))
            for space, links in messages.items()
            for name, message in links.items()
            if (space, name) in places and kind(message) == "veth"
        }
        peers = {}
        for one, (index, link_index) in ends.items():
            alike = [p for p, found in ends.items() if found == (link_index, index)]
            alike = [p for p in alike if p[0] != one[0]]
            if len(alike) > 1:
                number = messages[one[0]][one[1]].get("link_netnsid")
                alike = [p for p in alike if self._number(one[0], p[0]) == number]
            if alike:
                peers[one] = alike[0]
        return peers

    def _number(self, namespace: str, other: str) -> int | None:
        """The number by which links of a namespace name another one."""
        found: list[int | None] = []
        self._rooms.with_descriptor(
            other,
            lambda fd: found.append(self._rtnl(namespace, lambda r: r.namespace_number(fd))),
        )
        return found[0]

    def uplinks(self, scope: Scope) -> dict[str, Place]:
        """Where the uplinks of `scope` are, and what they are called there; some may be gone."""
        there = self._look(scope)
        places = {one.name: whereabouts(one, there) for one in scope.identities}
        return {name: place for name, place in places.items() if place is not None}

    def _look(self, scope: Scope) -> dict[str, dict[str, Message]]:
        """All links of the host and of the namespaces of `scope`, as the kernel calls them."""
        self._rooms.look_again()
        named = [n for n in sorted(scope.namespaces) if n in namespaces.names()]
        there = {name: self._rooms.run(name, _links) for name in (HOST, *named)}
        # Somebody else's namespace of a router's name is as good as none: never looked into.
        there = {n: m for n, m in there.items() if scope.shares(n) or self._is_routers(n, m, scope)}
        for one in scope.identities:
            for name in sorted(one.places - there.keys()):
                if whereabouts(one, there) is None and self._find(name, one, scope, there[HOST]):
                    there[name] = self._rooms.run(name, _links)
        return there

    def _is_routers(self, name: str, links: Mapping[str, Message], scope: Scope) -> bool:
        """Whether a namespace is that of a router: by its mark, or by what is in it.

        An empty one of the name, where a router lived before, is one that was deleted and made
        again, as by `ip netns add`: it is taken over.
        """
        if _is_ours(links) or scope.holds(name, links):
            return True
        return name in scope.remembered and self._is_empty(name, links)

    def _is_empty(self, name: str, links: Mapping[str, Message]) -> bool:
        named = links.keys() - {*OF_THE_KERNEL} or links["lo"].get("ifalias")
        return not named and not self._rooms.run(name, lambda f: f.nftables.tables())

    def _find(self, name: str, one: Identity, scope: Scope, host: Mapping[str, Message]) -> bool:
        """Whether the namespace with an uplink in it lives on without its name."""
        ours = (m for d, m in host.items() if (HOST, d, m.get("address")) in scope.macs)
        led_to = {m.get("link_netnsid") for m in ours} - {None}

        def is_it(number: int, links: Mapping[str, Message]) -> bool:
            # A container's router may look the same in everything: only ours is at the other end
            # of our veth, or holds the very piece of hardware.
            same = any(one.permanent and permanent(m) == one.permanent for m in links.values())
            return (same or number in led_to) and whereabouts(one, {name: links}) is not None

        return self._rooms.find(name, is_it)

    def is_ours(self, namespace: str) -> bool:
        """Whether a namespace of this name exists and bears nftnsr's mark."""
        return self._rooms.exists(namespace) and _is_ours(self._rooms.run(namespace, _links))

    def exists(self, namespace: str) -> bool:
        """Whether anybody made a namespace of this name."""
        return namespace in namespaces.names()

    def counters(self, namespace: str) -> tuple[Counter, ...]:
        """The counted elements of the router in a namespace."""
        return self._rooms.run(namespace, lambda f: f.nftables.counters(TABLE))

    def flows(self, namespace: str) -> dict[tuple[str, str, int], int]:
        """The flows of a router by family, protocol and public port that a forward translated."""
        found = self._rooms.run(namespace, lambda _: {v: conntrack.forwarded(v) for v in (4, 6)})
        return {(f"ipv{v}", *to): n for v, counted in found.items() for to, n in counted.items()}

    def tracked(self, namespace: str) -> tuple[int, int] | None:
        """How many flows connection tracking holds there, and how many it can."""
        paths = ("net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max")
        found = self._rooms.run(namespace, lambda _: tuple(sysctl.read(paths)))
        return (int(found[0].value), int(found[1].value)) if len(found) == 2 else None

    def carriers(self, namespace: str) -> frozenset[str]:
        """The links of a namespace that are up and have a carrier."""
        links = self._rooms.run(namespace, _links)
        return frozenset(d for d, m in links.items() if m["flags"] & _IFF_LOWER_UP)

    def connections(self) -> frozenset[Connection]:
        """The connected sockets of the host."""
        return self._rooms.run(HOST, lambda _: sockets.connections())

    def public_end(self, namespace: str, connection: Connection) -> tuple[Address_, int] | None:
        """What the far end of a connection of the host talks to, if a namespace translates it."""
        return self._rooms.run(namespace, lambda _: conntrack.public_end(connection))

    def identity(self, namespace: str) -> tuple[int, int]:
        """Number and cookie of a namespace, by which all that holds it can be told."""
        return self._rooms.inode(namespace), self._rooms.cookie(namespace)

    def strangers(self, namespace: str, known: Collection[str]) -> tuple[Link, ...]:
        """The links in a namespace other than `known` ones and those that the kernel puts there."""
        there = self._rooms.run(namespace, _links).items()
        own = {*known, *OF_THE_KERNEL}
        return tuple(link(m, name, None, None) for name, m in there if name not in own)

    def foreign_tables(self, namespace: str) -> tuple[str, ...]:
        """The nftables tables in a namespace that nftnsr did not make."""
        tables = self._rooms.run(namespace, lambda f: f.nftables.tables())
        return tuple(f"table {' '.join(t)}" for t in tables if t not in (TABLE, HANDOVER))

    def managers(self, dev: str) -> tuple[Manager, ...]:
        """Who else configures a link of the host."""
        message = self._rooms.run(HOST, _links).get(dev)
        return () if message is None else managers(dev, message["index"])

    def firewall(self) -> str:
        """The host's whole ruleset, as nft lists it, but for what nftnsr put there."""

        def text(furniture: Furniture) -> str:
            tables = furniture.nftables.tables()
            return furniture.nftables.text(t for t in tables if not is_ours_in_host(t))

        return self._rooms.run(HOST, text)

    def is_bridge(self, name: str) -> bool:
        """Whether a link of the host is a bridge."""
        return kind(self._rooms.run(HOST, _links).get(name)) == "bridge"

    def link_names(self, namespace: str = HOST) -> frozenset[str]:
        return frozenset(self._rooms.run(namespace, _links))

    def routes_in_the_way(
        self, namespace: str, wanted: Namespace, devs: Collection[str]
    ) -> tuple[Route, ...]:
        """The routes there in the places of wanted ones that lead over none of `devs`."""
        places = {i.place for i in wanted.items if isinstance(i, Route)}

        def read(furniture: Furniture) -> tuple[Route, ...]:
            names = {m["index"]: d for d, m in furniture.rtnetlink.links().items()}
            return tuple(furniture.rtnetlink.routes(names))

        there = self._rooms.run(namespace, read)
        return tuple(r for r in there if r.place in places and not r.devs & set(devs))

    def _namespace(
        self, name: str, scope: Scope, links: Mapping[str, Message], peers: Mapping[Place, Place]
    ) -> Namespace:
        survey = Survey(name, scope, links, peers)
        items = self._rooms.run(name, lambda f: tuple(survey.read(f)))
        strangers = self._rooms.run(name, lambda f: tuple(survey.strangers(f)))
        nameless = self._rooms.nameless(name)
        foreign = name in scope.foreign
        return Namespace((*survey.nouns(), *items), nameless, strangers, foreign)

    # -- performing ------------------------------------------------------------------------

    def perform(self, operation: Operation) -> None:
        """Do one operation, or raise a KernelError that says why the kernel refused it."""
        match operation:
            case op.CreateNamespace(name):
                namespaces.create(name, _furnish)
            case op.DeleteNamespace(name, uplinks):
                if inside := self.link_names(name) & set(uplinks):
                    raise KernelError(f"namespace {name} still holds {', '.join(sorted(inside))}")
                self._rooms.leave(name)
                namespaces.delete(name)
            case op.AttachNamespace(name, _):
                self._rooms.attach(name)
            case op.CreateVeth(name, link, other):
                assert link.peer is not None
                self._rooms.with_descriptor(
                    link.peer[0],
                    lambda fd: self._rtnl(name, lambda r: r.create_veth(link, other, fd)),
                )
                self._ends |= {(name, link.name): link.peer, link.peer: (name, link.name)}
            case op.CreateLower(name, link):
                self._rooms.with_descriptor(
                    name, lambda fd: self._rtnl(HOST, lambda r: r.create_lower(link, fd))
                )
            case op.MoveLink(name, source, target):
                self._learnt[name] = self._rtnl(source, lambda r: r.learnt(name))
                self._rooms.with_descriptor(
                    target, lambda fd: self._rtnl(source, lambda r: r.move_link(name, fd))
                )
            case op.SetUp(namespace, name, True):
                self._rtnl(namespace, lambda r: r.set_up(name, up=True))
                if learnt := self._learnt.pop(name, None):
                    self._rtnl(namespace, lambda r: r.relearn(learnt))
                if end := self._ends.get((namespace, name)):
                    # Its end had to wait for this one.
                    self._rooms.run(end[0], lambda _: see_carrier(end[1]))
            case op.WriteSysctls(name, settings):
                self._rooms.run(name, lambda _: sysctl.write(settings))
            case op.LoadRuleset(name, commands):
                self._rooms.run(name, lambda f: f.nftables.replace(commands))
            case op.ForgetFlows(name, flows, kept):
                self._rooms.run(name, lambda _: conntrack.forget(flows, kept))
            case _:
                self._rtnl(operation.namespace, lambda r: perform(r, operation))

    def _rtnl(self, name: str, function: Callable[[Rtnetlink], T]) -> T:
        return self._rooms.run(name, lambda furniture: function(furniture.rtnetlink))


def _furnish() -> None:
    rtnetlink = Rtnetlink()
    try:
        rtnetlink.set_link(Link("lo", alias=OURS))
        rtnetlink.set_up("lo", up=True)
    finally:
        rtnetlink.close()


def _links(furniture: Furniture) -> dict[str, Message]:
    return furniture.rtnetlink.links()


def _is_ours(links: Mapping[str, Message]) -> bool:
    return "lo" in links and links["lo"].get("ifalias") == OURS


def _upon(
    name: str, found: Namespace, scope: Scope, messages: dict[str, Message], parents: dict[int, str]
) -> Namespace:
    """`found` with what its links are made upon, for those that nftnsr makes so."""
    made = {dev for n, dev, kind_ in scope.lowers if n == name and kind(messages.get(dev)) == kind_}
    if not made:
        return found
    links = (i for i in found.items if isinstance(i, Link) and i.name in made)
    return found.plus(evolve(i, lower=lower(messages[i.name], parents)) for i in links)
