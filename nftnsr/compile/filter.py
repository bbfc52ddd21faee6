"""The forward filter: what may pass through the router, and nothing else.

A layer-2 neighbour of the uplink can send packets for any destination to the router's MAC. So the
policy is drop; out goes what comes from inside with an address of the inside, in goes what a
forward translated, and over IPv6 what is meant for the host's own addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import drops, egress
from nftnsr.compile.families import Family, Side, families, family, inner, outer, ways_out
from nftnsr.compile.ways import Way, untranslated, ways
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, anonymous_set, nft_network

_ANYONE, _SOURCES = "inbound_ipv6", "inbound_ipv6_sources"
_OPEN, _OPEN_SOURCES = "open_ipv6", "open_ipv6_sources"


def sets(router: Router) -> Iterator[Set]:
    """What is open over IPv6: ports of the host, and those of forwards that do not translate."""
    each = family(router, 6)
    if each is None or not router.forward_filter:
        return
    if _closed(router) and each.open:
        yield from _ports_of_host(router, each)
    for restricted, name in enumerate((_OPEN, _OPEN_SOURCES)):
        here = (w for w in untranslated(router, each) if bool(w.sources) is bool(restricted))
        if found := frozenset(key for w in here for key in _keys(w)):
            key = " . ".join(["ipv6_addr"] * (1 + restricted) + ["inet_proto", "inet_service"])
            yield Set(TABLE, "set", name, (f"type {key}", "flags interval"), found)


def _ports_of_host(router: Router, each: Family) -> Iterator[Set]:
    """Where `inbound_ipv6` is "forwards"."""
    # Its own address is not the public one that `address` names.
    here = [w for w in ways(router, each) if w.forward.to_host and not w.addresses]
    port = "inet_proto . inet_service"
    if anyone := frozenset(key for w in here if not w.sources for key in _keys(w)):
        yield Set(TABLE, "set", _ANYONE, (f"type {port}", "flags interval"), anyone)
    if some := frozenset(key for w in here if w.sources for key in _keys(w)):
        yield Set(TABLE, "set", _SOURCES, (f"type ipv6_addr . {port}", "flags interval"), some)


def chains(router: Router) -> Iterator[Chain]:
    policy = "drop" if router.forward_filter else "accept"
    hook = f"type filter hook forward priority filter; policy {policy};"
    if rules := tuple(_rules(router)):
        yield Chain(TABLE, "forward", hook, rules)


def _rules(router: Router) -> Iterator[str]:
    verdicts = ["established : accept", "related : accept"] * router.forward_filter
    verdicts += [f"invalid : {drops.drop(router)}"] * router.drop_invalid
    if verdicts:
        # An invalid packet is not translated: it would leave with its private source address.
        yield f"ct state vmap {{ {', '.join(verdicts)} }}"
    if not router.forward_filter:
        return
    for each in families(router):
        yield from egress.rules(router, each)
        for side in each.sides:
            yield from _from_inside(router, each, side)
    # By a forward, or by the handover of a connection that is older than the router.
    yield f"oifname {inner(router)} ct status dnat accept"
    if each6 := family(router, 6):
        yield from _inbound(router, each6)
    yield from drops.rest(router)


def _from_inside(router: Router, each: Family, side: Side) -> Iterator[str]:
    """Each side with its own addresses: over IPv6 nothing else keeps them apart (no rp_filter)."""
    come, source = f'iifname "{side.link.peer}"', f"{each.keyword} saddr"
    for out, there in ways_out(router, each):
        if routed := there.routed_from(side):
            allowed = anonymous_set(map(nft_network, routed))
            yield f"{come} oifname {out} {source} {allowed} accept"
    others = [f'"{link.peer}"' for link in router.links if link != side.link]
    if others and side.inside:
        across = f"{come} oifname {anonymous_set(others)}"
        yield f"{across} {source} {anonymous_set(map(nft_network, side.inside))} accept"


def _inbound(router: Router, each: Family) -> Iterator[str]:
    come = f"iifname {outer(router)} oifname"
    if networks := [nft_network(n) for n in router.filter.inbound]:
        yield f"{come} {inner(router)} ip6 daddr {anonymous_set(networks)} accept"
    used = {s.name for s in sets(router)}
    port = "ip6 daddr . meta l4proto . th dport"
    for name, key in ((_OPEN, port), (_OPEN_SOURCES, f"ip6 saddr . {port}")):
        if name in used:
            yield f"{come} {inner(router)} {key} @{name} accept"
    own = [nft_network(n) for n in each.open]
    if not own:
        return
    to_host = f'{come} "{router.host.peer}" ip6 daddr {anonymous_set(own)}'
    if not _closed(router):
        yield f"{to_host} accept"
        return
    yield f"{to_host} icmpv6 type echo-request accept"
    if _ANYONE in used:
        yield f"{to_host} meta l4proto . th dport @{_ANYONE} accept"
    if _SOURCES in used:
        yield f"{to_host} ip6 saddr . meta l4proto . th dport @{_SOURCES} accept"


def _keys(way: Way) -> Iterator[str]:
    return (key for ports in way.forward.ports for key in way.keys(ports, way.sources))


def _closed(router: Router) -> bool:
    return router.forward_filter and router.inbound_ipv6 == "forwards"
