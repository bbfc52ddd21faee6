"""rtnetlink messages, as pyroute2 gives them, read as nouns of a state."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from nftnsr.kernel.identity import kind, permanent
from nftnsr.state.model import Address, Hop, Interface_, Link, Network_, PolicyRule, Route

Message = Any  # pyroute2's messages are untyped dictionaries

_IFF_UP = 1
_IFA_F_NOPREFIXROUTE, _IFA_F_DEPRECATED = 0x200, 0x20
_FOREVER = 0xFFFFFFFF
_RTPROT_KERNEL, _RTNH_F_ONLINK = 2, 4
_METRICS = {"RTAX_MTU": "mtu", "RTAX_ADVMSS": "advmss", "RTAX_HOPLIMIT": "hoplimit",
            "RTAX_INITCWND": "initcwnd", "RTAX_INITRWND": "initrwnd", "RTAX_WINDOW": "window",
            "RTAX_RTT": "rtt", "RTAX_CWND": "cwnd", "RTAX_QUICKACK": "quickack"}  # fmt: skip


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
        called=message.get("ifname"),
        altnames=altnames(message),
        kind=kind(message),
        permanent=permanent(message),
        master=(kind(master) or "interface", master.get("ifname")) if master else None,
    )


def altnames(message: Message) -> tuple[str, ...]:
    properties = message.get("prop_list")
    return tuple(properties.get_attrs("IFLA_ALT_IFNAME")) if properties else ()


def _words(alias: str | bytes | None) -> str:
    """An alias; anybody may have put bytes in it that are no UTF-8."""
    return alias.decode(errors="backslashreplace") if isinstance(alias, bytes) else alias or ""


def address(message: Message, dev: str, flags: int) -> Address:
    local = message.get("local") or message.get("address")
    other = message.get("address")
    interface: Interface_ = ip_interface(f"{local}/{message['prefixlen']}")
    cache = message.get("cacheinfo") or {}
    lifetime = (cache.get("ifa_valid", _FOREVER), cache.get("ifa_preferred", _FOREVER))
    broadcast = message.get("broadcast")
    return Address(
        dev=dev,
        interface=interface,
        peer=ip_address(other) if other and other != local else None,
        broadcast=ip_address(broadcast) if broadcast else None,  # type: ignore[arg-type]
        scope=message["scope"] if interface.version == 4 else None,
        label=message.get("label"),
        metric=message.get("rt_priority"),
        noprefixroute=bool(flags & _IFA_F_NOPREFIXROUTE),
        deprecated=bool(flags & _IFA_F_DEPRECATED),
        lifetime=None if lifetime == (_FOREVER, _FOREVER) else lifetime,
    )


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
    mark = message.get("fwmark")
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
    )


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
    manual = {(a.dev, a.interface.network) for a in addresses if a.noprefixroute}
    return not any((dev, route.destination) in manual for dev in route.devs)
