"""Network address translation: forwards (DNAT), hairpin and masquerade (SNAT).

However many forwards there are, a new connection costs one lookup for each map that the router
has, and it has only those that its forwards need:

    forward_ipv4                    protocol . port          -> address . port
    forward_ipv4_ranges             protocol . ports         -> address (the port stays)
    forward_ipv4_outside[_ranges]   the same, for what comes in by the uplink only (no hairpin)
    forward_ipv4_sources[_ranges]   source . protocol . port -> ..., for forwards with `from`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import collapse_addresses
from itertools import groupby

from attrs import frozen

from nftnsr.compile.families import Family, families, family
from nftnsr.spec.model import Address, Forward, Network, Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, anonymous_set, nft_network

_PREROUTING = "type nat hook prerouting priority dstnat; policy accept;"
_POSTROUTING = "type nat hook postrouting priority srcnat; policy accept;"


@frozen
class Lookup:
    """One kind of map: who may use its forwards, and whether they are ranges."""

    sources: bool
    outside: bool
    ranges: bool

    def name(self, each: Family) -> str:
        words = ["forward", each.name]
        words += ["sources"] * self.sources + ["outside"] * self.outside + ["ranges"] * self.ranges
        return "_".join(words)

    def declaration(self, each: Family) -> tuple[str, ...]:
        key = [each.address_type] * self.sources + ["inet_proto", "inet_service"]
        value = [each.address_type] + ["inet_service"] * (not self.ranges)
        flags = ("flags interval",) if self.sources or self.ranges else ()
        return (f"type {' . '.join(key)} : {' . '.join(value)}", *flags, "counter")

    def rule(self, each: Family, router: Router) -> str:
        daddr = anonymous_set(str(i.ip) for i in each.public)
        match = [f'iifname "{router.uplink}"'] * self.outside
        match += [f"{each.keyword} daddr {daddr}"]
        # nft wants to have seen a transport protocol before a port mapping.
        match += ["meta l4proto { tcp, udp }"] * self.sources
        key = [f"{each.keyword} saddr"] * self.sources + ["meta l4proto", "th dport"]
        target = f"dnat {each.keyword} to {' . '.join(key)} map @{self.name(each)}"
        return " ".join([*match, target])


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        for lookup, forwards in _lookups(router, each):
            elements = frozenset(_elements(router, each, lookup, forwards))
            yield Set(TABLE, "map", lookup.name(each), lookup.declaration(each), elements)


def chains(router: Router) -> Iterator[Chain]:
    lookups = [(each, look) for each in families(router) for look, _ in _lookups(router, each)]
    if lookups:
        rules = tuple(lookup.rule(each, router) for each, lookup in lookups)
        yield Chain(TABLE, "prerouting", _PREROUTING, rules)
    if rules := tuple(_source_rules(router, forwards=bool(lookups))):
        yield Chain(TABLE, "postrouting", _POSTROUTING, rules)


def _source_rules(router: Router, *, forwards: bool) -> Iterator[str]:
    if router.masquerade and family(router, 4):
        yield f'oifname "{router.uplink}" meta nfproto ipv4 masquerade'
    if forwards and router.hairpin:
        # Else the server answers the client directly, past the router, from another address.
        veth = router.host.peer
        yield f'iifname "{veth}" oifname "{veth}" ct status dnat masquerade'


def target(forward: Forward, each: Family) -> Address | None:
    """Where `forward` leads in this family: its target, or the host's first address."""
    if forward.target is not None:
        return forward.target if forward.target.version == each.version else None
    return each.host[0].ip if each.host else None


def sources(forward: Forward, each: Family) -> tuple[Network, ...]:
    """The networks of this family that `forward` names, overlaps joined."""
    return tuple(collapse_addresses(n for n in forward.sources if n.version == each.version))  # type: ignore[type-var]


def _lookups(router: Router, each: Family) -> list[tuple[Lookup, list[Forward]]]:
    def kind(forward: Forward) -> Lookup:
        restricted = bool(forward.sources)
        hairpin = router.hairpin and forward.hairpin
        return Lookup(restricted, not restricted and not hairpin, not forward.ports.single)

    def order(lookup: Lookup) -> tuple[bool, bool, bool]:
        return (lookup.sources, lookup.outside, lookup.ranges)

    here = [f for f in router.forward if target(f, each) is not None]
    here = [f for f in here if not f.sources or sources(f, each)]
    ordered = sorted(here, key=lambda f: order(kind(f)))
    return [(lookup, list(group)) for lookup, group in groupby(ordered, kind)]


def _elements(
    router: Router, each: Family, lookup: Lookup, forwards: Iterable[Forward]
) -> Iterator[str]:
    for forward in forwards:
        port = forward.ports.first if forward.target_port is None else forward.target_port
        value = f"{target(forward, each)}" + ("" if lookup.ranges else f" . {port}")
        key = f"{forward.protocol} . {forward.ports}"
        if not lookup.sources:
            yield f"{key} : {value}"
            continue
        allowed = sources(forward, each)
        if router.hairpin and forward.hairpin:
            allowed = tuple(collapse_addresses((*allowed, *each.inside)))  # type: ignore[type-var]
        yield from (f"{nft_network(n)} . {key} : {value}" for n in allowed)
