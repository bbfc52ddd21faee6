"""What people read: items, differences and operations in the field's own words."""

from __future__ import annotations

import shlex
import subprocess
from ipaddress import ip_address, ip_interface, ip_network
from typing import get_args

import pytest
from attrs import evolve

from nftnsr.report.differences import differences_json, differences_text
from nftnsr.report.operations import operation_json, operation_lines, operations_text
from nftnsr.report.words import item_words, sysctl_name
from nftnsr.state import operations as op
from nftnsr.state.difference import (
    Add,
    AddNamespace,
    Change,
    Difference,
    NameNamespace,
    Remove,
    RemoveNamespace,
)
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
    Neighbour,
    PolicyRule,
    Route,
    Set,
    Sysctl,
    Table,
)
from nftnsr.state.operations import Operation

T = ("inet", "nftnsr")
DEFAULT = Route(ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("192.0.2.1")),))
VETH = Link("vens3", peer=("wan", "vens3"), mac="02:00:00:00:00:01", mtu=1500)
OTHER = Link("vens3", peer=(HOST, "vens3"), mac="02:00:00:00:00:02", mtu=1500)
PROXY = Neighbour("ens3", ip_address("fd00::1"), proxy=True)
MAP = Set(T, "map", "m", ("type inet_service : ipv4_addr",), frozenset({"9 : 10.0.0.2"}))
CHAIN = Chain(T, "c", "type filter hook forward priority filter; policy drop;", ("accept",))

WORDS: dict[str, Item] = {
    "link ens3 up": Link("ens3"),
    "link ens3 called dev2 up": Link("ens3", called="dev2"),
    "link ens3 address 02:00:00:00:00:03 mtu 1450 txqlen 500 alias 'the uplink' down": Link(
        "ens3", False, None, "02:00:00:00:00:03", 1450, 500, "the uplink"
    ),
    "link vens3 type veth peer vens3 in namespace wan address 02:00:00:00:00:01 mtu 1500 up": VETH,
    "link vens3 type veth peer vens3 in host address 02:00:00:00:00:02 mtu 1500 up": OTHER,
    "address 192.0.2.10/24 dev ens3": Address("ens3", ip_interface("192.0.2.10/24"), scope=0),
    "address 192.0.2.10/24 broadcast 192.0.2.255 scope link label ens3:1 noprefixroute "
    "dev ens3": Address(
        "ens3",
        ip_interface("192.0.2.10/24"),
        None,
        ip_address("192.0.2.255"),  # type: ignore[arg-type]
        253,
        "ens3:1",
        noprefixroute=True,
    ),
    "address 192.0.2.10/24 metric 100 dev ens3": Address(
        "ens3", ip_interface("192.0.2.10/24"), metric=100
    ),
    "address 192.0.2.10 peer 192.0.2.11/32 dev ens3": Address(
        "ens3", ip_interface("192.0.2.10/32"), ip_address("192.0.2.11")
    ),
    "route default via 192.0.2.1 dev ens3 proto 110": DEFAULT,
    "route default via 172.31.1.1 dev ens3 onlink proto 110": Route(
        ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("172.31.1.1"), onlink=True),)
    ),
    "route default via inet6 fe80::1 dev ens3 proto 110": Route(
        ip_network("0.0.0.0/0"), (Hop("ens3", ip_address("fe80::1")),)
    ),
    "route 10.0.0.0/8 nexthop via 192.0.2.1 dev ens3 weight 1 nexthop dev ens4 weight 2 "
    "proto 110": Route(
        ip_network("10.0.0.0/8"), (Hop("ens3", ip_address("192.0.2.1")), Hop("ens4", weight=2))
    ),
    "route blackhole 10.0.0.0/8 proto 4": Route(ip_network("10.0.0.0/8"), kind=6, protocol=4),
    "route 10.9.0.0/16 dev ens3 tos 0x10 table 100 scope link src 192.0.2.10 metric 5 mtu 1300 "
    "proto 3": Route(
        ip_network("10.9.0.0/16"),
        (Hop("ens3"),),
        5,
        100,
        ip_address("192.0.2.10"),
        3,
        1,
        253,
        16,
        (("mtu", 1300),),
    ),
    "neighbour fd00::1 dev ens3 proxy": PROXY,
    "neighbour 192.0.2.77 dev ens3 lladdr 02:00:00:00:00:77 nud permanent": Neighbour(
        "ens3", ip_address("192.0.2.77"), "02:00:00:00:00:77"
    ),
    "sysctl net.ipv4.conf.eth0/100.rp_filter = 1": Sysctl("net/ipv4/conf/eth0.100/rp_filter", "1"),
    "table inet nftnsr": Table(*T),
    "map inet nftnsr m": MAP,
    "chain inet nftnsr c": CHAIN,
    "counter inet nftnsr hits": Block(T, "counter", "hits", ()),
}


@pytest.mark.parametrize("words", WORDS)
def test_item_is_told_as_its_tool_would(words: str) -> None:
    assert item_words(WORDS[words]) == words


def test_name_of_a_setting_is_the_one_that_sysctl_takes() -> None:
    assert sysctl_name("net/ipv6/conf/eth0.100/proxy_ndp") == "net.ipv6.conf.eth0/100.proxy_ndp"


# -- differences ---------------------------------------------------------------------------

DIFFERENCES: tuple[Difference, ...] = (
    Change(HOST, Sysctl("net/ipv4/ip_forward", "0"), Sysctl("net/ipv4/ip_forward", "1")),
    Remove(HOST, DEFAULT),
    AddNamespace("wan"),
    Add("wan", CHAIN),
    Change("wan", Link("ens3", False, mtu=1500), Link("ens3", mtu=1450)),
    Change(
        "wan",
        MAP,
        Set(T, "map", "m", MAP.lines, frozenset({"9 : 10.0.0.3", "10 : 10.0.0.2"})),
    ),
    Change("wan", CHAIN, Chain(T, "c", CHAIN.hook, ("drop", "accept"))),
    NameNamespace("wide", "/proc/7/ns/net"),
    Change("wide", Link("ens3", called="dev2"), Link("ens3")),
    RemoveNamespace("zoo"),
)
TEXT = """\
host:
  ~ sysctl net.ipv4.ip_forward 0 -> 1
  - route default via 192.0.2.1 dev ens3 proto 110

namespace wan:
  + namespace wan
  ~ link ens3: down -> up, mtu 1500 -> 1450
    table inet nftnsr {
  +     chain c {
  +         type filter hook forward priority filter; policy drop;
  +         accept
  +     }
        map m {
  -         9 : 10.0.0.2
  +         9 : 10.0.0.3
  +         10 : 10.0.0.2
        }
        chain c {
            type filter hook forward priority filter; policy drop;
  +         drop
            accept
        }
    }

namespace wide:
  ~ namespace wide: it has lost its name, and lives on at /proc/7/ns/net
  ~ link ens3: name dev2 -> ens3

namespace zoo:
  - namespace zoo
"""


def test_differences_are_told_by_namespace_with_only_the_lines_that_differ() -> None:
    assert differences_text(DIFFERENCES) == TEXT
    assert differences_text(()) == ""


def test_colour_adds_nothing_but_colour() -> None:
    coloured = differences_text(DIFFERENCES, colour=True)
    assert coloured.count("\x1b[32m") == TEXT.count("+ ")
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == TEXT


def test_each_difference_is_one_object_for_programs() -> None:
    data = differences_json(DIFFERENCES)
    assert [(d["namespace"], d["action"], d["kind"]) for d in data] == [
        (None, "change", "sysctl"),
        (None, "remove", "route"),
        ("wan", "add", "namespace"),
        ("wan", "add", "chain"),
        ("wan", "change", "link"),
        ("wan", "change", "map"),
        ("wan", "change", "chain"),
        ("wide", "change", "namespace"),
        ("wide", "change", "link"),
        ("zoo", "remove", "namespace"),
    ]
    assert data[5]["lines"] == ["- 9 : 10.0.0.2", "+ 9 : 10.0.0.3", "+ 10 : 10.0.0.2"]
    assert "lines" not in data[4]


# -- operations ----------------------------------------------------------------------------

V4 = Address("ens3", ip_interface("192.0.2.10/24"))
UPON = Link("up0", mac="m", mtu=1400, lower=Lower("macvlan", "ens3", "bridge"))
V6 = Address("ens3", ip_interface("fd00::3/64"))
DEFAULT6 = Route(ip_network("::/0"), (Hop("ens3", ip_address("fe80::1")),), 1024)
COMMANDS: dict[str, Operation] = {
    "ip netns add wan\nip -n wan link set dev lo alias nftnsr up": op.CreateNamespace("wan"),
    "ip netns del wan": op.DeleteNamespace("wan", ("ens3",)),
    "ip link add name vens3 address 02:00:00:00:00:01 mtu 1500 type veth "
    "peer name vens3 address 02:00:00:00:00:02 mtu 1500 netns wan": op.CreateVeth(
        "wan", OTHER, VETH
    ),
    "ip link del dev vens3": op.DeleteLink(HOST, "vens3"),
    "ip link set dev ens3 netns wan": op.MoveLink("ens3", HOST, "wan"),
    "ip -n wan link set dev ens3 netns 1": op.MoveLink("ens3", "wan", HOST),
    "ip -n wan link set dev dev2 name ens3": op.RenameLink("wan", "dev2", "ens3"),
    "touch /run/netns/wan; mount --bind /proc/7/ns/net /run/netns/wan": op.AttachNamespace(
        "wan", "/proc/7/ns/net"
    ),
    "ip link set dev vens3 address 02:00:00:00:00:01 mtu 1500": op.SetLink(HOST, VETH),
    "ip link set dev ens3 txqlen 500 alias 'the uplink'": op.SetLink(
        HOST, Link("ens3", queue_length=500, alias="the uplink")
    ),
    "ip link set dev ens3 alias ''": op.SetLink(HOST, Link("ens3", alias="")),
    "ip -n wan link set dev ens3 arp on multicast off": op.SetLink(
        "wan", Link("ens3", arp=True, multicast=False)
    ),
    "ip -n wan link set dev ens3 master 'br 0'": op.SetMaster("wan", "ens3", "br 0"),
    "ip link set dev vens3 nomaster": op.SetMaster(HOST, "vens3", None),
    "ip link set dev vens3 up": op.SetUp(HOST, "vens3", True),
    "ip -n wan link set dev ens3 down": op.SetUp("wan", "ens3", False),
    "ip -n wan address add 192.0.2.10/24 metric 100 dev ens3": op.AddAddress(
        "wan", Address("ens3", ip_interface("192.0.2.10/24"), metric=100)
    ),
    "ip -n wan address add 192.0.2.10/24 dev ens3": op.AddAddress("wan", V4),
    "ip link add link ens3 name up0 address m mtu 1400 netns wan type macvlan mode bridge": (
        op.CreateLower("wan", UPON)
    ),
    "ip link add link ens3 name up0 netns wan type vlan id 7": (
        op.CreateLower("wan", Link("up0", lower=Lower("vlan", "ens3", id=7)))
    ),
    "ip -n wan link property add dev ens3 altname wan": op.AddAltname("wan", "ens3", "wan"),
    "ip link property del dev ens3 altname 'a b'": op.DeleteAltname("", "ens3", "a b"),
    "ip -n wan address add fd00::3/64 dev ens3 nodad": op.AddAddress("wan", V6),
    "ip -n wan address add fd00::3/64 dev ens3 valid_lft 7200 preferred_lft 3600": op.AddAddress(
        "wan", evolve(V6, nodad=False, lifetime=(7200, 3600))
    ),
    "ip -n wan address add fd00::3/64 preferred_lft 0 dev ens3 nodad valid_lft forever": (
        op.AddAddress("wan", evolve(V6, deprecated=True, lifetime=(0xFFFFFFFF, 0)))
    ),
    "ip -n wan rule add from 10.42.0.0/24 fwmark 0x1/0xff priority 100 lookup 7 protocol 110": (
        op.AddRule("wan", PolicyRule(4, 100, ip_network("10.42.0.0/24"), None, (1, 255), table=7))
    ),
    "ip rule add from 10.42.0.0/24 priority 999 lookup 254 suppress_prefixlength 0 protocol 110": (
        op.AddRule(HOST, PolicyRule(4, 999, ip_network("10.42.0.0/24"), suppress=0))
    ),
    "ip -6 rule del from all to fd00::/8 iif v oif w priority 5 unreachable protocol 110": (
        op.DeleteRule(
            HOST, PolicyRule(6, 5, None, ip_network("fd00::/8"), None, "v", "w", 0, kind=7)
        )
    ),
    "ip address del fd00::3/64 dev ens3": op.DeleteAddress(HOST, V6),
    "ip route replace default via 192.0.2.1 dev ens3 proto 110": op.AddRoute(HOST, DEFAULT),
    "ip -6 -n wan route add default via fe80::1 dev ens3 metric 1024 proto 110": op.AddRoute(
        "wan", DEFAULT6
    ),
    "ip -6 route del default via fe80::1 dev ens3 metric 1024 proto 110": op.DeleteRoute(
        HOST, DEFAULT6
    ),
    "ip -n wan neigh replace proxy fd00::1 dev ens3": op.AddNeighbour("wan", PROXY),
    "ip neigh del proxy fd00::1 dev ens3": op.DeleteNeighbour(HOST, PROXY),
    "ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 'net/ipv4/ping_group_range=1 0'": (
        op.WriteSysctls(
            "wan", (Sysctl("net/ipv4/ip_forward", "1"), Sysctl("net/ipv4/ping_group_range", "1 0"))
        )
    ),
    "ip netns exec wan nft -f - <<'EOF'\nflush ruleset\nEOF": op.LoadRuleset(
        "wan", "flush ruleset\n"
    ),
    "ip netns exec wan conntrack -D -p tcp -f ipv4 --orig-dst 192.0.2.10 --orig-port-dst 22 "
    "|| true": op.ForgetFlows("wan", (Flows((V4.interface.ip,), "tcp", (22, 22)),)),
    "conntrack -D -p udp --orig-src 203.0.113.7/32 --orig-port-src 5000 --orig-port-dst 53 "
    "|| true": op.ForgetFlows(
        HOST, (Flows((), "udp", (53, 53), ip_network("203.0.113.7/32"), 5000),)
    ),
    "ip netns exec wan sh -c 'for port in $(seq 20 29); do conntrack -D -p udp "
    "--orig-port-dst $port || true; done'": op.ForgetFlows("wan", (Flows((), "udp", (20, 29)),)),
    "ip netns exec wan conntrack -D -f ipv6 --orig-dst fd00::3 || true": op.ForgetFlows(
        "wan", (Flows((V6.interface.ip,)),)
    ),
    "ip netns exec wan conntrack -D -f ipv4 --reply-dst 192.0.2.10 || true": op.ForgetFlows(
        "wan", (Flows((V4.interface.ip,), answers=True),)
    ),
}


@pytest.mark.parametrize("commands", COMMANDS)
def test_operation_is_told_as_a_person_would_type_it(commands: str) -> None:
    operation = COMMANDS[commands]
    assert operations_text([operation]) == f"{commands}\n"
    assert operation_json(operation) == {
        "operation": type(operation).__name__,
        "commands": list(operation_lines(operation)),
    }


EVIL = "$(id)`id`;'&"
IN_EVIL: tuple[Operation, ...] = (
    op.CreateNamespace(EVIL),
    op.DeleteNamespace(EVIL),
    op.CreateVeth(EVIL, Link(EVIL, peer=(HOST, EVIL), mac="m"), Link(EVIL, mac="m")),
    op.CreateLower(EVIL, Link(EVIL, lower=Lower("macvlan", EVIL, "vepa"))),
    op.DeleteLink(EVIL, EVIL),
    op.MoveLink(EVIL, EVIL, HOST),
    op.AttachNamespace(EVIL, f"/proc/{EVIL}/ns/net"),
    op.RenameLink(EVIL, EVIL, EVIL),
    op.SetLink(EVIL, Link(EVIL, alias=EVIL)),
    op.AddAltname(EVIL, EVIL, EVIL),
    op.DeleteAltname(EVIL, EVIL, EVIL),
    op.SetMaster(EVIL, EVIL, EVIL),
    op.SetUp(EVIL, EVIL, True),
    op.AddAddress(EVIL, Address(EVIL, V4.interface, label=f"{EVIL}:1")),
    op.DeleteAddress(EVIL, Address(EVIL, V4.interface)),
    op.AddRoute(EVIL, Route(DEFAULT.destination, (Hop(EVIL), Hop(EVIL)))),
    op.DeleteRoute(EVIL, Route(DEFAULT.destination, (Hop(EVIL),))),
    op.AddRule(EVIL, PolicyRule(4, 1, iif=EVIL)),
    op.DeleteRule(EVIL, PolicyRule(4, 1, oif=EVIL)),
    op.AddNeighbour(EVIL, Neighbour(EVIL, PROXY.address, proxy=True)),
    op.DeleteNeighbour(EVIL, Neighbour(EVIL, PROXY.address, "m")),
    op.WriteSysctls(EVIL, (Sysctl(f"net/ipv4/conf/{EVIL}/x", EVIL),)),
    op.LoadRuleset(EVIL, ""),
    op.ForgetFlows(EVIL, (Flows((), "tcp", (20, 20)), Flows((), "udp", (20, 29)))),
)


def test_every_operation_has_its_words() -> None:
    kinds = set(get_args(Operation))
    assert {type(o) for o in COMMANDS.values()} == kinds
    assert {type(o) for o in IN_EVIL} == kinds


@pytest.mark.parametrize("commands", COMMANDS)
def test_what_is_typed_is_a_command_to_a_shell(commands: str) -> None:
    subprocess.run(["bash", "-n"], input=commands, text=True, check=True)
    subprocess.run(["sh", "-n"], input=commands, text=True, check=True)


@pytest.mark.parametrize("operation", IN_EVIL, ids=lambda o: type(o).__name__)
def test_name_that_a_shell_would_read_otherwise_is_quoted(operation: Operation) -> None:
    """The kernel takes such names, and somebody may pipe what is printed into a shell."""
    for line in operation_lines(operation):
        split = shlex.shlex(line.split(" <<")[0], posix=True, punctuation_chars=True)
        split.whitespace_split = True
        words = list(split)
        assert any(EVIL in word for word in words), words
        assert not any("id" in word.replace(EVIL, "") for word in words), words
