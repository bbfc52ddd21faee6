"""Whatever somebody changes in what nftnsr owns is seen, named and healed; nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

import nftnsr.report
from nftnsr import cli
from nftnsr.kernel.machine import Machine
from nftnsr.report.differences import differences_text
from nftnsr.report.drift import drift_json, unmanaged_text
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state.difference import difference
from nftnsr.state.unmanaged import unmanaged
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.intents import diff_intent

from .conftest import ARTICLE, Segment, sh

ON = "ip -n ens3"
IN = "ip netns exec ens3"
TABLE = "inet nftnsr"


def apply(spec: Spec) -> None:
    with Machine() as machine:  # as a command of its own: no namespace is held open
        apply_spec(machine, spec)


SCHEMA = json.loads((Path(nftnsr.report.__file__).parent / "diff.schema.json").read_text())


def looked(spec: Spec) -> tuple[str, str]:
    """What differs, and what is unmanaged, as text; the document for programs is as it shall be."""
    with Machine() as machine:
        intent, found = diff_intent(machine, spec)
    goal = intent.goal
    differences = difference(goal.wanted, found, goal.ours)
    foreign = unmanaged(goal.wanted, found, goal.ours)
    document = drift_json(
        differences, foreign, same=not differences, obstacles=(), unfinished=None, changing=None
    )
    jsonschema.validate(json.loads(json.dumps(document)), SCHEMA)
    return differences_text(differences), unmanaged_text(foreign)


def drift(spec: Spec) -> str:
    return looked(spec)[0]


@pytest.fixture
def applied(segment: Segment, article: Spec) -> Iterator[Spec]:
    apply(article)
    assert drift(article) == ""
    yield article


# What somebody did -> some of the words by which it is told, each a whole line but for its indent.
MUTATIONS: dict[str, tuple[str, ...]] = {
    # -- addresses
    f"{ON} address del 1.2.3.4/24 dev ens3": (
        "+ address 1.2.3.4/24 dev ens3",
        "+ route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} address flush dev ens3": (
        "+ address 1.2.3.4/24 dev ens3",
        "+ address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"{ON} address change 1.2.3.4/24 dev ens3 valid_lft 1000 preferred_lft 0": (
        "~ address 1.2.3.4/24 preferred_lft 0 dev ens3 valid_lft 1000sec"
        " -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address change 2123:2134:abc:ddd::3/64 dev ens3 preferred_lft 0": (
        "~ address 2123:2134:abc:ddd::3/64 preferred_lft 0 dev ens3"
        " -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"{ON} address change 1.2.3.4/24 dev ens3 valid_lft 900 preferred_lft 900": (
        "~ address 1.2.3.4/24 dev ens3 valid_lft 900sec preferred_lft 900sec"
        " -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address del 1.2.3.4/24 dev ens3; {ON} address add 1.2.3.4/16 dev ens3": (
        "~ address 1.2.3.4/16 dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address del 1.2.3.4/24 dev ens3; {ON} address add 1.2.3.4 peer 1.2.3.1/24 dev ens3": (
        "~ address 1.2.3.4 peer 1.2.3.1/24 dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address del 1.2.3.4/24 dev ens3; {ON} address add 1.2.3.4/24 scope link dev ens3": (
        "~ address 1.2.3.4/24 scope link dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address del 1.2.3.4/24 dev ens3; {ON} address add 1.2.3.4/24 label ens3:x dev ens3": (
        "~ address 1.2.3.4/24 label ens3:x dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address del 1.2.3.4/24 dev ens3; {ON} address add 1.2.3.4/24 dev ens3 noprefixroute": (
        "~ address 1.2.3.4/24 noprefixroute dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address change 2123:2134:abc:ddd::3/64 dev ens3 noprefixroute": (
        "~ address 2123:2134:abc:ddd::3/64 noprefixroute dev ens3"
        " -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"{ON} address change 1.2.3.4/24 dev ens3 metric 50": (
        "~ address 1.2.3.4/24 metric 50 dev ens3 -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} address change 2123:2134:abc:ddd::3/64 dev ens3 mngtmpaddr": (
        "~ address 2123:2134:abc:ddd::3/64 mngtmpaddr dev ens3"
        " -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"""{ON} address del 2123:2134:abc:ddd::3/64 dev ens3
        {ON} address add 2123:2134:abc:ddd::3/96 nodad dev ens3""": (
        "~ address 2123:2134:abc:ddd::3/96 dev ens3 -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"{ON} address del 192.168.158.1/24 dev vens3": ("+ address 192.168.158.1/24 dev vens3",),
    f"{ON} route del local 1.2.3.4 dev ens3 table local": (
        "~ address 1.2.3.4/24 dev ens3 without its route local 1.2.3.4"
        " -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} -6 route del local 2123:2134:abc:ddd::3 dev ens3 table local": (
        "~ address 2123:2134:abc:ddd::3/64 dev ens3 without its route local 2123:2134:abc:ddd::3"
        " -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    f"{ON} route del 1.2.3.0/24 dev ens3": (
        "~ address 1.2.3.4/24 dev ens3 without its route 1.2.3.0/24"
        " -> address 1.2.3.4/24 dev ens3",
    ),
    f"{ON} -6 route del 2123:2134:abc:ddd::/64 dev ens3": (
        "~ address 2123:2134:abc:ddd::3/64 dev ens3 without its route 2123:2134:abc:ddd::/64"
        " -> address 2123:2134:abc:ddd::3/64 dev ens3",
    ),
    # -- routes
    f"{ON} route del default": ("+ route default via 1.2.3.1 dev ens3 proto 110",),
    f"{ON} route replace default via 1.2.3.9 dev ens3": (
        "~ route default via 1.2.3.9 dev ens3 proto 3"
        " -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} route del default; {ON} route add default via 1.2.3.1 dev ens3 metric 50": (
        "~ route default via 1.2.3.1 dev ens3 metric 50 proto 3"
        " -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} route del default; {ON} route add default via 1.2.3.1 dev ens3 table 100": (
        "~ route default via 1.2.3.1 dev ens3 table 100 proto 3"
        " -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} route replace blackhole default": (
        "~ route blackhole default proto 3 -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} route replace default via 1.2.3.1 dev ens3 proto 110 mtu 1300": (
        "~ route default via 1.2.3.1 dev ens3 mtu 1300 proto 110"
        " -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} route replace default via 1.2.3.1 dev ens3 proto 110 rto_min 5s": (
        "~ route default via 1.2.3.1 dev ens3 lock 8192 rto_min 5000 proto 110"
        " -> route default via 1.2.3.1 dev ens3 proto 110",
    ),
    f"{ON} -6 route replace default via 2123:2134:abc:ddd::9 dev ens3": (
        "~ route default via 2123:2134:abc:ddd::9 dev ens3 metric 1024 proto 3"
        " -> route default via 2123:2134:abc:ddd::1 dev ens3 metric 1024 proto 110",
    ),
    f"{ON} -6 route append default via 2123:2134:abc:ddd::9 dev ens3": (
        "~ route default nexthop via 2123:2134:abc:ddd::1 dev ens3 weight 1"
        " nexthop via 2123:2134:abc:ddd::9 dev ens3 weight 1 metric 1024 proto 110"
        " -> route default via 2123:2134:abc:ddd::1 dev ens3 metric 1024 proto 110",
    ),
    f"{ON} -6 route del 2123:2134:abc:ddd::2/128": (
        "+ route 2123:2134:abc:ddd::2/128 via fe80::2 dev vens3 metric 1024 proto 110",
    ),
    # -- links
    f"{ON} link set ens3 down": ("~ link ens3: down -> up",),
    f"{ON} link set lo down": ("~ link lo: down -> up",),
    f"{ON} link set ens3 arp off": ("~ link ens3: arp off -> on",),
    f"{ON} link set vens3 arp off": ("~ link vens3: arp off -> on",),
    f"{ON} link set ens3 multicast off": ("~ link ens3: multicast off -> on",),
    f"{ON} link set ens3 mtu 1400": ("~ link ens3: mtu 1400 -> 1450",),
    f"{ON} link set ens3 mtu 1000": (
        "~ link ens3: mtu 1000 -> 1450",
        "+ address 2123:2134:abc:ddd::3/64 dev ens3",  # IPv6 wants 1280 at least
    ),
    f"{ON} link set ens3 address 02:00:00:00:99:99": (
        "~ link ens3: address 02:00:00:00:99:99 -> 02:00:00:00:00:03",
    ),
    f"{ON} link set ens3 txqueuelen 77 alias other": (
        "~ link ens3: txqlen 77 -> 500, alias other -> the uplink",
    ),
    f"{ON} link set vens3 mtu 1300": ("~ link vens3: mtu 1300 -> 1500",),
    f"{ON} link set vens3 address 02:00:00:00:99:99": (
        "~ link vens3: address 02:00:00:00:99:99 -> 02:f7:08:18:68:fe",
    ),
    f"{ON} link set ens3 name dev2": ("~ link ens3: name dev2 -> ens3",),
    f"{ON} link set vens3 name dev2": ("~ link vens3: name dev2 -> vens3",),
    f"{ON} link add br0 type bridge; {ON} link set ens3 master br0": (
        "~ link ens3: master bridge br0 -> none",
    ),
    f"{ON} link set ens3 netns $$; true": ("+ link ens3 address 02:00:00:00:00:03 mtu 1450"
                                     " txqlen 500 alias 'the uplink' up",),
    f"ip netns add other; {ON} link set vens3 netns other": (
        "~ link vens3: peer none -> vens3 in namespace ens3",
        "+ link vens3 type veth peer vens3 in host address 02:f7:08:18:68:fe mtu 1500 up",
    ),
    f"{ON} link set lo alias other": ("~ link lo: the mark of nftnsr, its alias, other -> nftnsr",),
    # -- neighbours
    f"{ON} neigh del proxy 2123:2134:abc:ddd::2 dev ens3": (
        "+ neighbour 2123:2134:abc:ddd::2 dev ens3 proxy",
    ),
    # -- sysctls
    f"{IN} sysctl -qw net.ipv4.ip_forward=0": ("~ sysctl net.ipv4.ip_forward 0 -> 1",),
    f"{IN} sysctl -qw net.ipv4.conf.ens3.rp_filter=2": (
        "~ sysctl net.ipv4.conf.ens3.rp_filter 2 -> 1",
    ),
    f"{IN} sysctl -qw net.ipv6.conf.all.forwarding=0": (
        "~ sysctl net.ipv6.conf.all.forwarding 0 -> 1",
    ),
    f"{IN} sysctl -qw net.ipv6.conf.all.disable_ipv6=1": (
        "~ sysctl net.ipv6.conf.ens3.disable_ipv6 1 -> 0",
        "~ sysctl net.ipv6.conf.vens3.disable_ipv6 1 -> 0",
    ),
    f"{IN} sysctl -qw net.ipv6.conf.ens3.proxy_ndp=0": (
        "~ sysctl net.ipv6.conf.ens3.proxy_ndp 0 -> 1",
    ),
    f"{IN} sysctl -qw net.ipv4.conf.ens3.forwarding=0": (
        "~ sysctl net.ipv4.conf.ens3.forwarding 0 -> 1",
    ),
    f"{IN} sysctl -qw net.ipv6.conf.vens3.forwarding=0": (
        "~ sysctl net.ipv6.conf.vens3.forwarding 0 -> 1",
    ),
    # -- rules of the policy routing
    f"{ON} rule del priority 32766": ("+ rule from all priority 32766 lookup 254 protocol 2",),
    f"{ON} rule del priority 0; {ON} -6 rule flush": (
        "+ rule from all priority 0 lookup 255 protocol 2",
        "+ rule from all priority 32766 lookup 254 protocol 2",
    ),
    # -- the ruleset
    f"{IN} nft flush ruleset": ("+ table inet nftnsr {", "+     chain forward {"),
    f"{IN} nft delete table {TABLE}": ("+ table inet nftnsr {", "+     map forward_ipv4 {"),
    f"{IN} nft add table {TABLE} '{{ flags dormant; }}'": (
        "table inet nftnsr {", "-     flags dormant",
    ),
    f"{IN} nft flush chain {TABLE} forward": (
        "+         oifname \"vens3\" ct status dnat accept",
    ),
    f"{IN} nft insert rule {TABLE} forward ip saddr 6.6.6.6 accept": (
        "        type filter hook forward priority filter; policy drop;",
        "-         ip saddr 6.6.6.6 accept",
    ),
    f"{IN} nft add rule {TABLE} postrouting counter": ("-         counter",),
    f"""{IN} nft delete chain {TABLE} postrouting
        {IN} nft 'add chain {TABLE} postrouting {{ type nat hook postrouting priority 200; }}'
     """: (
        "-         type nat hook postrouting priority 200; policy accept;",
        "+         type nat hook postrouting priority srcnat; policy accept;",
    ),
    f"{IN} nft add chain {TABLE} forward '{{ policy accept; }}'": (
        "-         type filter hook forward priority filter; policy accept;",
        "+         type filter hook forward priority filter; policy drop;",
    ),
    f"""{IN} nft 'delete chain {TABLE} forward; add chain {TABLE} forward {{ comment "mine";
        type filter hook forward priority filter; policy drop; }}'""": (
        '-         comment "mine"; type filter hook forward priority filter; policy drop;',
    ),
    f"{IN} nft rename chain {TABLE} forward backward": ("-     chain backward {",
                                                        "+     chain forward {"),
    f"""{IN} nft 'add chain {TABLE} second {{ type filter hook forward priority -5; policy drop; }}'
     """: ("-     chain second {",),
    f"""{IN} nft 'add chain {TABLE} sub; add rule {TABLE} sub drop
        insert rule {TABLE} forward jump sub'""": ("-     chain sub {", "-         jump sub"),
    f"{IN} nft delete element {TABLE} forward_ipv4 '{{ tcp . 22 }}'": (
        "    map forward_ipv4 {", "+         tcp . 22 : 192.168.158.2 . 22",
    ),
    f"""{IN} nft 'add element {TABLE} forward_ipv4 {{
        tcp . 99 comment "hi, x" : 10.0.0.1 . 1 }}'""": (
        '-         tcp . 99 comment "hi, x" : 10.0.0.1 . 1',
    ),
    f"""{IN} nft 'delete element {TABLE} forward_ipv4 {{ tcp . 22 }}
        add element {TABLE} forward_ipv4 {{ tcp . 22 : 10.6.6.6 . 22 }}'""": (
        "-         tcp . 22 : 10.6.6.6 . 22", "+         tcp . 22 : 192.168.158.2 . 22",
    ),
    f"""{IN} nft 'delete element {TABLE} forward_ipv4 {{ tcp . 22 }}
        add element {TABLE} forward_ipv4 {{ tcp . 22 comment "a : b" : 192.168.158.2 . 22 }}'""": (
        '-         tcp . 22 comment "a : b" : 192.168.158.2 . 22',
    ),
    f"{IN} nft flush map {TABLE} forward_ipv6": (
        "+         tcp . 22 : 2123:2134:abc:ddd::2 . 22",
    ),
    f"""{IN} nft 'add set {TABLE} bad {{ type ipv4_addr; flags timeout; elements = {{
        6.6.6.6 timeout 1h, 6.6.6.7 }}; }}; insert rule {TABLE} forward ip saddr @bad drop'""": (
        "-     set bad {", "-         6.6.6.6 timeout 1h", "-         ip saddr @bad drop",
    ),
    f"""{IN} nft 'add counter {TABLE} hits
        add rule {TABLE} forward counter name "hits"'""": ("-     counter hits {",),
    f"""{IN} nft 'flush chain {TABLE} prerouting; flush chain {TABLE} postrouting
        delete map {TABLE} forward_ipv4
        add map {TABLE} forward_ipv4 {{ type inet_proto . inet_service : ipv4_addr . inet_service;
        flags interval; }}'""": ("-         flags interval", "+         counter"),
    # -- the host
    "ip link del vens3": (
        "+ link vens3 type veth peer vens3 in namespace ens3 address 02:89:78:66:d2:a3 mtu 1500 up",
        "+ link vens3 type veth peer vens3 in host address 02:f7:08:18:68:fe mtu 1500 up",
    ),
    "ip link set vens3 down": ("~ link vens3: down -> up",),
    "ip link set vens3 name dev2": ("~ link vens3: name dev2 -> vens3",),
    "ip link set vens3 mtu 9000": ("~ link vens3: mtu 9000 -> 1500",),
    "ip link set vens3 address 02:00:00:00:99:99": (
        "~ link vens3: address 02:00:00:00:99:99 -> 02:89:78:66:d2:a3",
    ),
    "ip link add br0 type bridge; ip link set vens3 master br0": (
        "~ link vens3: master bridge br0 -> none",
    ),
    "ip netns add other; ip link set vens3 netns other": (
        "~ link vens3: peer none -> vens3 in host",
    ),
    "ip address flush dev vens3": (
        "+ address 192.168.158.2/24 dev vens3",
        "+ address 2123:2134:abc:ddd::2/128 dev vens3",
    ),
    "ip address change 2123:2134:abc:ddd::2/128 dev vens3 preferred_lft 0": (
        "~ address 2123:2134:abc:ddd::2/128 preferred_lft 0 dev vens3"
        " -> address 2123:2134:abc:ddd::2/128 dev vens3",
    ),
    "ip route del local 192.168.158.2 dev vens3 table local": (
        "~ address 192.168.158.2/24 dev vens3 without its route local 192.168.158.2"
        " -> address 192.168.158.2/24 dev vens3",
    ),
    "ip route del default": ("+ route default via 192.168.158.1 dev vens3 proto 110",),
    "ip route replace default via 192.168.158.9 dev vens3": (
        "~ route default via 192.168.158.9 dev vens3 proto 3"
        " -> route default via 192.168.158.1 dev vens3 proto 110",
    ),
    "ip route del default; ip route add default via 192.168.158.1 dev vens3 metric 100": (
        "~ route default via 192.168.158.1 dev vens3 metric 100 proto 3"
        " -> route default via 192.168.158.1 dev vens3 proto 110",
    ),
    "ip -6 route replace default via fe80::9 dev vens3": (
        "~ route default via fe80::9 dev vens3 metric 1024 proto 3"
        " -> route default via fe80::1 dev vens3 metric 1024 proto 110",
    ),
    "sysctl -qw net.ipv6.conf.vens3.addr_gen_mode=0": (
        "~ sysctl net.ipv6.conf.vens3.addr_gen_mode 0 -> 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutation_is_named_and_healed(applied: Spec, mutation: str) -> None:
    sh(mutation)
    told = drift(applied)
    lines = {line.removeprefix("  ").strip() for line in told.splitlines()}
    for words in MUTATIONS[mutation]:
        assert words.strip() in lines, told
    apply(applied)
    assert drift(applied) == ""


# What somebody put into the namespace -> how it is told.
FOREIGN = {
    f"{ON} route add 10.66.0.0/16 via 1.2.3.66 dev ens3": (
        "route 10.66.0.0/16 via 1.2.3.66 dev ens3 proto 3"
        " (goes before default via 1.2.3.1 dev ens3 proto 110)"
    ),
    f"{ON} -6 route add default via 2123:2134:abc:ddd::66 dev ens3 metric 5": (
        "route default via 2123:2134:abc:ddd::66 dev ens3 metric 5 proto 3"
        " (goes before default via 2123:2134:abc:ddd::1 dev ens3 metric 1024 proto 110)"
    ),
    f"{ON} route add blackhole 10.67.0.0/16": (
        "route blackhole 10.67.0.0/16 proto 3 (goes before default via 1.2.3.1 dev ens3 proto 110)"
    ),
    f"{ON} route add default via 1.2.3.66 dev ens3 table 66": (
        "route default via 1.2.3.66 dev ens3 table 66 proto 3"
    ),
    f"{ON} route add default via 1.2.3.66 dev ens3 metric 7": (
        "route default via 1.2.3.66 dev ens3 metric 7 proto 3"
    ),
    f"{ON} address add 1.2.3.66/24 dev ens3": "address 1.2.3.66/24 dev ens3",
    f"{ON} address add 1.2.3.4/32 dev lo": "address 1.2.3.4/32 dev lo",
    f"{ON} address add fe80::66/64 dev ens3 nodad": "address fe80::66/64 dev ens3",
    f"{ON} neigh replace 1.2.3.1 lladdr 02:00:00:00:00:66 nud permanent dev ens3": (
        "neighbour 1.2.3.1 dev ens3 lladdr 02:00:00:00:00:66 nud permanent"
    ),
    f"{ON} neigh add proxy 2123:2134:abc:ddd::66 dev ens3": (
        "neighbour 2123:2134:abc:ddd::66 dev ens3 proxy"
    ),
    f"{ON} rule add from 192.168.158.2 lookup 66 priority 100": (
        "rule from 192.168.158.2/32 priority 100 lookup 66 protocol 0"
    ),
    f"{ON} -6 rule add not dport 80 ipproto tcp blackhole priority 101": (
        "rule not from all dport 80 ipproto 6 priority 101 blackhole protocol 0"
    ),
}
LODGING = {
    f"{ON} link add br0 address 02:00:00:00:00:66 type bridge": (
        "link br0 address 02:00:00:00:00:66 mtu 1500 txqlen 1000 down"
    ),
    f"""{IN} nft 'add table ip evil
        add chain ip evil c {{ type filter hook forward priority -5; policy drop; }}'""": (
        "table ip evil (chain c priority -5)"
    ),
}
STRICT = parse(ARTICLE.replace("gateways ", "strict = true\ngateways ", 1), "strict.toml")


@pytest.mark.parametrize("act", [*FOREIGN, *LODGING])
def test_foreign_thing_is_listed_apart_and_left_alone(applied: Spec, act: str) -> None:
    sh(act)
    told = ("", f"namespace ens3, unmanaged:\n    {({**FOREIGN, **LODGING})[act]}\n")
    assert looked(applied) == told
    apply(applied)
    assert looked(applied) == told


@pytest.mark.parametrize("act", [*FOREIGN, *LODGING])
def test_strict_router_is_rid_of_what_can_be_put_back_and_tells_the_rest(
    segment: Segment, act: str
) -> None:
    apply(STRICT)
    sh(act)
    words = ({**FOREIGN, **LODGING})[act].split(" (")[0]
    if act in FOREIGN:
        assert looked(STRICT) == (f"namespace ens3:\n  - {words}\n", "")
    else:
        assert looked(STRICT)[0] == ""
        assert words in looked(STRICT)[1]
    apply(STRICT)
    assert (words in looked(STRICT)[1]) == (act in LODGING)
    assert looked(STRICT)[0] == ""


# What happens, and is nobody's doing or nobody's business here.
HARMLESS = {
    "traffic": "ping -c1 -W2 1.2.3.1",
    "IPv6 traffic": "ping -6 -c1 -W3 2123:2134:abc:ddd::1",
    "traffic to the router": "ping -c1 -W2 192.168.158.1",
    "neighbour that does not answer": "ping -c1 -W1 1.2.3.99 || true",
    "neighbour cache flushed": f"{ON} neigh flush all",
    "learnt neighbour": f"{ON} neigh add 1.2.3.88 lladdr 02:00:00:00:00:88 nud stale dev ens3",
    "counters": f"ping -c1 -W2 1.2.3.1; {IN} nft reset counters",
    "listening": f"{IN} nft list ruleset; {ON} route get 9.9.9.9; {ON} -6 route get 2001:db8::9",
    "capture": f"{ON} link set ens3 promisc on",
    "all multicast": f"{ON} link set vens3 allmulticast on",
    "host's bridge": "ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0;"
    " ip link set docker0 up",
    "host's veth": "ip link add va type veth peer name vb; ip link set va up",
    "host's route": "ip route add 10.200.0.0/16 via 192.168.158.1 dev vens3",
    "host's route of another table": "ip route add default via 192.168.158.1 dev vens3 table 9",
    "host's second default": "ip route add default via 192.168.158.1 dev vens3 metric 900",
    "host's address": "ip address add 192.168.158.77/24 dev vens3",
    "host's neighbour": "ip neigh add 192.168.158.9 lladdr 02:00:00:00:00:09 dev vens3",
    "host's rule": "ip rule add from 10.200.0.0/16 lookup 9",
    "host's ruleset": "nft add table inet mine; nft add chain inet mine c",
    "host's sysctl": "sysctl -qw net.ipv4.conf.all.log_martians=1",
    "another namespace": "ip netns add other; ip -n other link set lo up alias mine",
    "route cache": f"{ON} route flush cache",
    "multicast group": f"{ON} maddress add 33:33:00:00:00:99 dev ens3",
    "an altname of the veth": "ip link property add dev vens3 altname tohome",
}


@pytest.mark.parametrize("event", HARMLESS)
def test_harmless_event_is_no_drift_and_nothing_unmanaged(applied: Spec, event: str) -> None:
    sh(HARMLESS[event])
    assert looked(applied) == ("", "")


def test_carrier_that_comes_and_goes_is_no_drift(applied: Spec, segment: Segment) -> None:
    for state in ("down", "up"):
        sh(f"ip link set p0 {state}", segment.provider)
        assert looked(applied) == ("", "")


def test_router_is_in_sync_on_a_link_without_carrier(segment: Segment, article: Spec) -> None:
    sh("ip link set p0 down", segment.provider)
    apply(article)
    assert looked(article) == ("", "")


def test_command_is_quiet_in_sync_and_says_what_to_do_otherwise(
    segment: Segment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, strict = tmp_path / "loose.toml", tmp_path / "strict.toml"
    spec.write_text(ARTICLE)
    strict.write_text(ARTICLE.replace("gateways ", "strict = true\ngateways ", 1))

    def said(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main([str(a) for a in arguments])
        return (status, *capsys.readouterr())

    assert said("apply", "--quiet", spec)[0] == 0
    assert said("diff", spec) == said("diff", "--quiet", spec) == (0, "", "")
    sh(f"{ON} link add br0 type bridge")
    assert said("diff", "--quiet", spec) == (0, "", "")
    assert "link br0" in said("diff", spec)[1]
    status, out, err = said("diff", "--quiet", strict)
    assert (status, "link br0" in out, err) == (1, True, "")
    assert "away yourself" in said("diff", strict)[2]
    document = json.loads(said("diff", "--json", strict)[1])
    jsonschema.validate(document, SCHEMA)
    assert (document["same"], document["differences"]) == (False, [])
    sh(f"{ON} route del default")
    status, out, err = said("diff", spec)
    assert (status, err) == (1, f"\n`nftnsr apply {spec}` puts this right.\n")
    assert out.startswith("namespace ens3:\n  + route default via 1.2.3.1 dev ens3 proto 110\n")
