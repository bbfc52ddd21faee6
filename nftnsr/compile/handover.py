"""Handover: connections that were open before the uplink moved go on after it.

A connection keeps both its addresses for life. So while one lives whose own address the host has
no more, the host keeps that address on its loopback, and tables of their own translate between
it and the address that the host has now, flow by flow; the far end sees no difference. Where there
are several uplinks the router's table also says by which one a connection goes on.

    applied:  far end <-> public --router's table--> veth's address --host's table--> public
    down:     far end <-> public --host's table--> veth's address

When the last such socket is closed, nothing of it is wanted any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from ipaddress import IPv4Interface

from attrs import frozen

from nftnsr.compile.families import family, outer
from nftnsr.compile.uplinks import several
from nftnsr.spec.model import Router
from nftnsr.state.flows import Connection, Flow, flows_of
from nftnsr.state.model import (
    HOST,
    PARKED,
    Address,
    Address_,
    Chain,
    Item,
    Namespace,
    Set,
    State,
    Table,
)
from nftnsr.state.words import HANDOVER, anonymous_set, handover_table, return_table

# Before the router's own chains, and before the host's (docker's are at dstnat and srcnat): what
# a packet is translated to is decided by the first that says anything.
_PREROUTING = "type nat hook prerouting priority dstnat - 10; policy accept;"
_POSTROUTING = "type nat hook postrouting priority srcnat - 10; policy accept;"
_KEY = "type ipv4_addr . inet_service . inet_proto . inet_service"
_TYPE = f"{_KEY} : ipv4_addr . inet_service"
_IN, _OUT, _VIA = "inward", "outward", "via"
# Before the router's own chain says to which uplink the packets of a mark go.
_MARKING = "type filter hook prerouting priority mangle - 10; policy accept;"
_WORD = re.compile(r"[\w.-]{1,200}", re.ASCII)
_SCOPE_HOST = 254  # so that it never becomes the source of a new connection

End = tuple[Address_, int]


@frozen
class _Hop:
    """How one table changes the host's end of a connection: as it comes in, and as it goes on."""

    connection: Connection
    outer: End
    inner: End


def applied(router: Router, flows: Collection[Flow]) -> State:
    """What `flows` need while the uplink is in the router's namespace."""
    each = family(router, 4)
    if each is None or not each.host or not router.host.default_route:
        return State({HOST: Namespace(), router.name: Namespace()})
    veth = [i.ip for i in each.host]
    # With an address that no uplink has any more a connection has ended, whatever its socket says.
    flows = [f for f in flows if f.public in {i.ip for i in each.public}]
    in_router, in_host = [], []
    for flow in _abroad(flows):
        own = (flow.connection.local, flow.connection.local_port)
        between = own if own[0] in veth else (veth[0], own[1])
        in_router.append(_Hop(flow.connection, (flow.public, flow.public_port), between))
        in_host.append(_Hop(flow.connection, between, own))
    host: tuple[Item, ...] = (
        *_parked({f.connection.local for f in flows} - set(veth)),
        *_table(handover_table(_word(router.name)), f'"{router.host.interface}"', in_host),
    )
    space = (*_table(HANDOVER, outer(router), in_router), *_marks(router, in_router))
    return State({HOST: Namespace(host), router.name: Namespace(space)})


def returned(name: str, uplinks: Iterable[str], flows: Collection[Flow]) -> State:
    """What `flows` need once the uplinks are back in the host's namespace."""
    hops = [
        _Hop(f.connection, (f.public, f.public_port), (f.connection.local, f.connection.local_port))
        for f in _abroad(flows)
    ]
    devs = anonymous_set(f'"{uplink}"' for uplink in uplinks)
    host: tuple[Item, ...] = (
        *_parked({f.connection.local for f in flows} - {f.public for f in flows}),
        *_table(return_table(_word(name)), devs, hops),
    )
    return State({HOST: Namespace(host)})


def places(router: Router) -> State:
    """Where there may be something of a handover, for an observation."""
    ips = (i.ip for i in (*router.addresses, *router.host.addresses) if i.version == 4)
    tables = (Table(*handover_table(_word(router.name))), Table(*return_table(_word(router.name))))
    host: tuple[Item, ...] = (*tables, *_parked(ips))
    return State({HOST: Namespace(host), router.name: Namespace((Table(*HANDOVER),))})


def among(found: State, places: State) -> State:
    """The part of `found` that belongs to the handover with these `places`."""

    def part(name: str) -> Namespace:
        keys = places[name].by_key.keys()
        items = found[name].items
        return Namespace(
            tuple(
                i for i in items
                if i.key in keys
                or (isinstance(i, Chain | Set) and ("table", *i.table) in keys)
            )
        )  # fmt: skip

    return State({name: part(name) for name in places.namespaces if name in found})


def public_ends(found: State, name: str) -> Mapping[tuple[str, Address_, int, int], End]:
    """(protocol, far address and port, own port) -> public end, as the tables found have it."""
    ends: dict[tuple[str, Address_, int, int], End] = {}
    for space, table in ((HOST, return_table(_word(name))), (name, HANDOVER)):
        outward = found[space].by_key.get(("map", table, _OUT))
        for each in flows_of(outward, outward.elements) if isinstance(outward, Set) else ():
            if (public := each.connection) and each.ports is not None:
                far = (public.protocol, public.remote, public.remote_port)
                ends[(*far, each.ports[0])] = (public.local, public.local_port)
    return ends


def _table(table: tuple[str, str], devs: str, hops: Iterable[_Hop]) -> tuple[Item, ...]:
    """A table that translates at `devs`; an end that stays the same needs no translation."""
    hops = sorted((h for h in hops if h.outer != h.inner), key=str)
    if not hops:
        return ()
    inward = _elements((h.connection, h.outer, h.inner) for h in hops)
    outward = _elements((h.connection, h.inner, h.outer) for h in hops)
    outside = anonymous_set(sorted({str(h.outer[0]) for h in hops}))
    inside = anonymous_set(sorted({str(h.inner[0]) for h in hops}))
    # nft wants to have seen a transport protocol before a port mapping.
    ports = "meta l4proto { tcp, udp }"
    come = f"iifname {devs} ip daddr {outside} {ports}"
    go = f"oifname {devs} ip saddr {inside} {ports}"
    dnat = f"{come} dnat ip to ip saddr . th sport . meta l4proto . th dport map @{_IN}"
    snat = f"{go} snat ip to ip daddr . th dport . meta l4proto . th sport map @{_OUT}"
    return (
        Table(*table),
        Set(table, "map", _IN, (_TYPE,), inward),
        Set(table, "map", _OUT, (_TYPE,), outward),
        Chain(table, "prerouting", _PREROUTING, (dnat,)),
        Chain(table, "postrouting", _POSTROUTING, (snat,)),
    )


def _marks(router: Router, hops: Iterable[_Hop]) -> Iterator[Item]:
    """Whoever speaks first, a connection leaves by the uplink that has its public address."""
    if not several(router):
        return
    elements: dict[str, int] = {}
    for hop in sorted(hops, key=str):
        mark = router.uplink_for(hop.outer[0]).mark
        elements.setdefault(_key(hop.connection, hop.inner[1]), mark)
    if not elements:
        return
    yield Set(HANDOVER, "map", _VIA, (f"{_KEY} : mark",),
              frozenset(f"{key} : {mark:#x}" for key, mark in elements.items()))  # fmt: skip
    far = f"ip daddr . th dport . meta l4proto . th sport map @{_VIA}"
    come = f'iifname "{router.host.peer}" meta l4proto {{ tcp, udp }}'
    yield Chain(HANDOVER, "uplinks", _MARKING, (f"{come} meta mark set {far}",))


def _elements(translations: Iterable[tuple[Connection, End, End]]) -> frozenset[str]:
    """One for each key: of two connections that differ in the host's address alone one lives on."""
    found: dict[str, str] = {}
    for connection, before, after in translations:
        found.setdefault(_key(connection, before[1]), f"{after[0]} . {after[1]}")
    return frozenset(f"{key} : {value}" for key, value in found.items())


def _key(connection: Connection, own_port: int) -> str:
    far = f"{connection.remote} . {connection.remote_port}"
    return f"{far} . {connection.protocol} . {own_port}"


def _abroad(flows: Collection[Flow]) -> list[Flow]:
    """Without those from the host to itself: the loopback alone keeps them."""
    own = {f.connection.local for f in flows}
    return [f for f in flows if f.connection.remote not in own]


def _parked(addresses: Iterable[Address_]) -> tuple[Address, ...]:
    found = (IPv4Interface((a, 32)) for a in sorted(addresses))
    return tuple(Address("lo", i, scope=_SCOPE_HOST, label=PARKED) for i in found)


def _word(router: str) -> str:
    """A router's name in nft's syntax, which has no quotes for the name of a table."""
    return router if _WORD.fullmatch(router) else sha256(router.encode()).hexdigest()
