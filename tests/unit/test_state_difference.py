"""Laws of the difference between two states."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve

from nftnsr.state.difference import (
    Add,
    AddNamespace,
    Change,
    NameNamespace,
    Remove,
    RemoveNamespace,
    changed_fields,
    difference,
)
from nftnsr.state.model import (
    HOST,
    PARKED,
    Address,
    Hop,
    Item,
    Link,
    Namespace,
    Neighbour,
    Route,
    State,
    Sysctl,
)

UPLINK = Link("ens3", True, None, "02:00:00:00:00:03", 1450, 500, "the uplink")
ADDRESS = Address("ens3", ip_interface("192.0.2.10/24"))
ROUTE = Route(ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("192.0.2.1")),))
ROUTE6 = Route(ip_network("::/0"), (Hop("ens3", ip_address("fe80::1")),), metric=1024)

PROXY = Neighbour("ens3", ip_address("2001:db8::2"), proxy=True)


def host(*items: Item) -> State:
    return State({HOST: Namespace(items)})


def router(*items: Item) -> State:
    return State({HOST: Namespace(), "wan": Namespace(items)})


def test_state_does_not_differ_from_itself() -> None:
    state = router(UPLINK, ADDRESS, ROUTE, ROUTE6, Sysctl("net/ipv4/ip_forward", "1"))
    assert difference(state, state) == ()


def test_order_of_items_is_no_difference() -> None:
    assert difference(router(UPLINK, ADDRESS), router(ADDRESS, UPLINK)) == ()


@pytest.mark.parametrize("item", [UPLINK, ADDRESS, ROUTE, ROUTE6, PROXY])
def test_item_that_is_missing_is_added_and_one_too_many_removed(item: Item) -> None:
    assert difference(host(item), host()) == (Add(HOST, item),)
    assert difference(host(), host(item), ours=host(item)) == (Remove(HOST, item),)


@pytest.mark.parametrize("item", [ADDRESS, PROXY, evolve(ROUTE, protocol=3)])
def test_item_that_nftnsr_did_not_make_is_left_alone(item: Item) -> None:
    assert difference(host(), host(item)) == ()


def test_what_is_on_a_link_that_goes_goes_with_it() -> None:
    assert difference(host(), host(UPLINK, ADDRESS)) == (
        Remove(HOST, UPLINK),
        Remove(HOST, ADDRESS),
    )


def test_route_that_bears_our_mark_is_ours() -> None:
    assert difference(host(), host(ROUTE)) == (Remove(HOST, ROUTE),)


def test_parked_address_bears_our_mark() -> None:
    parked = Address("lo", ip_interface("192.0.2.10/32"), label=PARKED)
    assert difference(host(), host(parked)) == (Remove(HOST, parked),)
    assert difference(host(), host(evolve(parked, label="lo"))) == ()


@pytest.mark.parametrize("item", [ADDRESS, PROXY, evolve(ROUTE, protocol=3)])
def test_what_others_put_on_our_links_is_no_difference(item: Item) -> None:
    ours = router(UPLINK, evolve(ADDRESS, interface=ip_interface("192.0.2.11/24")))
    assert difference(ours, router(*ours["wan"].items, item), ours) == ()


def test_what_was_ours_goes_and_what_is_not_stays() -> None:
    old, new = (Address("ens3", ip_interface(f"192.0.2.{n}/24")) for n in (11, 12))
    ours, wanted = router(UPLINK, old), router(UPLINK, new)
    found = difference(wanted, router(UPLINK, old, ADDRESS, PROXY), ours)
    assert set(found) == {Remove("wan", old), Add("wan", new)}


def test_setting_is_never_taken_away_even_if_it_is_ours() -> None:
    setting = host(Sysctl("net/ipv4/ip_forward", "1"))
    assert difference(host(), setting, ours=setting) == ()


def test_namespace_without_its_name_is_named_and_never_unnamed() -> None:
    nameless = State({HOST: Namespace(), "wan": Namespace((UPLINK,), "/proc/7/ns/net")})
    named = router(UPLINK)
    assert difference(named, nameless) == (NameNamespace("wan", "/proc/7/ns/net"),)
    assert difference(nameless, named) == difference(nameless, nameless) == ()


def test_metric_of_an_address_is_compared_where_it_is_wanted() -> None:
    found = evolve(ADDRESS, metric=100)
    assert difference(host(ADDRESS), host(found)) == ()
    assert difference(host(found), host(ADDRESS)) == (Change(HOST, ADDRESS, found),)


def test_what_a_link_is_is_never_compared_but_what_it_is_called_is() -> None:
    found = evolve(UPLINK, kind="veth", permanent="02:00:00:00:00:33")
    assert difference(host(UPLINK), host(found)) == ()
    slave = evolve(UPLINK, master=("bridge", "br0"))
    assert difference(host(UPLINK), host(slave)) == (Change(HOST, slave, UPLINK),)
    renamed = evolve(UPLINK, called="dev2")
    assert difference(host(UPLINK), host(renamed)) == (Change(HOST, renamed, UPLINK),)


def test_none_in_a_wanted_link_or_address_says_as_it_is() -> None:
    assert difference(host(Link("ens3")), host(UPLINK)) == ()
    found = evolve(ADDRESS, label="ens3", scope=0, broadcast=ip_address("192.0.2.255"))
    assert difference(host(ADDRESS), host(found)) == ()


def test_what_a_wanted_link_says_is_compared() -> None:
    wanted = Link("ens3", mtu=1500)
    assert difference(host(wanted), host(UPLINK)) == (Change(HOST, UPLINK, wanted),)
    assert changed_fields(UPLINK, wanted) == {"mtu": (1450, 1500)}


def test_none_in_a_route_is_compared() -> None:
    found = evolve(ROUTE, source=ip_address("192.0.2.10"))
    assert difference(host(ROUTE), host(found)) == (Change(HOST, found, ROUTE),)


@pytest.mark.parametrize(
    "change",
    [{"interface": ip_interface("192.0.2.10/16")}, {"peer": ip_address("192.0.2.1")},
     {"lasting": None, "lifetime": (100, 0)}, {"missing": ("local 192.0.2.10",)},
     {"noprefixroute": True}],
)  # fmt: skip
def test_address_of_ours_that_somebody_altered_is_changed_back(change: dict[str, object]) -> None:
    made = evolve(ADDRESS, lasting=True, missing=())
    found = evolve(made, **change)
    assert difference(host(made), host(found), ours=host(made)) == (Change(HOST, found, made),)
    # An undo goes back to what it found as far as that was whole.
    assert difference(host(found), host(evolve(found, missing=())), ours=host(made)) == ()


@pytest.mark.parametrize(
    "change",
    [{"metric": 50}, {"table": 100}, {"hops": (Hop("ens3", ip_address("fe80::9")),)},
     {"hops": (*ROUTE6.hops, Hop("ens3", ip_address("fe80::9")))},
     {"kind": 6, "hops": ()}],
)  # fmt: skip
def test_route_of_ours_that_somebody_altered_is_changed_back(change: dict[str, object]) -> None:
    found = evolve(ROUTE6, protocol=3, **change)
    assert difference(host(ROUTE6), host(found)) == (Change(HOST, found, ROUTE6),)
    # Beside ours it is somebody else's.
    assert difference(host(ROUTE6), host(ROUTE6, found)) == ()


def test_lifetime_of_an_address_is_never_compared() -> None:
    assert difference(host(ADDRESS), host(evolve(ADDRESS, lifetime=(3600, 1800)))) == ()


def test_sysctl_that_is_not_wanted_is_left_alone() -> None:
    assert difference(host(), host(Sysctl("net/ipv4/ip_forward", "1"))) == ()


def test_link_local_addresses_of_the_kernel_are_left_alone() -> None:
    own = Address("ens3", ip_interface("fe80::ff:fe00:3/64"))
    assert difference(host(), host(own)) == ()
    assert difference(host(own), host()) == (Add(HOST, own),)


def test_ipv4_has_one_route_in_a_place_and_ipv6_one_for_each_hop() -> None:
    other = evolve(ROUTE, hops=(Hop("ens3", ip_address("192.0.2.254")),))
    assert difference(host(other), host(ROUTE)) == (Change(HOST, ROUTE, other),)
    other6 = evolve(ROUTE6, hops=(Hop("ens3", ip_address("fe80::2")),))
    assert difference(host(other6), host(ROUTE6)) == (Remove(HOST, ROUTE6), Add(HOST, other6))


def test_namespace_that_is_missing_is_made_with_all_that_is_in_it() -> None:
    assert difference(router(UPLINK), host()) == (AddNamespace("wan"), Add("wan", UPLINK))


def test_namespace_that_goes_gives_its_uplinks_back_first() -> None:
    veth = Link("vens3", peer=(HOST, "vens3"))
    found = difference(host(), router(Link("lo"), veth, UPLINK, ADDRESS))
    assert found == (Remove("wan", UPLINK), RemoveNamespace("wan"))


def test_host_comes_first_and_namespaces_are_sorted() -> None:
    wanted = State({"b": Namespace(), "a": Namespace(), HOST: Namespace((UPLINK,))})
    assert [d.namespace for d in difference(wanted, host())] == [HOST, "a", "b"]


def test_host_is_never_made_nor_removed() -> None:
    assert difference(State({HOST: Namespace()}), State({})) == ()
    assert difference(State({}), State({HOST: Namespace()})) == ()
