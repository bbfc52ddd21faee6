"""Laws of difference and plan for random routers, on a fake kernel that behaves like the real one.

The fake knows what the real one does unasked: a link that moves or goes takes its addresses,
routes and neighbours along, a veth goes with its peer, a namespace with its veths.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network
from random import Random
from typing import assert_never
from zlib import crc32

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from nftnsr.compile import compile_router, compile_spec
from nftnsr.spec.model import Router, Spec
from nftnsr.state import operations as op
from nftnsr.state.difference import difference
from nftnsr.state.model import (
    HOST,
    OURS,
    RULESET,
    Address,
    Hop,
    Item,
    Key,
    Link,
    Namespace,
    Neighbour,
    Route,
    State,
    Sysctl,
    Table,
)
from nftnsr.state.operations import Operation
from nftnsr.transaction.plan import plan
from tests.strategies import FURTHER, routers

UPLINKS = ("ens3", "eth0.100", "ens4", "ens5")
NOTHING = State({})


class Refused(AssertionError):
    """What the kernel would answer with an error."""


class Fake:
    """A kernel that is a dictionary: namespace -> key -> item."""

    def __init__(self, state: State) -> None:
        self.spaces = {n: dict(space.by_key) for n, space in state.namespaces.items()}
        self.nameless = {n: space.nameless for n, space in state.namespaces.items()}
        self.foreign = {n for n, space in state.namespaces.items() if space.foreign}

    @property
    def state(self) -> State:
        spaces = self.spaces.items()
        return State({
            n: Namespace(tuple(items.values()), self.nameless.get(n), foreign=n in self.foreign)
            for n, items in spaces
        })  # fmt: skip

    def perform(self, operation: Operation, wanted: State) -> None:
        if not isinstance(operation, op.AttachNamespace | op.MoveLink):
            _need(self.nameless.get(operation.namespace) is None, operation)
        match operation:
            case op.CreateNamespace(name):
                _need(name not in self.spaces, operation)
                self.spaces[name] = {}
                self.put(name, Link("lo", alias=OURS))
            case op.DeleteNamespace(name, uplinks):
                _need(name not in self.foreign, operation)
                _need(not any(("link", u) in self.spaces[name] for u in uplinks), operation)
                for link in self.links(name):
                    self.drop_link(name, link.name)
                del self.spaces[name]
            case op.CreateVeth(name, link, other):
                assert link.peer is not None
                for space, end, far in (
                    (name, link, link.peer),
                    (link.peer[0], other, (name, link.name)),
                ):
                    _need(("link", end.name) not in self.spaces[space], operation)
                    made = Link(end.name, False, far, end.mac, end.mtu or 1500, 1000, "")
                    self.put(space, evolve(made, arp=True, multicast=True))
            case op.DeleteLink(name, dev):
                self.drop_link(name, dev)
            case op.MoveLink(dev, source, target):
                link = self.link(source, dev, operation)
                _need(("link", dev) not in self.spaces[target], operation)
                self.forget(source, dev)
                self.put(target, evolve(link, up=False))
            case op.SetLink(name, link):
                _need(operation.says_anything, operation)
                old = self.link(name, link.name, operation)
                given = ("mac", "mtu", "queue_length", "alias", "arp", "multicast")
                new = {f: getattr(link, f) for f in given if getattr(link, f) is not None}
                self.put(name, evolve(old, **new))
            case op.SetMaster(name, dev, master):
                above = None if master is None else ("bridge", master)
                self.put(name, evolve(self.link(name, dev, operation), master=above))
            case op.SetUp(name, dev, up):
                self.put(name, evolve(self.link(name, dev, operation), up=up))
            case op.RenameLink(name, called, new_name):
                (old,) = (i for i in self.links(name) if i.called == called)
                _need(new_name not in {i.called for i in self.links(name)}, operation)
                self.put(name, evolve(old, called=new_name))
            case op.AttachNamespace(name, path):
                _need(self.nameless[name] == path, operation)
                self.nameless[name] = None
            case op.AddAddress(name, address):
                self.link(name, address.dev, operation)
                _need(address.key not in self.spaces[name], operation)
                self.put(name, address)
            case op.AddRoute(name, route):
                for hop in route.hops:
                    assert hop.dev is not None
                    _need(self.link(name, hop.dev, operation).up, operation)
                    _need(self.reaches(name, route, hop.via is None or hop.onlink), operation)
                _need(
                    route.destination.version == 4 or route.key not in self.spaces[name], operation
                )
                self.put(name, route)
            case op.AddRule(name, rule):
                self.put(name, rule)
            case op.DeleteRule(name, rule):
                self.spaces[name].pop(rule.key, None)
            case op.AddNeighbour(name, neighbour):
                self.link(name, neighbour.dev, operation)
                self.put(name, neighbour)
            case op.DeleteAddress(name, address):
                self.spaces[name].pop(address.key, None)
            case op.DeleteRoute(name, route):
                self.spaces[name].pop(route.key, None)
            case op.DeleteNeighbour(name, neighbour):
                self.spaces[name].pop(neighbour.key, None)
            case op.AddRule(name, rule):
                _need(rule.key not in self.spaces[name], operation)
                self.put(name, rule)
            case op.DeleteRule(name, rule):
                _need(rule.key in self.spaces[name], operation)
                del self.spaces[name][rule.key]
            case op.WriteSysctls(name, written):
                for setting in written:
                    self.put(name, setting)
            case op.LoadRuleset(name, _):  # tests/kernel/test_batches.py says that this is true
                space = Namespace(tuple(self.spaces[name].values()))
                self.spaces[name] = dict(space.with_ruleset(wanted[name].ruleset).by_key)
            case op.ForgetFlows():
                pass
            case _:
                assert_never(operation)

    def put(self, name: str, item: Item) -> None:
        _need(name in self.spaces, item)
        self.spaces[name][item.key] = item

    def link(self, name: str, dev: str, operation: object) -> Link:
        found = self.spaces[name].get(("link", dev))
        _need(isinstance(found, Link) and found.called == dev, operation)
        assert isinstance(found, Link)
        return found

    def links(self, name: str) -> list[Link]:
        return [i for i in self.spaces[name].values() if isinstance(i, Link)]

    def reaches(self, name: str, route: Route, free: bool) -> bool:
        """Whether a gateway lies in a prefix of its link, as the kernel demands."""
        via = route.hops[0].via
        if free or via is None or via.is_link_local:
            return True
        return any(
            isinstance(i, Address) and i.dev == route.hops[0].dev and via in i.interface.network
            for i in self.spaces[name].values()
        )

    def drop_link(self, name: str, dev: str) -> None:
        link = self.spaces[name].get(("link", dev))
        self.forget(name, dev)
        if isinstance(link, Link) and link.peer is not None:
            self.forget(*link.peer)

    def forget(self, name: str, dev: str) -> None:
        """Drop a link with all that is on it."""
        if name in self.spaces:
            kept = {k: i for k, i in self.spaces[name].items() if not _on(i, dev)}
            self.spaces[name] = kept


def _need(truth: bool, what: object) -> None:
    if not truth:
        raise Refused(what)


def _on(item: Item, dev: str) -> bool:
    match item:
        case Link():
            return item.name == dev
        case Address() | Neighbour():
            return item.dev == dev
        case Route():
            return dev in item.devs
        case Sysctl():
            return f"/{dev}/" in item.path
        case _:
            return False


def bare() -> State:
    foreign = {link.namespace: Namespace(foreign=True) for link in FURTHER if link.namespace}
    return State({HOST: Namespace(tuple(Link(u, mtu=1500) for u in UPLINKS)), **foreign})


def wanted_by(*some: Router) -> State:
    """The compiled state, with the uplinks that no router uses in the host."""
    state = compile_spec(Spec(some))
    left = tuple(Link(u) for u in UPLINKS if u not in {u.dev for r in some for u in r.uplinks})
    return State({**state.namespaces, HOST: state[HOST].plus(left)})


def converge(start: State, wanted: State, ours: State = NOTHING, *, rounds: int = 2) -> State:
    """As `transact.converge` does it, on the fake; `ours` is what was wanted before."""
    fake = Fake(start)
    for _ in range(rounds):
        differences = difference(wanted, fake.state, ours)
        for operation in plan(differences, wanted, fake.state):
            fake.perform(operation, wanted)
    return fake.state


@given(routers())
def test_nothing_differs_from_itself(router: Router) -> None:
    state = wanted_by(router)
    assert difference(state, state) == ()
    assert plan((), state, state) == ()


@given(routers())
def test_first_apply_ends_in_the_wanted_state_in_one_round(router: Router) -> None:
    wanted = wanted_by(router)
    assert difference(wanted, converge(bare(), wanted, rounds=1)) == ()


@given(routers(), routers())
@settings(max_examples=200)
def test_change_ends_in_the_wanted_state(one: Router, other: Router) -> None:
    ours, wanted = wanted_by(one), wanted_by(other)
    before = converge(bare(), ours)
    assert difference(wanted, converge(before, wanted, ours), ours) == ()


@given(routers())
def test_down_ends_where_it_began(router: Router) -> None:
    ours = wanted_by(router)
    after = converge(converge(bare(), ours), bare(), ours)
    assert difference(bare(), after, ours) == ()
    assert set(after.namespaces) == {HOST, "mail", "pods"}


@given(routers(), st.data())
@settings(max_examples=200)
def test_whatever_was_lost_is_put_back(router: Router, data: st.DataObject) -> None:
    wanted = wanted_by(router)
    state = converge(bare(), wanted)
    name = data.draw(st.sampled_from(sorted(n for n in state.namespaces if state[n].items)))
    losable = [i for i in state[name].items if not isinstance(i, Link)]
    lost = data.draw(st.sets(st.sampled_from([i.key for i in losable])))
    if any(key[0] == "table" for key in lost):  # its chains and sets go with it
        lost |= {i.key for i in losable if isinstance(i, RULESET)}
    kept = tuple(i for i in state[name].items if i.key not in lost)
    found = State({**state.namespaces, name: evolve(state[name], items=kept)})
    assert difference(wanted, converge(found, wanted)) == ()


@given(routers(), st.sampled_from([HOST, "wan"]))
def test_lost_veth_is_made_again_with_all_that_was_on_it(router: Router, name: str) -> None:
    wanted = wanted_by(router)
    fake = Fake(converge(bare(), wanted))
    fake.drop_link(name, router.host.interface if name == HOST else router.host.peer)
    assert difference(wanted, converge(fake.state, wanted)) == ()


@given(routers())
def test_namespace_and_uplink_that_lost_their_names_get_them_back(router: Router) -> None:
    wanted = wanted_by(router)
    fake = Fake(converge(bare(), wanted))
    fake.nameless["wan"] = "/proc/7/ns/net"
    fake.put("wan", evolve(fake.spaces["wan"]["link", router.uplinks[0].dev], called="dev2"))
    after = converge(fake.state, wanted, rounds=1)
    assert difference(wanted, after) == ()
    assert after["wan"].nameless is None


@given(routers(), routers())
@settings(max_examples=200)
def test_what_others_put_beside_ours_stays_for_as_long_as_its_link(
    one: Router, other: Router
) -> None:
    ours, wanted = wanted_by(one), wanted_by(other)
    fake = Fake(converge(bare(), ours))
    put = [(name, i) for name, dev in places(one) for i in foreign(dev)]
    for name, item in put:
        fake.put(name, item)
    assert difference(ours, fake.state, ours) == ()
    after = converge(fake.state, wanted, ours)
    assert difference(wanted, after, ours) == ()
    stay = places(one) & places(other)
    for name, item in put:
        (dev,) = {item.dev} if isinstance(item, Address | Neighbour) else item.devs
        assert (item in after[name].items) == ((name, dev) in stay)


def places(router: Router) -> set[tuple[str, str]]:
    """Where the links of an applied router are."""
    return {
        *((link.namespace or HOST, link.interface) for link in router.links),
        *(("wan", link.peer) for link in router.links),
        *(("wan", uplink.dev) for uplink in router.uplinks),
    }


def foreign(dev: str) -> tuple[Address | Neighbour | Route, ...]:
    far = ip_network("198.51.100.0/25")
    return (
        Address(dev, ip_interface("10.99.0.1/24"), label=dev),
        Neighbour(dev, ip_address("192.168.158.77"), "02:00:00:00:00:77"),
        Route(far, (Hop(dev),), metric=crc32(dev.encode()), protocol=12),
    )


@given(st.permutations(["a", "b", "c"]), st.data())
def test_order_of_routers_never_matters(order: list[str], data: st.DataObject) -> None:
    def drawn(name: str) -> Router:
        router = data.draw(routers(name))
        host = evolve(router.host, interface=f"v{name}", default_route=False)
        uplink = evolve(router.uplinks[0], dev=f"ens{name}")
        return evolve(router, uplinks=(uplink,), host=host, inner=())

    made = {name: drawn(name) for name in "abc"}
    one = compile_spec(Spec(tuple(made.values())))
    other = compile_spec(Spec(tuple(made[name] for name in order)))
    assert difference(one, other) == difference(other, one) == ()


@given(routers(), st.randoms(use_true_random=False))
def test_order_of_forwards_never_matters(router: Router, random: Random) -> None:
    shuffled = list(router.forward)
    random.shuffle(shuffled)
    assert compile_router(router) == compile_router(evolve(router, forward=tuple(shuffled)))


@given(routers())
def test_every_item_has_a_key_of_its_own(router: Router) -> None:
    for space in compile_spec(Spec((router,))).namespaces.values():
        keys: list[Key] = [item.key for item in space.items]
        assert len(keys) == len(set(keys))


@given(routers())
def test_every_set_is_used_by_a_rule_and_every_used_one_exists(router: Router) -> None:
    ruleset = compile_router(router).ruleset
    rules = [word for i in ruleset for word in " ".join(getattr(i, "rules", ())).split()]
    sets = {i.name for i in ruleset if i.key[0] in ("set", "map")}
    assert {word[1:] for word in rules if word.startswith("@")} == sets
    assert sum(isinstance(i, Table) for i in ruleset) == 1
