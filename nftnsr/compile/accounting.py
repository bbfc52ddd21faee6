"""Accounting, where `counters` asks for it: the packets and bytes of each forward, both ways.

The elements of the translation maps count too, but only first packets: the rest of a connection
never asks them again. Here every packet of a connection that a forward translated is looked up by
what its first packet was sent to (`ct original proto-dst`), in either direction, whoever sent it:

    traffic          family . protocol . port
    traffic_ranges   family . protocol . ports

It is looked up after the filter, so that only what passed is counted. One lookup, by hash, is
about 0.3 us: 6 % of a stream of the smallest datagrams through one core, not measurable in a TCP
stream of 20 Gbit/s, where 64 KiB come at once, and count as one packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from nftnsr.compile.families import families
from nftnsr.compile.ways import way
from nftnsr.spec.model import Forward, Ports, Protocol, Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, anonymous_set

SINGLES, RANGES = "traffic", "traffic_ranges"
_HOOK = "type filter hook forward priority filter + 1; policy accept;"
_KEY = "type nf_proto . inet_proto . inet_service"


@frozen
class Service:
    """What a forward looks like from outside, and by what it is counted."""

    family: str
    """As in `meta nfproto ipv4`."""
    protocol: Protocol
    ports: Ports

    def __str__(self) -> str:
        return f"{self.family} . {self.protocol} . {self.ports}"


def sets(router: Router) -> Iterator[Set]:
    singles, ranges = _services(router)
    if singles:
        yield Set(TABLE, "set", SINGLES, (_KEY, "counter"), _elements(singles))
    if ranges:
        yield Set(TABLE, "set", RANGES, (_KEY, "flags interval", "counter"), _elements(ranges))


def chains(router: Router) -> Iterator[Chain]:
    services = zip((SINGLES, RANGES), _services(router), strict=True)
    rules = tuple(_rule(name, group) for name, group in services if group)
    if rules:
        yield Chain(TABLE, "accounting", _HOOK, rules)


def services(router: Router, forward: Forward) -> tuple[Service, ...]:
    """All that a forward translates, in each family in which it leads anywhere."""
    return tuple(
        Service(each.name, protocol, ports)
        for each in families(router)
        if forward.nat and way(forward, each) is not None
        for protocol in forward.protocols
        for ports in forward.ports
    )


def _rule(name: str, group: Iterable[Service]) -> str:
    # nft (1.0.6) does not know what a `proto-dst` is before it has seen a transport protocol.
    protocols = anonymous_set(sorted({each.protocol for each in group}))
    key = "meta nfproto . meta l4proto . ct original proto-dst"
    return f"ct status dnat meta l4proto {protocols} {key} @{name}"


def _elements(group: Iterable[Service]) -> frozenset[str]:
    return frozenset(map(str, group))


def _services(router: Router) -> tuple[tuple[Service, ...], tuple[Service, ...]]:
    """Single ports, and ranges that do not overlap: a set takes no others."""
    if not router.counters:
        return (), ()
    every = [s for f in router.forward for s in services(router, f)]
    singles = tuple(dict.fromkeys(s for s in every if s.ports.single))
    return singles, tuple(_apart(s for s in every if not s.ports.single))


def _apart(ranges: Iterable[Service]) -> Iterator[Service]:
    """`ranges`, cut where one of them begins or ends within another."""
    turns: dict[tuple[str, Protocol], dict[int, int]] = {}
    for each in ranges:
        at = turns.setdefault((each.family, each.protocol), {})
        at[each.ports.first] = at.get(each.ports.first, 0) + 1
        at[each.ports.last + 1] = at.get(each.ports.last + 1, 0) - 1
    for (family, protocol), at in turns.items():
        begin = depth = 0
        for port in sorted(at):
            if depth:
                yield Service(family, protocol, Ports(begin, port - 1))
            begin, depth = port, depth + at[port]
