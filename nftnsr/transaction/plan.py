"""Differences -> operations, in an order that fails closed and makes before it breaks.

    0  namespaces, their sysctls, the ruleset (it names interfaces, so it loads before they exist)
    1  the veth pair: made, addressed, up
    2  the short burst: the uplink moves, gets its addresses, comes up, gets its routes
    3  the routes of the host, and of namespaces that are somebody else's
    4  what is left over: links and namespaces that go

What a handover needs is there before the burst, and goes after it; connection tracking forgets
in the burst what it knew of the connections concerned, while there is nobody to remind it.
Within a stage: links, sysctls, addresses, up, neighbours, routes. The same order serves every
direction; undo and `down` are plans towards another state.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import assert_never

from attrs import evolve, field, frozen

from nftnsr.state import operations as op
from nftnsr.state.difference import (
    Add,
    AddNamespace,
    Change,
    Difference,
    NameNamespace,
    Remove,
    RemoveNamespace,
    changed_fields,
)
from nftnsr.state.model import (
    HOST,
    RULESET,
    Address,
    Item,
    Link,
    Neighbour,
    PolicyRule,
    Route,
    Rule_,
    State,
    Sysctl,
)
from nftnsr.state.operations import Operation
from nftnsr.state.ruleset import batch, table_of
from nftnsr.transaction.forgotten import abandoned, forgotten

_DEV = re.compile(r"^net/ipv[46]/(?:conf|neigh)/([^/]+)/")
_SETUP, _VETH, _BURST, _HOST, _REST = range(5)
(
    _UNMAKE, _MAKE, _SHAPE, _TUNE, _ADDRESS, _UP, _UNADDRESS, _NEIGHBOUR,
    _UNROUTE, _CONNECTED, _ROUTE, _END,
) = range(12)  # fmt: skip

_SHAPE_FIELDS = ("mac", "mtu", "queue_length", "alias", "arp", "multicast", "master")
# Of an address that stays, `ip address replace` changes these; the rest of it is what it is.
_CHANGED_IN_PLACE = {"metric", "nodad", "deprecated", "lasting", "learns"}

Ranked = tuple[int, int, Operation]


def plan(
    differences: Iterable[Difference], wanted: State, observed: State
) -> tuple[Operation, ...]:
    """The operations that `differences` (of `wanted` against `observed`) ask for, in order."""
    planner = _Planner(wanted, observed, tuple(differences))
    ranked = sorted(dict.fromkeys(planner.ranked()), key=lambda r: r[:2])
    return tuple(_joined(operation for _, _, operation in ranked))


@frozen
class _Planner:
    wanted: State
    observed: State
    differences: tuple[Difference, ...]
    moves: dict[tuple[str, str], str] = field(init=False)
    """(namespace, name) of an uplink that arrives -> the namespace it comes from."""
    missing: frozenset[tuple[str, str]] = field(init=False)
    """Uplinks that are wanted and found nowhere; nothing can be done on them."""

    @moves.default
    def _moves(self) -> dict[tuple[str, str], str]:
        homes = {dev: name for name, dev in _uplinks(self.differences, Remove)}
        arriving = _uplinks(self.differences, Add)
        return {(name, dev): homes[dev] for name, dev in arriving if dev in homes}

    @missing.default
    def _missing(self) -> frozenset[tuple[str, str]]:
        return frozenset(_uplinks(self.differences, Add)) - self.moves.keys()

    def ranked(self) -> Iterator[Ranked]:
        for each in _first_comes_last(self.differences):
            match each:
                case AddNamespace(name):
                    yield _SETUP, _MAKE, op.CreateNamespace(name)
                case RemoveNamespace(name):
                    lodgers = (d for n, d in _uplinks(self.differences, Remove) if n == name)
                    yield _REST, _END, op.DeleteNamespace(name, tuple(lodgers))
                case NameNamespace(name, path):
                    yield _SETUP, _UNMAKE, op.AttachNamespace(name, path)
                case Add(name, item):
                    yield from self._add(name, item)
                case Remove(name, item):
                    yield from self._remove(name, item)
                case Change(name, old, new):
                    yield from self._change(name, old, new)
                case _:
                    assert_never(each)
        yield from self._rulesets()

    def _add(self, name: str, item: Item) -> Iterator[Ranked]:
        stage = self._stage(name, item)
        if self.missing & {(name, dev) for dev in _devs(item)}:
            return
        match item:
            case Link():
                yield from self._add_link(name, item, stage)
            case Address():
                yield stage, _ADDRESS, op.AddAddress(name, item)
            case Route():
                yield stage, _rank(item), op.AddRoute(name, item)
            case PolicyRule():
                yield stage, _ROUTE, op.AddRule(name, item)
            case Neighbour():
                yield stage, _NEIGHBOUR, op.AddNeighbour(name, item)
            case Sysctl():
                yield stage, _TUNE, op.WriteSysctls(name, (item,))

    def _add_link(self, name: str, link: Link, stage: int) -> Iterator[Ranked]:
        if link.name == "lo":  # comes with its namespace
            return
        if link.peer is not None:
            yield stage, _MAKE, self._veth(name, link)
            yield from _altnames(name, link, None, stage)
            # The rest it was made with, or has because nobody took it away.
            link = _only(link, ("queue_length", "alias", "master"))
        elif link.lower is not None:
            yield stage, _MAKE, op.CreateLower(name, link)
            yield from _altnames(name, link, None, stage)
            link = _only(link, ("queue_length", "alias"))
        else:
            source = self.moves[name, link.name]
            yield stage, _MAKE, op.MoveLink(link.name, source, name)
            yield from _renames(name, link, link.name)
            # What a link is moves with it, and hardware is slow to take its own MAC once more.
            before = self.observed[source].link(link.name)
            yield from _altnames(name, link, before, stage)
            link = _only(link, changed_fields(before, link) if before else _SHAPE_FIELDS)
        yield from _set(name, link, stage)

    def _veth(self, name: str, link: Link) -> op.CreateVeth:
        """The pair, told from the router's end whichever end was found missing."""
        assert link.peer is not None
        other = self.wanted[link.peer[0]].link(link.peer[1])
        assert other is not None
        if self._is_shared(name):
            return op.CreateVeth(link.peer[0], other, link)
        return op.CreateVeth(name, link, other)

    def _remove(self, name: str, item: Item) -> Iterator[Ranked]:
        stage = self._stage(name, item)
        if isinstance(item, Link):
            yield from _renames(name, evolve(item, called=item.name), item.called)
        gone = {(source, dev) for (_, dev), source in self.moves.items()}
        if gone & {(name, dev) for dev in _devs(item)}:
            return  # goes with its link
        match item:
            case Link():
                if item.made:
                    yield _REST, _UNMAKE, op.DeleteLink(name, item.name)
            case Address():
                # A parked address serves until the uplink has moved.
                last = _HOST if item.dev == "lo" else stage
                yield last, _END, op.DeleteAddress(name, item)
            case Route():
                yield stage, _UNROUTE, op.DeleteRoute(name, item)
            case PolicyRule():
                yield stage, _UNROUTE, op.DeleteRule(name, item)
            case Neighbour():
                yield stage, _NEIGHBOUR, op.DeleteNeighbour(name, item)

    def _change(self, name: str, old: Item, new: Item) -> Iterator[Ranked]:
        stage = self._stage(name, new)
        match new:
            case Link():
                changes = changed_fields(old, new)
                # What is elsewhere stays there.
                if ("peer" in changes and new.peer is not None) or "lower" in changes:
                    yield stage, _UNMAKE, op.DeleteLink(name, new.name)
                    yield from self._add_link(name, new, stage)
                    return
                assert isinstance(old, Link)
                yield from _renames(name, new, old.called)
                yield from _altnames(name, new, old, stage)
                if "master" in changes and new.master is None:
                    yield stage, _UNMAKE, op.SetMaster(name, new.name, None)
                yield from _set(name, _only(new, changes.keys()), stage)
            case Address():
                assert isinstance(old, Address)
                if not changed_fields(old, new).keys() <= _CHANGED_IN_PLACE:
                    yield stage, _ADDRESS, op.DeleteAddress(name, old)
                yield stage, _ADDRESS, op.AddAddress(name, new)
            case Neighbour():
                assert isinstance(old, Neighbour)
                yield stage, _NEIGHBOUR, op.DeleteNeighbour(name, old)
                yield stage, _NEIGHBOUR, op.AddNeighbour(name, new)
            case Route():
                if new.destination.version == 6:
                    yield from self._remove(name, old)
                yield stage, _rank(new), op.AddRoute(name, new)
            case Sysctl():
                yield stage, _TUNE, op.WriteSysctls(name, (new,))

    def _rulesets(self) -> Iterator[Ranked]:
        changed = {
            d.namespace: None
            for d in self.differences
            if isinstance(d, Add | Remove | Change) and isinstance(_item(d), RULESET)
        }
        for name in changed:
            wanted, observed = self.wanted[name].ruleset, self.observed[name].ruleset
            # Tables that go serve until the uplink has moved.
            going = _tables_of(observed) - _tables_of(wanted)
            between = (*wanted, *(i for i in observed if table_of(i) in going))
            for rank, old, new in (
                ((_SETUP, _END), observed, between),
                ((_HOST, _END), between, wanted),
            ):
                if commands := batch(new, old):
                    yield *rank, op.LoadRuleset(name, commands)
        yield from self._flows()

    def _flows(self) -> Iterator[Ranked]:
        """Flows that the new ruleset would treat in another way, forgotten as soon as it holds.

        A flow that begins between the two follows the new rules anyway. The host's own rules hold
        with the move: an entry that is made again before it would be as the old one. And until the
        last route and rule hold, whoever sends has one made that would never be right.
        """
        fresh = {d.namespace for d in self.differences if isinstance(d, AddNamespace)}
        for name in dict.fromkeys(d.namespace for d in self.differences):
            forget = forgotten(name, self.differences, self.wanted, self.observed)
            if forget is not None and name not in fresh:
                ranks = ((_BURST, _MAKE), (_HOST, _END)) if name == HOST else ((_SETUP, _END),)
                yield from ((*rank, forget) for rank in ranks)
            left = abandoned(name, self.differences, self.observed)
            if left is not None and name in self.wanted:
                yield _BURST, _MAKE, left

    def _is_shared(self, name: str) -> bool:
        return name == HOST or self.wanted[name].foreign or self.observed[name].foreign

    def _stage(self, name: str, item: Item) -> int:
        if self._is_shared(name) and isinstance(item, Route | PolicyRule):
            return _HOST
        devs = _devs(item)
        if isinstance(item, Sysctl) and item.path.startswith("net/netfilter/"):
            return _VETH  # they come with connection tracking, which the ruleset asks for
        if not devs:
            return _SETUP
        return _BURST if any((name, dev) in self.moves for dev in devs) else _VETH


def _renames(namespace: str, wanted: Link, called: str) -> Iterator[Ranked]:
    """Give a link its own name first, since all else speaks of it by that, and another one last.

    Another is wanted only by an undo, where the link was found under it.
    """
    if called != wanted.name:
        yield _SETUP, _UNMAKE, op.RenameLink(namespace, called, wanted.name)
    if wanted.called != wanted.name:
        yield _REST, _END, op.RenameLink(namespace, wanted.name, wanted.called)


def _first_comes_last(differences: Iterable[Difference]) -> list[Difference]:
    """IPv6 addresses in reverse: the kernel puts each before those it has, and prefers it.

    Rules that go, too: the first ones keep what is inside from being sent out by the next.
    """
    turned = [d for d in differences if _is_turned(d)]
    return [d for d in differences if not _is_turned(d)] + turned[::-1]


def _is_turned(each: Difference) -> bool:
    match each:
        case Add(_, Address() as address):
            return address.interface.version == 6
        case Remove(_, PolicyRule()):
            return True
        case _:
            return False


def _rank(route: Route) -> int:
    """Routes to what is on a link come first: the gateways of the others are reached by them."""
    return _ROUTE if any(hop.via for hop in route.hops) else _CONNECTED


def _set(namespace: str, link: Link, stage: int) -> Iterator[Ranked]:
    """What a link is first, since its sysctls and addresses depend on it; up when it has them."""
    if (shape := op.SetLink(namespace, link)).says_anything:
        yield stage, _SHAPE, shape
    if link.master is not None:
        yield stage, _SHAPE, op.SetMaster(namespace, link.name, link.master[1])
    yield stage, _UP, op.SetUp(namespace, link.name, link.up)


def _altnames(namespace: str, wanted: Link, found: Link | None, stage: int) -> Iterator[Ranked]:
    """Those that a link has travel with it; one that goes may be another link's from now on."""
    if wanted.altnames is None:
        return
    want, have = frozenset(wanted.altnames), frozenset((found and found.altnames) or ())
    for name in sorted(have - want):
        yield stage, _MAKE, op.DeleteAltname(namespace, wanted.name, name)
    for name in sorted(want - have):
        yield stage, _SHAPE, op.AddAltname(namespace, wanted.name, name)


def _only(link: Link, fields: Collection[str]) -> Link:
    """`link` with nothing to set but `fields`, and its up state."""
    return Link(link.name, link.up, **{f: getattr(link, f) for f in _SHAPE_FIELDS if f in fields})


def _joined(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Neighbouring sysctls of one namespace as one operation: a link alone has 150."""
    held: op.WriteSysctls | None = None
    for each in operations:
        if held is not None:
            if isinstance(each, op.WriteSysctls) and each.namespace == held.namespace:
                held = op.WriteSysctls(held.namespace, (*held.settings, *each.settings))
                continue
            yield held
            held = None
        if isinstance(each, op.WriteSysctls):
            held = each
        else:
            yield each
    if held is not None:
        yield held


def _tables_of(ruleset: Iterable[Rule_]) -> frozenset[tuple[str, str]]:
    return frozenset(table_of(item) for item in ruleset)


def _item(each: Add | Remove | Change) -> Item:
    return each.new if isinstance(each, Change) else each.item


def _uplinks(
    differences: Iterable[Difference], kind: type[Add] | type[Remove]
) -> list[tuple[str, str]]:
    """(namespace, name) of the links that nftnsr did not make and that arrive, or leave."""
    links = [(d.namespace, d.item) for d in differences if isinstance(d, kind)]
    return [
        (name, link.name)
        for name, link in links
        if isinstance(link, Link) and not link.made and link.name != "lo"
    ]


def _devs(item: Item) -> frozenset[str]:
    match item:
        case Link():
            return frozenset({item.name})
        case Address() | Neighbour():
            return frozenset({item.dev})
        case Route():
            return item.devs
        case Sysctl(path, _):
            named = _DEV.match(path)
            return frozenset({named[1]} if named else ()) - {"all", "default"}
        case _:
            return frozenset()
