"""Whole addresses and prefixes that are translated in both directions.

    one_to_one_ipv4      public address -> inner host
    one_to_one_out_ipv4  inner host     -> public address
    prefixes             public prefix  -> inner prefix
    prefixes_out         inner prefix   -> public prefix

The kernel does it for the first packet and remembers; but what it does is the same at every time,
so connections survive a router that has forgotten them.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.families import Family, by_uplink, families, family, outer
from nftnsr.spec.model import Router, Uplink
from nftnsr.state.model import Set
from nftnsr.state.words import TABLE


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        pairs = [(p.public, p.inner) for p in router.one_to_one if p.public in each.alone]
        declared = (f"type {each.address_type} : {each.address_type}",)
        if pairs:
            inward = frozenset(f"{public} : {inner}" for public, inner in pairs)
            yield Set(TABLE, "map", f"one_to_one_{each.name}", declared, inward)
        for uplink in router.uplinks:
            here = [(p, inner) for p, inner in pairs if router.uplink_for(p) == uplink]
            if outward := frozenset(f"{inner} : {public}" for public, inner in here):
                yield Set(TABLE, "map", out_name(uplink, each), declared, outward)
    if _prefixes(router):
        intervals = ("type ipv6_addr : interval ipv6_addr", "flags interval")
        inward = frozenset(f"{p.public} : {p.inner}" for p in router.prefix_translation)
        outward = frozenset(f"{p.inner} : {p.public}" for p in router.prefix_translation)
        yield Set(TABLE, "map", "prefixes", intervals, inward)
        yield Set(TABLE, "map", "prefixes_out", intervals, outward)


def rules(router: Router) -> Iterator[str]:
    """For destinations; what leaves is in sources.py."""
    come = "" if router.hairpin else f"iifname {outer(router)} "
    for each in families(router):
        if each.alone:
            ip = each.keyword
            yield f"{come}dnat {ip} to {ip} daddr map @one_to_one_{each.name}"
    if _prefixes(router):
        yield f"{come}dnat ip6 prefix to ip6 daddr map @prefixes"


def out_name(uplink: Uplink, each: Family) -> str:
    """Of the map for what leaves by one uplink, which has public addresses of its own."""
    return by_uplink(f"one_to_one_out_{each.name}", uplink)


def _prefixes(router: Router) -> bool:
    return bool(router.prefix_translation) and family(router, 6) is not None
