"""Laws of the order of a plan: make before break, and fail closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve

from nftnsr.compile import compile_spec
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state import operations as op
from nftnsr.state.difference import difference
from nftnsr.state.model import HOST, Address, Hop, Item, Link, Namespace, Route, State, Sysctl
from nftnsr.state.operations import Operation
from nftnsr.transaction.plan import plan

TEXT = """
[router.wan]
uplink    = "ens3"
addresses = ["192.0.2.10/24", "2001:db8:1:2::3/64"]
gateways  = ["192.0.2.1", "2001:db8:1:2::1"]
forward   = ["22/tcp"]
[router.wan.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2001:db8:1:2::2/128"]
router_addresses = ["192.168.158.1/24"]
"""
SPEC = parse(TEXT, "spec.toml")
UPLINK = Link("ens3", True, None, "02:00:00:00:00:03", 1500, 1000, "")
BEFORE: tuple[Item, ...] = (
    UPLINK,
    Address("ens3", ip_interface("192.0.2.10/24")),
    Route(ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("192.0.2.1")),), protocol=3),
    Route(ip_network("10.9.0.0/16"), (Hop("ens3", ip_address("192.0.2.9")),), metric=5),
    Sysctl("net/ipv4/conf/ens3/rp_filter", "2"),
)
ADDRESSES6 = tuple(Address("ens3", ip_interface(f"2001:db8:1:2::{n}/64")) for n in "234")
FOUND = State({HOST: Namespace(BEFORE)})
WANTED = compile_spec(SPEC)


def made(wanted: State, observed: State) -> tuple[Operation, ...]:
    """The plan where all that was compiled from the spec is ours."""
    return plan(difference(wanted, observed, WANTED), wanted, observed)


def reached(spec: Spec) -> State:
    """What an observation finds after an apply of `spec`."""
    state = compile_spec(spec)
    spaces = {
        name: Namespace(tuple(_filled(item) for item in space.items))
        for name, space in state.namespaces.items()
    }
    return State(spaces)


def _filled(item: Item) -> Item:
    if isinstance(item, Link) and item.name == "ens3":
        return UPLINK
    return item


def first(operations: Iterable[Operation], kind: type[Operation]) -> int:
    return next(n for n, o in enumerate(operations) if isinstance(o, kind))


def last(operations: tuple[Operation, ...], kind: type[Operation]) -> int:
    return max(n for n, o in enumerate(operations) if isinstance(o, kind))


APPLY = made(WANTED, FOUND)
DOWN = made(FOUND, reached(SPEC))
DIRECTIONS = {"apply": (FOUND, APPLY), "down": (reached(SPEC), DOWN)}


def links_of(state: State) -> set[tuple[str, str]]:
    spaces = state.namespaces.items()
    return {(n, i.name) for n, space in spaces for i in space.items if isinstance(i, Link)}


def used(operation: Operation) -> Iterator[tuple[str, str]]:
    """The links, by namespace, that an operation needs."""
    match operation:
        case op.SetLink(name, link):
            yield name, link.name
        case op.SetUp(name, dev, _):
            yield name, dev
        case op.AddAddress(name, address):
            yield name, address.dev
        case op.AddRoute(name, route):
            yield from ((name, dev) for dev in route.devs)
        case op.AddNeighbour(name, neighbour):
            yield name, neighbour.dev
        case op.MoveLink(dev, source, _):
            yield source, dev
        case op.WriteSysctls(name, settings):
            parts = [s.path.split("/") for s in settings if s.path.count("/") > 3]
            yield from ((name, p[3]) for p in parts if p[3] not in ("all", "default"))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_nothing_is_done_with_a_link_before_it_is_there(direction: str) -> None:
    found, operations = DIRECTIONS[direction]
    there = links_of(found)
    spaces = {HOST, *found.namespaces}
    for operation in operations:
        match operation:
            case op.CreateNamespace(name):
                spaces.add(name)
                there.add((name, "lo"))
            case op.CreateVeth(name, link, other):
                assert link.peer is not None and {name, link.peer[0]} <= spaces
                there |= {(name, link.name), (link.peer[0], other.name)}
        for needed in used(operation):
            assert needed in there, operation
        if isinstance(operation, op.MoveLink):
            assert operation.target in spaces
            there.remove((operation.source, operation.name))
            there.add((operation.target, operation.name))


def test_ruleset_is_there_before_any_link() -> None:
    ruleset = first(APPLY, op.LoadRuleset)
    assert first(APPLY, op.CreateNamespace) < ruleset
    assert ruleset < first(APPLY, op.CreateVeth) < first(APPLY, op.MoveLink)


def test_forwarding_is_set_before_any_link() -> None:
    settings = first(APPLY, op.WriteSysctls)
    assert Sysctl("net/ipv4/ip_forward", "1") in APPLY[settings].settings  # type: ignore[union-attr]
    assert settings < first(APPLY, op.CreateVeth)


def test_settings_of_a_link_are_made_before_it_comes_up() -> None:
    """Else an address from a router advertisement stays."""
    move = first(APPLY, op.MoveLink)
    settings = next(
        n
        for n, o in enumerate(APPLY)
        if isinstance(o, op.WriteSysctls) and any("/ens3/accept_ra" in s.path for s in o.settings)
    )
    assert move < settings < APPLY.index(op.SetUp("wan", "ens3", True))


def test_link_is_shaped_before_its_settings_and_addresses_and_comes_up_after_them() -> None:
    """A smaller MTU would take the IPv6 addresses with it, a new MAC the link-local one."""
    inside = reached(SPEC)["wan"].plus([evolve(UPLINK, mtu=1300)])
    found = State({**reached(SPEC).namespaces, "wan": inside})
    down = made(FOUND, found)
    shape = down.index(op.SetLink(HOST, Link("ens3", mtu=UPLINK.mtu)))
    address = down.index(op.AddAddress(HOST, BEFORE[1]))  # type: ignore[arg-type]
    settings = next(
        n for n, o in enumerate(down) if isinstance(o, op.WriteSysctls) and BEFORE[4] in o.settings
    )
    assert shape < settings < address < down.index(op.SetUp(HOST, "ens3", True))


def test_first_ipv6_address_is_added_last_since_the_kernel_prefers_that() -> None:
    wanted = State({HOST: Namespace((UPLINK, *ADDRESSES6, BEFORE[1]))})
    added = [o.address for o in made(wanted, State({HOST: Namespace((UPLINK,))}))
             if isinstance(o, op.AddAddress)]  # fmt: skip
    assert added == [BEFORE[1], *ADDRESSES6[::-1]]


def test_hosts_default_routes_are_the_last_of_an_apply() -> None:
    tail = APPLY[-2:]
    assert all(isinstance(o, op.AddRoute) and o.namespace == HOST for o in tail)
    assert not any(isinstance(o, op.AddRoute) and o.namespace == HOST for o in APPLY[:-2])


def test_burst_without_uplink_holds_nothing_that_could_be_done_before() -> None:
    burst = APPLY[first(APPLY, op.MoveLink) : -2]
    assert {dev for o in burst for _, dev in used(o)} == {"ens3"}
    assert len(burst) < 12


def test_old_addresses_and_routes_go_with_their_link() -> None:
    assert not any(isinstance(o, op.DeleteAddress | op.DeleteRoute) for o in APPLY)


def test_links_leave_a_namespace_before_it_ends() -> None:
    assert first(DOWN, op.MoveLink) < first(DOWN, op.DeleteNamespace) == len(DOWN) - 1
    assert op.DeleteNamespace("wan", ("ens3",)) in DOWN


def test_down_gives_back_all_that_was_found() -> None:
    added = {o.route for o in DOWN if isinstance(o, op.AddRoute)}
    assert added == {i for i in BEFORE if isinstance(i, Route)}
    assert op.AddAddress(HOST, BEFORE[1]) in DOWN  # type: ignore[arg-type]


def test_no_operations_for_no_difference() -> None:
    assert made(WANTED, reached(SPEC)) == ()


def change(old: str, new: str) -> tuple[Operation, ...]:
    assert old in TEXT
    return made(compile_spec(parse(TEXT.replace(old, new), "b.toml")), reached(SPEC))


def test_changed_forward_is_one_ruleset_batch() -> None:
    operations = change('"22/tcp"', '"22/tcp", "80/tcp"')
    assert isinstance(operations[0], op.LoadRuleset)
    assert "table" not in operations[0].commands
    assert all(isinstance(o, op.ForgetFlows) for o in operations[1:])


def test_new_address_is_there_before_the_old_one_goes() -> None:
    operations = change("192.0.2.10/24", "192.0.2.11/24")
    assert first(operations, op.AddAddress) < first(operations, op.DeleteAddress)
    # What still leaves with the old one is forgotten when none can begin with it any more.
    assert [f for f in operations[-1].flows if f.answers]  # type: ignore[union-attr]


def test_new_gateway_takes_the_place_of_the_old_one_at_once() -> None:
    operations = change('"192.0.2.1"', '"192.0.2.254"')
    assert len(operations) == 1
    assert isinstance(operations[0], op.AddRoute)


def test_other_ipv6_gateway_is_removed_first_else_the_kernel_makes_two_paths_of_them() -> None:
    operations = change('"2001:db8:1:2::1"', '"fe80::1"')
    assert [type(o) for o in operations] == [op.DeleteRoute, op.AddRoute]


def test_new_veth_is_there_before_the_old_one_goes() -> None:
    operations = change('interface        = "vens3"', 'interface = "inside"')
    assert first(operations, op.CreateVeth) < first(operations, op.DeleteLink)
    assert last(operations, op.LoadRuleset) < first(operations, op.CreateVeth)


def test_lost_veth_is_made_once_whichever_ends_are_missing() -> None:
    space = reached(SPEC)
    for lost in ({HOST}, {"wan"}, {HOST, "wan"}):
        state = State({
            name: Namespace(tuple(
                i for i in each.items
                if name not in lost or not (isinstance(i, Link) and i.peer)
            ))
            for name, each in space.namespaces.items()
        })  # fmt: skip
        assert sum(isinstance(o, op.CreateVeth) for o in made(WANTED, state)) == 1


def test_uplink_that_is_nowhere_is_not_touched() -> None:
    operations = made(WANTED, State({HOST: Namespace()}))
    assert not any((n, d) for o in operations for n, d in used(o) if d == "ens3")
    assert any(isinstance(o, op.CreateVeth) for o in operations)


def test_sysctls_side_by_side_are_one_operation() -> None:
    settings = tuple(Sysctl(f"net/ipv4/conf/ens3/{n}", "1") for n in "abc")
    wanted = State({HOST: Namespace((UPLINK, *settings))})
    observed = State({HOST: Namespace((UPLINK, *(evolve(s, value="0") for s in settings)))})
    assert made(wanted, observed) == (op.WriteSysctls(HOST, settings),)


def test_name_is_given_back_before_anything_else_is_done() -> None:
    """All other operations speak of a namespace, and of a link, by its own name."""
    found = reached(SPEC)
    renamed = found["wan"].plus([evolve(UPLINK, called="dev2", mtu=1400)])
    lost = State({**found.namespaces, "wan": evolve(renamed, nameless="/proc/7/ns/net")})
    wanted = State({**WANTED.namespaces, "wan": WANTED["wan"].plus([Link("ens3", mtu=1500)])})
    assert made(wanted, lost) == (
        op.AttachNamespace("wan", "/proc/7/ns/net"),
        op.RenameLink("wan", "dev2", "ens3"),
        op.SetLink("wan", Link("ens3", mtu=1500)),
        op.SetUp("wan", "ens3", True),
    )


def test_foreign_link_name_that_was_found_is_given_back_last() -> None:
    """An undo that finds the uplink named as it should be, but found it otherwise."""
    found = reached(SPEC)
    wanted = State({**found.namespaces, "wan": found["wan"].plus([evolve(UPLINK, called="dev2")])})
    assert made(wanted, found)[-1] == op.RenameLink("wan", "ens3", "dev2")


LTE = """
[router.wan.uplinks.lte]
uplink = "ens4"
addresses = ["198.51.100.7/24"]
gateways = ["198.51.100.1"]
"""


def test_rules_to_the_inside_are_there_before_and_after_those_to_uplinks() -> None:
    """Else what comes in with the mark of an uplink would be sent out by it again."""
    two = compile_spec(parse(TEXT + LTE, "spec.toml"))
    there = plan(difference(two, reached(SPEC), two), two, reached(SPEC))
    back = plan(difference(WANTED, two, two), WANTED, two)
    added = [o.rule.priority for o in there if isinstance(o, op.AddRule) and o.rule.version == 4]
    gone = [o.rule.priority for o in back if isinstance(o, op.DeleteRule) and o.rule.version == 4]
    assert added == sorted(added)
    assert gone == sorted(gone, reverse=True)
    assert set(added) == set(gone) == {998, 999}


def test_alternative_name_is_taken_from_one_link_before_another_gets_it() -> None:
    on_lte = parse(TEXT + LTE + 'altnames = ["wan0"]', "spec.toml")
    text = TEXT.replace("forward ", 'altnames = ["wan0"]\nforward ') + LTE + "altnames = []"
    wanted, found = compile_spec(parse(text, "spec.toml")), compile_spec(on_lte)
    operations = plan(difference(wanted, found, found), wanted, found)
    assert last(operations, op.DeleteAltname) < first(operations, op.AddAltname)
