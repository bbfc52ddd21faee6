"""The machine as nftnsr sees it: observe a state, perform one operation."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import ParamSpec, TypeVar, assert_never

from attrs import define, field, frozen

from nftnsr.kernel import namespaces, nftables, sysctl
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables
from nftnsr.kernel.rtnetlink import Message, Rtnetlink, kept_by_kernel, link
from nftnsr.state import operations as op
from nftnsr.state.model import HOST, OURS, Item, Link, Namespace, Route, State, Sysctl, Table
from nftnsr.state.operations import Operation

P = ParamSpec("P")
T = TypeVar("T")


@frozen
class Scope:
    """What to look at: nothing else on the machine is read, compared or touched."""

    namespaces: frozenset[str]
    links: frozenset[str]
    uplinks: frozenset[str]
    """Links that nftnsr moves, whose own sysctls are lost by it: in the host all are read."""
    sysctls: frozenset[tuple[str, str]]
    tables: frozenset[tuple[str, str, str]]
    routes: frozenset[Route]
    """Routes that are looked for by themselves, over whatever link."""

    @classmethod
    def of(cls, *states: State) -> Scope:
        """All that any of `states` speaks of."""
        pairs = [(n, i) for s in states for n, space in s.namespaces.items() for i in space.items]
        links = [i for _, i in pairs if isinstance(i, Link)]
        return cls(
            namespaces=frozenset(n for s in states for n in s.namespaces) - {HOST},
            links=frozenset(i.name for i in links),
            uplinks=frozenset(i.name for i in links if i.peer is None) - {"lo"},
            sysctls=frozenset((n, i.path) for n, i in pairs if isinstance(i, Sysctl)),
            tables=frozenset((n, i.family, i.name) for n, i in pairs if isinstance(i, Table)),
            routes=frozenset(i for _, i in pairs if isinstance(i, Route)),
        )


@define
class Furniture:
    """The handles of one namespace, made and used in its room only."""

    rtnetlink: Rtnetlink = field(factory=Rtnetlink)
    nftables: Nftables = field(factory=Nftables)


@define
class Inhabited:
    room: Room
    furniture: Furniture

    def close(self) -> None:
        self.room.run(self.furniture.rtnetlink.close)
        self.room.close()


@define
class Machine:
    """The kernel of this machine; the calling thread's namespace is the host's."""

    _open: dict[str, Inhabited] = field(factory=dict)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for name in tuple(self._open):
            self._leave(name)

    # -- observing -------------------------------------------------------------------------

    def observe(self, scope: Scope) -> State:
        """What is there of all that `scope` names."""
        there = [HOST, *(n for n in sorted(scope.namespaces) if n in namespaces.names())]
        messages = {name: self._in(name, _links) for name in there}
        peers = _veth_peers(messages, scope.links)
        return State({n: self._namespace(n, scope, messages[n], peers) for n in there})

    def normal_form(self, wanted: State) -> State:
        """`wanted` in the words in which this kernel answers; its rulesets are proved to load."""
        return State({n: self._normal(space) for n, space in wanted.namespaces.items()})

    def is_ours(self, namespace: str) -> bool:
        """Whether a namespace of this name exists and bears nftnsr's mark."""
        if namespace not in namespaces.names():
            return False
        loopback = self._in(namespace, _links).get("lo")
        return loopback is not None and loopback.get("ifalias") == OURS

    def link_names(self, namespace: str = HOST) -> frozenset[str]:
        return frozenset(self._in(namespace, _links))

    def routes_in_the_way(self, wanted: Namespace, devs: Collection[str]) -> tuple[Route, ...]:
        """The host's routes in the places of wanted ones that lead over none of `devs`."""
        places = {i.place for i in wanted.items if isinstance(i, Route)}

        def read(furniture: Furniture) -> tuple[Route, ...]:
            names = {m["index"]: d for d, m in furniture.rtnetlink.links().items()}
            return tuple(furniture.rtnetlink.routes(names))

        there = self._in(HOST, read)
        return tuple(r for r in there if r.place in places and not r.devs & set(devs))

    def _normal(self, space: Namespace) -> Namespace:
        items = space.items
        if not sysctl.has_ipv6():
            # A kernel without IPv6 needs none of it switched off.
            items = tuple(i for i in items if not _speaks_of_ipv6(i))
        return Namespace(items).with_ruleset(nftables.normal_form(space.ruleset))

    def _namespace(
        self, name: str, scope: Scope, messages: dict[str, Message], peers: dict[Key2, Key2]
    ) -> Namespace:
        mine = {d: m for d, m in messages.items() if d in scope.links and (name, d) != (HOST, "lo")}
        found = [link(m, peers.get((name, d))) for d, m in mine.items()]
        devs = {m["index"]: d for d, m in mine.items() if d != "lo"}
        names = {m["index"]: d for d, m in messages.items()}
        whole = scope.uplinks & mine.keys() if name == HOST else frozenset()
        paths = sorted(path for n, path in scope.sysctls if n == name)
        tables = sorted((family, t) for n, family, t in scope.tables if n == name)

        def read(furniture: Furniture) -> Iterator[Item]:
            addresses = tuple(furniture.rtnetlink.addresses(devs))
            routes = furniture.rtnetlink.routes(names)
            ours = (r for r in routes if r.devs & mine.keys() or r in scope.routes)
            yield from (s for dev in sorted(whole) for s in sysctl.read_link(dev))
            yield from sysctl.read(paths)
            yield from furniture.nftables.read(tables) if tables else ()
            yield from addresses
            yield from (r for r in ours if not kept_by_kernel(r, addresses))
            yield from furniture.rtnetlink.neighbours(devs)

        return Namespace((*found, *self._in(name, lambda f: tuple(read(f)))))

    # -- performing ------------------------------------------------------------------------

    def perform(self, operation: Operation) -> None:
        """Do one operation, or raise a KernelError that says why the kernel refused it."""
        match operation:
            case op.CreateNamespace(name):
                namespaces.create(name, _furnish)
            case op.DeleteNamespace(name, uplinks):
                if inside := self.link_names(name) & set(uplinks):
                    raise KernelError(f"namespace {name} still holds {', '.join(sorted(inside))}")
                self._leave(name)
                namespaces.delete(name)
            case op.CreateVeth(name, link, other):
                assert link.peer is not None
                self._with_descriptor(
                    link.peer[0],
                    lambda fd: self._rtnl(name, lambda r: r.create_veth(link, other, fd)),
                )
            case op.MoveLink(name, source, target):
                self._with_descriptor(
                    target, lambda fd: self._rtnl(source, lambda r: r.move_link(name, fd))
                )
            case op.WriteSysctls(name, settings):
                self._in(name, lambda _: sysctl.write(settings))
            case op.LoadRuleset(name, commands):
                self._in(name, lambda f: f.nftables.run(commands))
            case _:
                self._rtnl(operation.namespace, lambda r: _perform(r, operation))

    def _with_descriptor(self, name: str, function: Callable[[int], None]) -> None:
        descriptor = self._inhabited(name).room.descriptor()
        try:
            function(descriptor)
        finally:
            os.close(descriptor)

    def _rtnl(self, name: str, function: Callable[[Rtnetlink], T]) -> T:
        return self._in(name, lambda furniture: function(furniture.rtnetlink))

    def _in(self, name: str, function: Callable[[Furniture], T]) -> T:
        inhabited = self._inhabited(name)
        return inhabited.room.run(function, inhabited.furniture)

    def _inhabited(self, name: str) -> Inhabited:
        if name not in self._open:
            room = Room.here() if name == HOST else Room.named(name)
            try:
                self._open[name] = Inhabited(room, room.run(Furniture))
            except BaseException:
                room.close()
                raise
        return self._open[name]

    def _leave(self, name: str) -> None:
        # An open room keeps its namespace, and the links in it, alive.
        if inhabited := self._open.pop(name, None):
            inhabited.close()


Key2 = tuple[str, str]
_RtnetlinkOperation = (
    op.DeleteLink | op.SetLink | op.AddAddress | op.DeleteAddress | op.AddRoute
    | op.DeleteRoute | op.AddNeighbour | op.DeleteNeighbour
)  # fmt: skip


def _perform(rtnetlink: Rtnetlink, operation: _RtnetlinkOperation) -> None:
    match operation:
        case op.DeleteLink(_, name):
            rtnetlink.delete_link(name)
        case op.SetLink(_, link):
            rtnetlink.set_link(link)
        case op.AddAddress(_, address):
            rtnetlink.add_address(address)
        case op.DeleteAddress(_, address):
            rtnetlink.delete_address(address)
        case op.AddRoute(_, route):
            rtnetlink.add_route(route)
        case op.DeleteRoute(_, route):
            rtnetlink.delete_route(route)
        case op.AddNeighbour(_, neighbour):
            rtnetlink.add_neighbour(neighbour)
        case op.DeleteNeighbour(_, neighbour):
            rtnetlink.delete_neighbour(neighbour)
        case _:
            assert_never(operation)


def _furnish() -> None:
    rtnetlink = Rtnetlink()
    try:
        rtnetlink.set_link(Link("lo", alias=OURS))
    finally:
        rtnetlink.close()


def _links(furniture: Furniture) -> dict[str, Message]:
    return furniture.rtnetlink.links()


def _veth_peers(messages: dict[str, dict[str, Message]], names: Iterable[str]) -> dict[Key2, Key2]:
    """(namespace, name) -> that of its veth peer, for the ends that both lie in `messages`.

    A veth tells its peer's index, not its namespace; two ends that name each other's index and
    lie in different namespaces are taken for a pair.
    """
    ends = {
        (space, name): (message["index"], message.get("link"))
        for space, links in messages.items()
        for name, message in links.items()
        if name in names and _kind(message) == "veth"
    }
    return {
        one: other
        for one, (index, link_index) in ends.items()
        for other, (other_index, other_link) in ends.items()
        if one[0] != other[0] and (index, link_index) == (other_link, other_index)
    }


def _kind(message: Message) -> str | None:
    info = message.get("linkinfo")
    return info.get_attr("IFLA_INFO_KIND") if info else None


def _speaks_of_ipv6(item: Item) -> bool:
    return isinstance(item, Sysctl) and item.path.startswith("net/ipv6/")
