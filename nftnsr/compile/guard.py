"""The guard: what is dropped wherever it is going, before connection tracking sees it.

Packets of networks that nobody has, of block lists (which end what is established, too), and of
sources that are not on the link they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from nftnsr.compile.drops import drop
from nftnsr.compile.families import Family, families, family, inner, outer
from nftnsr.spec.model import NOBODYS, Address, Blocklist, Network, Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, nft_network

BOGONS = "bogons"

_HOOK = "type filter hook prerouting priority raw; policy accept;"


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        if router.filter.bogons:
            yield _set("bogons", each, _bogons(router, each.version))
        yield from _lists(router, each)


def blocklist_sets(router: Router) -> Iterator[Set]:
    """Those of the block lists alone; nft lists networks in the very words in which they are."""
    return (found for each in families(router) for found in _lists(router, each))


def chains(router: Router) -> Iterator[Chain]:
    if rules := tuple(_rules(router)):
        yield Chain(TABLE, "guard", _HOOK, rules)


def shunned(router: Router) -> Iterator[tuple[str, tuple[Network, ...]]]:
    """What the guard keeps out, by what a person calls it."""
    if router.filter.bogons:
        yield BOGONS, tuple(n for each in families(router) for n in _bogons(router, each.version))
    for each in router.filter.blocklists:
        yield f"block list {each.name}", each.networks


def keeps_out(router: Router, address: Address) -> bool:
    """Whether nothing of `address` gets past the guard."""
    return any(address in n for _, networks in shunned(router) for n in networks)


def _bogons(router: Router, version: int) -> tuple[Network, ...]:
    """The networks of nobody, without those that the uplinks are in, and without their gateways."""
    near = [i.network for i in router.addresses if i.version == version]
    near += [IPv4Network(g) for g in router.gateways if g.version == version == 4]
    near += [IPv6Network(g) for g in router.gateways if g.version == version == 6]
    return tuple(n for bogon in NOBODYS if bogon.version == version for n in _without(bogon, near))


def _rules(router: Router) -> Iterator[str]:
    asked, verdict = router.filter, drop(router)
    come, go = f"iifname {outer(router)}", f"iifname {inner(router)}"
    for each in families(router):
        if asked.bogons:
            yield f"{come} {each.keyword} saddr @{BOGONS}_{each.name} {verdict}"
        for blocklist in asked.blocklists:
            name = f"@{_name(blocklist)}_{each.name}"
            yield f"{come} {each.keyword} saddr {name} {verdict}"
            yield f"{go} {each.keyword} daddr {name} {verdict}"
    if asked.reverse_path_ipv6 and family(router, 6):
        # A neighbour that looks for a duplicate of its address has none yet, and comes from ::.
        yield f"{come} ip6 saddr != :: fib saddr . iif oif missing {verdict}"


def _lists(router: Router, each: Family) -> Iterator[Set]:
    return (_set(_name(b), each, _of(b, each)) for b in router.filter.blocklists)


def _set(name: str, each: Family, networks: Iterable[Network]) -> Set:
    elements = frozenset(map(nft_network, networks))
    lines = (f"type {each.address_type}", "flags interval")
    return Set(TABLE, "set", f"{name}_{each.name}", lines, elements)


def _name(blocklist: Blocklist) -> str:
    return f"block_{blocklist.name}"


def _of(blocklist: Blocklist, each: Family) -> Iterator[Network]:
    return (n for n in blocklist.networks if n.version == each.version)


def _without(network: Network, holes: Iterable[Network]) -> Iterator[Network]:
    """What is left of `network` once `holes` are taken out."""
    for hole in holes:
        if network.subnet_of(hole):  # type: ignore[arg-type]
            return
        if hole.subnet_of(network):  # type: ignore[arg-type]
            for part in network.address_exclude(hole):  # type: ignore[arg-type]
                yield from _without(part, holes)
            return
    yield network
