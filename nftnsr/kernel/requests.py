"""The words in which rtnetlink(7) is asked, made of nouns; `messages` makes nouns of its answers.

A request is a dictionary of what pyroute2 calls the fields and attributes of a message. A link is
known there by its number: `index` gives that of a name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

from nftnsr.state.model import Address, Hop, Link, Lower, Neighbour, PolicyRule, Route

Request: TypeAlias = dict[str, object]
Index: TypeAlias = Callable[[str], int]

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_IFA_F_NODAD, _IFA_F_MANAGETEMPADDR, _IFA_F_NOPREFIXROUTE = 0x02, 0x100, 0x200
_IFF_NOARP, _IFF_MULTICAST = 0x80, 0x1000
_FOREVER = 0xFFFFFFFF
_NUD_PERMANENT, _NTF_PROXY = 0x80, 0x08
_RTNH_F_ONLINK = 4
_IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}


def flags(link: Link) -> tuple[int, int]:
    """The flags of a link that shall be set, and those that are spoken of."""
    wanted = {_IFF_NOARP: None if link.arp is None else not link.arp,
              _IFF_MULTICAST: link.multicast}  # fmt: skip
    spoken = {bit: on for bit, on in wanted.items() if on is not None}
    return sum(bit for bit, on in spoken.items() if on), sum(spoken)


def lower(lower: Lower) -> Request:
    words: Request = {"kind": lower.kind}
    match lower.kind:
        case "macvlan":
            words["macvlan_mode"] = lower.mode
        case "ipvlan":
            words["ipvlan_mode"] = _IPVLAN_MODES[lower.mode or "l2"]
        case "vlan":
            words["vlan_id"] = lower.id
    return words


def made(link: Link) -> Request:
    """What a link is made with."""
    given = {"address": link.mac, "mtu": link.mtu}
    return {key: value for key, value in given.items() if value is not None}


def address(address: Address) -> Request:
    interface, request = address.interface, same_address(address)
    flags = _IFA_F_NOPREFIXROUTE if address.noprefixroute else 0
    if interface.version == 6:
        # A tentative address answers nobody for 1-2 s (RFC 4862, duplicate detection).
        flags |= 0 if address.nodad is False else _IFA_F_NODAD
        flags |= _IFA_F_MANAGETEMPADDR if address.learns else 0
    else:
        given = {"broadcast": address.broadcast, "label": address.label}
        request |= {key: str(value) for key, value in given.items() if value is not None}
        if address.scope is not None:
            request["scope"] = address.scope
    valid, preferred = address.lifetime or (_FOREVER, _FOREVER)
    preferred = 0 if address.deprecated else preferred
    if (valid, preferred) != (_FOREVER, _FOREVER):
        request |= {"valid_lft": valid, "preferred_lft": preferred}
    if address.metric is not None:
        request["rt_priority"] = address.metric
    return request | {"flags": flags}


def same_address(address: Address) -> Request:
    """What tells an address from all others of its link."""
    interface = address.interface
    return {
        "address": str(address.peer or interface.ip), "local": str(interface.ip),
        "prefixlen": interface.network.prefixlen, "family": FAMILY[interface.version],
    }  # fmt: skip


def route(route: Route, index: Index) -> Request:
    request: Request = {
        "family": FAMILY[route.destination.version], "dst": str(route.destination),
        "table": route.table, "proto": route.protocol, "type": route.kind,
        "scope": route.scope, "tos": route.tos, "priority": route.metric,
    }  # fmt: skip
    if route.destination.prefixlen == 0:
        request["dst"] = "default"
    if route.source is not None:
        request["prefsrc"] = str(route.source)
    if route.preference:
        request["pref"] = route.preference
    if route.metrics:
        request["metrics"] = dict(route.metrics)
    hops = [_hop(hop, route.destination.version, index) for hop in route.hops]
    if len(hops) == 1:
        request |= {key: value for key, value in hops[0].items() if key != "hops"}
    elif hops:
        request["multipath"] = hops
    return request


def _hop(hop: Hop, version: int, index: Index) -> Request:
    request: Request = {"hops": hop.weight - 1}
    if hop.dev is not None:
        request["oif"] = index(hop.dev)
    if hop.via is not None and hop.via.version != version:
        request["via"] = {"family": FAMILY[hop.via.version], "addr": str(hop.via)}
    elif hop.via is not None:
        request["gateway"] = str(hop.via)
    if hop.onlink:
        request["flags"] = _RTNH_F_ONLINK
    return request


def neighbour(neighbour: Neighbour, index: Index) -> Request:
    request: Request = {
        "ifindex": index(neighbour.dev), "dst": str(neighbour.address),
        "family": FAMILY[neighbour.address.version],
    }  # fmt: skip
    if neighbour.proxy:
        return request | {"flags": _NTF_PROXY}
    return request | {"lladdr": neighbour.mac, "state": _NUD_PERMANENT}


def rule(rule: PolicyRule) -> Request:
    request: Request = {
        "family": FAMILY[rule.version], "priority": rule.priority, "action": rule.kind,
        "table": rule.table, "protocol": rule.protocol,
    }  # fmt: skip
    for word, network in (("src", rule.source), ("dst", rule.destination)):
        if network is not None:
            request |= {word: str(network.network_address), f"{word}_len": network.prefixlen}
    if rule.mark is not None:
        request["fwmark"], request["fwmask"] = rule.mark
    given = {"iifname": rule.iif, "oifname": rule.oif, "suppress_prefixlen": rule.suppress}
    request |= dict(rule.more)
    return request | {word: value for word, value in given.items() if value is not None}
