"""Whatever is written into a record or a journal is read back as it was."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, get_args

import pytest
from attrs import evolve, fields

from nftnsr.state import operations as op
from nftnsr.state import serial
from nftnsr.state.flows import Flows
from nftnsr.state.model import (
    HOST,
    Address,
    Block,
    Chain,
    Hop,
    Item,
    Link,
    Lower,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Set,
    State,
    Sysctl,
    Table,
)
from nftnsr.state.operations import Operation

T = ("inet", "nftnsr")
LINK = Link(
    "ens3", False, ("wan", "x"), "02:00:00:00:00:03", 1450, 500, 'an "alias" – é', "dev2",
    "veth", "02:00:00:00:00:33", ("bridge", "br0"), ("wan", "outside"), False, True,
    Lower("vlan", "ens3", "bridge", 7),
)  # fmt: skip
ADDRESS = Address(
    "ens3",
    ip_interface("192.0.2.10/24"),
    ip_address("192.0.2.11"),
    ip_address("192.0.2.255"),  # type: ignore[arg-type]
    253,
    "ens3:1",
    100,
    True,
    True,
    (3600, 1800),
    True,
    True,
    False,
    ("local 192.0.2.10",),
    True,
)
HOPS = (Hop("ens3", ip_address("192.0.2.1"), True, 2), Hop("ens4", None), Hop())
ROUTE = Route(
    ip_network("198.51.100.0/24"), HOPS, 5, 100, ip_address("192.0.2.10"), 4, 1, 253, 16,
    (("mtu", 1300), ("advmss", 1260)), 1,
)  # fmt: skip
RULE = PolicyRule(
    4, 7, ip_network("10.0.0.0/8"), ip_network("10.1.0.0/16"), (1, 255), "v", "w", 100, 7, 4, 0
)
ITEMS: tuple[Item, ...] = (
    LINK,
    Link("lo"),
    ADDRESS,
    Address("ens3", ip_interface("2001:db8::3/64")),
    ROUTE,
    Route(ip_network("::/0"), (Hop("ens3", ip_address("fe80::1")),), 1024),
    Route(ip_network("10.0.0.0/8"), kind=6),
    Neighbour("ens3", ip_address("2001:db8::2"), proxy=True),
    RULE,
    PolicyRule(6, 1),
    Neighbour("ens3", ip_address("192.0.2.77"), "02:00:00:00:00:77"),
    Sysctl("net/ipv4/conf/eth0.100/rp_filter", "1"),
    Table(*T, ("flags dormant",)),
    Chain(T, "prerouting", "type nat hook prerouting priority dstnat;", ('oifname "ens3"',)),
    Set(T, "map", "m", ("type inet_service : ipv4_addr",), frozenset({"22 : 10.0.0.2", "23 : x"})),
    Set(T, "set", "s", ("type inet_service",)),
    Block(T, "counter", "c", ("packets 0 bytes 0",)),
)
FLOWS = Flows(
    (ip_address("192.0.2.10"), ip_address("fd00::1")), "tcp", (22, 23),
    ip_network("203.0.113.0/24"), 5, ip_address("10.0.0.2"), 80,
)  # fmt: skip
OPERATIONS: tuple[Operation, ...] = (
    op.CreateNamespace("wan"),
    op.AttachNamespace("wan", "/proc/7/ns/net"),
    op.DeleteNamespace("wan", ("ens3",)),
    op.CreateVeth("wan", LINK, Link("v")),
    op.CreateLower("wan", LINK),
    op.DeleteLink(HOST, "v"),
    op.MoveLink("ens3", HOST, "wan"),
    op.RenameLink("wan", "dev2", "ens3"),
    op.SetLink("wan", LINK),
    op.AddAltname("wan", "ens3", "outside"),
    op.DeleteAltname("wan", "ens3", "outside"),
    op.SetMaster("wan", "ens3", "br0"),
    op.SetMaster("wan", "ens3", None),
    op.SetUp("wan", "ens3", False),
    op.AddAddress("wan", ADDRESS),
    op.DeleteAddress("wan", ADDRESS),
    op.AddRoute("wan", ROUTE),
    op.DeleteRoute(HOST, ROUTE),
    op.AddRule("wan", RULE),
    op.DeleteRule("wan", RULE),
    op.AddNeighbour("wan", Neighbour("ens3", ip_address("fd00::1"), proxy=True)),
    op.DeleteNeighbour("wan", Neighbour("ens3", ip_address("fd00::1"), "02:00:00:00:00:01")),
    op.WriteSysctls("wan", (Sysctl("net/ipv4/ip_forward", "1"), Sysctl("net/ipv4/a", "3 4"))),
    op.ForgetFlows("wan", (FLOWS,), (Flows(), FLOWS)),
    op.LoadRuleset("wan", 'table inet nftnsr {\n\tcomment "é"\n}\n'),
)


def again(value: object, kind: Any) -> object:
    """Written and read as the records and the journal do it."""
    return serial.load(json.loads(serial.to_text(serial.dump(value, kind))), kind)


def test_every_kind_is_tried() -> None:
    assert {type(i) for i in ITEMS} == set(get_args(Item))
    assert {type(o) for o in OPERATIONS} == set(get_args(Operation))


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_item_is_read_back(item: Item) -> None:
    read = again(item, Item)
    assert (type(read), read) == (type(item), item)
    # `lifetime`, `kind` and the like are no part of equality.
    for each in fields(type(item)):
        assert getattr(read, each.name) == getattr(item, each.name)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: type(o).__name__)
def test_operation_is_read_back(operation: Operation) -> None:
    read = again(operation, Operation)
    assert (type(read), read) == (type(operation), operation)


def test_link_of_an_older_record_is_called_by_its_name() -> None:
    """`called` came later than records did; what a record does not say is as by default."""
    data = serial.dump(Link("ens3"), Item)
    del data["called"]
    assert serial.load(data, Item) == Link("ens3")


def test_state_is_read_back_in_its_order() -> None:
    state = State({HOST: Namespace(ITEMS), "wan": Namespace(ITEMS[::-1], "/proc/7/ns/net")})
    assert serial.from_text(serial.to_text(state), State) == state


def test_unknown_field_is_refused() -> None:
    data = serial.dump(evolve(LINK), Item)
    with pytest.raises(Exception, match=r"(?s)."):
        serial.load(data | {"colour": "red"}, Item)


@pytest.mark.parametrize("data", [{}, [], "x", None, {"namespaces": 3}, {"namespaces": {"": 1}}])
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(Exception, match=r"(?s)."):
        serial.load(data, State)
