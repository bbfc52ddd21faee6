"""What a handover wants, told from the spec and from the connections alone."""

from __future__ import annotations

from ipaddress import ip_address

from nftnsr.compile import handover
from nftnsr.spec import parse
from nftnsr.state.flows import Connection, Flow
from nftnsr.state.model import HOST, Address, Set, State

ROUTER = parse(
    """
    [router."a@b"]
    uplink = "ens3"
    addresses = ["1.2.3.4/24"]
    gateways = ["1.2.3.1"]
    [router."a@b".host]
    interface = "vens3"
    addresses = ["192.168.158.2/24"]
    router_addresses = ["192.168.158.1/24"]
    """,
    "spec.toml",
).routers[0]
PUBLIC, VETH, FAR = (ip_address(a) for a in ("1.2.3.4", "192.168.158.2", "9.9.9.9"))
OLD = Flow(Connection("tcp", PUBLIC, 22, FAR, 4711), PUBLIC, 22)
MASQUERADED = Flow(Connection("udp", VETH, 5353, FAR, 53), PUBLIC, 40000)


def elements(state: State, name: str, which: str) -> set[str]:
    maps = (i for i in state[name].items if isinstance(i, Set) and i.name == which)
    return {element for each in maps for element in each.elements}


def parked(state: State) -> list[str]:
    return [str(i.interface) for i in state[HOST].items if isinstance(i, Address)]


def test_nothing_is_wanted_for_no_connection() -> None:
    assert not any(s.items for s in handover.applied(ROUTER, ()).namespaces.values())
    assert not any(s.items for s in handover.returned("a@b", ("ens3",), ()).namespaces.values())


def test_connection_older_than_the_router_is_translated_by_both() -> None:
    wanted = handover.applied(ROUTER, (OLD,))
    assert parked(wanted) == ["1.2.3.4/32"]
    assert elements(wanted, "a@b", "inward") == {"9.9.9.9 . 4711 . tcp . 22 : 192.168.158.2 . 22"}
    assert elements(wanted, HOST, "inward") == {"9.9.9.9 . 4711 . tcp . 22 : 1.2.3.4 . 22"}
    assert elements(wanted, "a@b", "outward") == {"9.9.9.9 . 4711 . tcp . 22 : 1.2.3.4 . 22"}
    assert elements(wanted, HOST, "outward") == {"9.9.9.9 . 4711 . tcp . 22 : 192.168.158.2 . 22"}


def test_connection_of_the_veth_needs_the_router_only_and_keeps_its_public_port() -> None:
    wanted = handover.applied(ROUTER, (MASQUERADED,))
    assert wanted[HOST].items == ()
    assert elements(wanted, "a@b", "inward") == {
        "9.9.9.9 . 53 . udp . 40000 : 192.168.158.2 . 5353"
    }


def test_returned_uplink_leads_to_the_veths_address_and_old_connections_are_at_home() -> None:
    wanted = handover.returned("a@b", ("ens3",), (OLD, MASQUERADED))
    assert parked(wanted) == ["192.168.158.2/32"]
    assert elements(wanted, HOST, "inward") == {"9.9.9.9 . 53 . udp . 40000 : 192.168.158.2 . 5353"}


def test_connection_of_the_host_with_itself_needs_the_address_only() -> None:
    to_itself = Flow(Connection("tcp", PUBLIC, 80, PUBLIC, 4711), PUBLIC, 80)
    wanted = handover.applied(ROUTER, (to_itself,))
    assert parked(wanted) == ["1.2.3.4/32"]
    assert wanted["a@b"].items == ()


def test_two_connections_that_one_table_cannot_tell_apart_do_not_stop_an_apply() -> None:
    other = Flow(Connection("tcp", ip_address("1.2.3.5"), 22, FAR, 4711), PUBLIC, 22)
    wanted = handover.applied(ROUTER, (OLD, other))
    assert len(elements(wanted, HOST, "inward")) == 1


def test_connection_to_an_address_that_the_router_no_longer_has_needs_nothing() -> None:
    gone = Flow(Connection("tcp", ip_address("5.6.7.8"), 22, FAR, 4711), ip_address("5.6.7.8"), 22)
    wanted = handover.applied(ROUTER, (gone,))
    assert not any(s.items for s in wanted.namespaces.values())


def test_public_ends_are_read_back_from_what_is_there() -> None:
    found = handover.applied(ROUTER, (OLD, MASQUERADED))
    ends = handover.public_ends(found, "a@b")
    assert {ends[f.connection.far] for f in (OLD, MASQUERADED)} == {(PUBLIC, 22), (PUBLIC, 40000)}
    back = handover.returned("a@b", ("ens3",), (MASQUERADED,))
    assert handover.public_ends(back, "a@b") == {MASQUERADED.connection.far: (PUBLIC, 40000)}


def test_what_is_found_of_it_is_all_of_it_and_nothing_else() -> None:
    found = State.union((handover.applied(ROUTER, (OLD,)), handover.returned("other", "x", (OLD,))))
    own = handover.among(found, handover.places(ROUTER))
    assert own == handover.applied(ROUTER, (OLD,))
