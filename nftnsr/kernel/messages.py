"""rtnetlink messages, as pyroute2 gives them, read as nouns of a state."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from nftnsr.kernel.identity import kind, permanent
from nftnsr.state.model import Address, Hop, Interface_, Link, Lower, Network_, PolicyRule, Route

Message = Any  # pyroute2's messages are untyped dictionaries

_IFF_UP, _IFF_NOARP, _IFF_MULTICAST = 0x1, 0x80, 0x1000
_IFA_F_NODAD, _IFA_F_DEPRECATED, _IFA_F_MANAGETEMPADDR = 0x02, 0x20, 0x100
_IFA_F_TENTATIVE, _IFA_F_NOPREFIXROUTE = 0x40, 0x200
_IFAPROT_KERNEL = (1, 2, 3)  # of the loopback, from an advertisement, link-local (if_addr.h)
# Before, the kernel does not say so, and every link-local IPv6 address is taken for its own.
_TELLS_WHO = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (5, 18)
_FOREVER = 0xFFFFFFFF
_NOTHING_SUPPRESSED = 0xFFFFFFFF  # -1, as fib_rules.c has it
_IPVLAN_MODES = ("l2", "l3", "l3s")
_FIB_RULE_INVERT = 2
_SELECTORS = {"FRA_GOTO", "FRA_FLOW", "FRA_TUN_ID", "FRA_SUPPRESS_IFGROUP", "FRA_L3MDEV",
              "FRA_UID_RANGE", "FRA_IP_PROTO", "FRA_SPORT_RANGE",
              "FRA_DPORT_RANGE"}  # fmt: skip
_RTPROT_KERNEL, _RTNH_F_ONLINK = 2, 4
_RT_TABLE_LOCAL = 255
_METRICS = {"RTAX_MTU": "mtu", "RTAX_ADVMSS": "advmss", "RTAX_HOPLIMIT": "hoplimit",
            "RTAX_INITCWND": "initcwnd", "RTAX_INITRWND": "initrwnd", "RTAX_WINDOW": "window",
            "RTAX_RTT": "rtt", "RTAX_RTTVAR": "rttvar", "RTAX_RTO_MIN": "rto_min",
            "RTAX_SSTHRESH": "ssthresh", "RTAX_CWND": "cwnd", "RTAX_REORDERING": "reordering",
            "RTAX_FEATURES": "features", "RTAX_QUICKACK": "quickack",
            "RTAX_LOCK": "lock"}  # fmt: skip


def link(message: Message, name: str, peer: tuple[str, str] | None, master: Message | None) -> Link:
    """The noun of a link message, by the name under which it is known.

    Its veth peer only a look into other namespaces can tell.
    """
    return Link(
        name=name,
        up=bool(message["flags"] & _IFF_UP),
        peer=peer,
        mac=message.get("address"),
        mtu=message.get("mtu"),
        queue_length=message.get("txqlen"),
        alias=_words(message.get("ifalias")),
        arp=not message["flags"] & _IFF_NOARP,
        multicast=bool(message["flags"] & _IFF_MULTICAST),
        called=message.get("ifname"),
        altnames=altnames(message),
        kind=kind(message),
        permanent=permanent(message),
        master=(kind(master) or "interface", master.get("ifname")) if master else None,
    )


def lower(message: Message, parents: dict[int, str]) -> Lower | None:
    """What a link is made upon, where that is one of `parents` (index -> name)."""
    parent = parents.get(message.get("link"))
    info = message.get("linkinfo")
    made = kind(message)
    if parent is None or made is None:
        return None
    data = info.get_attr("IFLA_INFO_DATA")
    match made:
        case "macvlan":
            return Lower(made, parent, data.get_attr("IFLA_MACVLAN_MODE"))
        case "ipvlan":
            return Lower(made, parent, _IPVLAN_MODES[data.get_attr("IFLA_IPVLAN_MODE")])
        case "vlan":
            return Lower(made, parent, id=data.get_attr("IFLA_VLAN_ID"))
        case _:
            return None


def altnames(message: Message) -> tuple[str, ...]:
    properties = message.get("prop_list")
    return tuple(properties.get_attrs("IFLA_ALT_IFNAME")) if properties else ()


def _words(alias: str | bytes | None) -> str:
    """An alias; anybody may have put bytes in it that are no UTF-8."""
    return alias.decode(errors="backslashreplace") if isinstance(alias, bytes) else alias or ""


def address(message: Message, dev: str, flags: int) -> Address:
    """The noun of an address message; what it misses only a look at the routes can tell."""
    local = message.get("local") or message.get("address")
    other = message.get("address")
    interface: Interface_ = ip_interface(f"{local}/{message['prefixlen']}")
    cache = message.get("cacheinfo") or {}
    lifetime = (cache.get("ifa_valid", _FOREVER), cache.get("ifa_preferred", _FOREVER))
    broadcast = message.get("broadcast")
    forever, v6 = lifetime == (_FOREVER, _FOREVER), interface.version == 6
    return Address(
        dev=dev,
        interface=interface,
        peer=ip_address(other) if other and other != local else None,
        broadcast=ip_address(broadcast) if broadcast else None,  # type: ignore[arg-type]
        scope=message["scope"] if interface.version == 4 else None,
        label=message.get("label"),
        metric=message.get("rt_priority") or 0,
        noprefixroute=bool(flags & _IFA_F_NOPREFIXROUTE),
        nodad=True if v6 and flags & _IFA_F_NODAD else None,
        lifetime=None if forever else lifetime,
        deprecated=bool(flags & _IFA_F_DEPRECATED),
        lasting=forever or None,
        learns=bool(v6 and flags & _IFA_F_MANAGETEMPADDR),
        # It is tried out, and gets its routes when it has proved to be the only one.
        missing=() if v6 and flags & _IFA_F_TENTATIVE else None,
        by_kernel=_is_by_kernel(message, interface),
    )


def _is_by_kernel(message: Message, interface: Interface_) -> bool:
    if not _TELLS_WHO and interface.version == 6 and interface.is_link_local:
        return True
    return message.get("proto") in _IFAPROT_KERNEL


def route(message: Message, names: dict[int, str]) -> Route:
    multipath = message.get("multipath")
    paths = multipath or [message]
    metrics = message.get("metrics")
    known = [(k, v) for k, v in metrics["attrs"] if k in _METRICS] if metrics else []
    source = message.get("prefsrc")
    return Route(
        destination=_destination(message),
        hops=tuple(_read_hop(p, names, nested=bool(multipath)) for p in paths if _has_hop(p)),
        metric=message.get("priority") or 0,
        table=message.get("table"),
        source=ip_address(source) if source else None,
        protocol=message["proto"],
        kind=message["type"],
        scope=message["scope"] if message["family"] == socket.AF_INET else 0,
        tos=message["tos"],
        metrics=tuple((_METRICS[k], v) for k, v in known),
        preference=message.get("pref") or 0,
    )


def rule(message: Message) -> PolicyRule:
    mark, suppress = message.get("fwmark"), message.get("suppress_prefixlen")
    return PolicyRule(
        version=4 if message["family"] == socket.AF_INET else 6,
        priority=message.get("priority") or 0,
        source=_network(message, "src"),
        destination=_network(message, "dst"),
        mark=None if mark is None else (mark, message.get("fwmask")),
        iif=message.get("iifname"),
        oif=message.get("oifname"),
        table=message.get("table"),
        kind=message["action"],
        protocol=message.get("protocol") or 0,
        suppress=None if suppress in (None, _NOTHING_SUPPRESSED) else suppress,
        more=tuple(_more(message)),
    )


def _more(message: Message) -> Iterator[tuple[str, int | str]]:
    if message["tos"]:
        yield "tos", message["tos"]
    if message["flags"] & _FIB_RULE_INVERT:
        yield "flags", _FIB_RULE_INVERT
    for name, value in message["attrs"]:
        if name in _SELECTORS and value != _FOREVER:  # -1 says that nothing is suppressed
            yield name.removeprefix("FRA_").lower(), value


def _network(message: Message, word: str) -> Network_ | None:
    address = message.get(word)
    return ip_network(f"{address}/{message[f'{word}_len']}") if address else None


def _has_hop(path: Message) -> bool:
    return any(path.get(word) is not None for word in ("oif", "gateway", "via"))


def _read_hop(path: Message, names: dict[int, str], *, nested: bool) -> Hop:
    # RTA_VIA: a gateway of the other family, e.g. `default via inet6 fe80::1` of IPv4.
    via = path.get("gateway") or (path.get("via") or {}).get("addr")
    return Hop(
        dev=names.get(path.get("oif")),
        via=ip_address(via) if via else None,
        onlink=bool(path["flags"] & _RTNH_F_ONLINK),
        weight=path["hops"] + 1 if nested else 1,
    )


def _destination(message: Message) -> Network_:
    length = message["dst_len"]
    if message["family"] == socket.AF_INET:
        return IPv4Network((message.get("dst") or "0.0.0.0", length))
    return IPv6Network((message.get("dst") or "::", length))


def kept_by_kernel(route: Route, addresses: Collection[Address]) -> bool:
    """Whether the kernel itself made `route`, and makes it again with its address.

    A connected route of the kernel's protocol that belongs to a `noprefixroute` address was made
    by a network manager, and must be restored by whoever restores that address.
    """
    if route.protocol != _RTPROT_KERNEL:
        return False
    brought = {(a.dev, a.interface.network) for a in addresses if not a.noprefixroute}
    manual = {(a.dev, a.interface.network) for a in addresses if a.noprefixroute} - brought
    return not any((dev, route.destination) in manual for dev in route.devs)


def missing(address: Address, routes: Iterable[Route]) -> tuple[str, ...]:
    """Those of the routes that the kernel makes with an address that are not among `routes`."""
    ip, near = address.interface.ip, address.interface.network
    if address.peer is not None:
        near = ip_interface(f"{address.peer}/{near.prefixlen}").network
    there = {(r.table == _RT_TABLE_LOCAL, r.destination) for r in routes if address.dev in r.devs}
    wanted = [(True, ip_interface(ip).network)]
    if near.prefixlen < near.max_prefixlen and not address.noprefixroute:
        wanted.append((False, near))
    words = (
        (f"local {one.network_address}" if own else str(one), (own, one)) for own, one in wanted
    )
    return tuple(word for word, one in words if one not in there)
