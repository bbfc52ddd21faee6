"""Limits on the new connections that one source may make to a forward.

One lookup tells whether a forward is limited, and jumps to its chain, which keeps a token bucket
for each source. It is asked in the nat chain, which sees the first packets of connections and no
others. Over IPv6 a source is a /64, which any customer has for himself. What is from inside is not
limited.

    limit_ipv4           source . destination . protocol . port -> jump limit_tcp_22_ipv4
    limited_tcp_22_ipv4  the sources of this forward, as long as their buckets are not full again
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.drops import drop
from nftnsr.compile.families import Family, families, outer
from nftnsr.compile.ways import FULL, Way, untranslated, ways
from nftnsr.spec.model import Limit, Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE

_MOST = 65535
"""Sources that are remembered for one forward; what comes beside so many is not limited."""
_SHORTEST = 60


def sets(router: Router) -> Iterator[Set]:
    for each, limited in _limited(router):
        jumps = frozenset(
            f"{key} : jump {_name('limit', way)}" for way, _ in limited for key in way.full_keys
        )
        declared = FULL.declaration(each, "verdict")
        yield Set(TABLE, "map", map_name(each), declared, jumps)
        for way, limit in limited:
            lines = (
                f"type {each.address_type}", f"size {_MOST}",
                "flags dynamic,timeout", f"timeout {_seconds(limit)}s",
            )  # fmt: skip
            yield Set(TABLE, "set", _name("limited", way), lines)


def chains(router: Router) -> Iterator[Chain]:
    for each, limited in _limited(router):
        source = "ip saddr" if each.version == 4 else "ip6 saddr & ffff:ffff:ffff:ffff::"
        for way, limit in limited:
            bucket = f"limit rate over {limit.rate} burst {limit.burst} packets"
            keep = f"update @{_name('limited', way)} {{ {source} {bucket} }}"
            yield Chain(TABLE, _name("limit", way), "", (f"{keep} {drop(router)}",))


def rules(router: Router) -> Iterator[str]:
    for each, _ in _limited(router):
        yield f"iifname {outer(router)} {FULL.key(each)} vmap @{map_name(each)}"


def map_name(each: Family) -> str:
    return f"limit_{each.name}"


def _limited(router: Router) -> Iterator[tuple[Family, list[tuple[Way, Limit]]]]:
    for each in families(router):
        every = (*ways(router, each), *untranslated(router, each))
        limited = [(w, w.forward.limit) for w in every if w.forward.limit is not None]
        if limited:
            yield each, sorted(limited, key=lambda pair: pair[0].word)


def _name(what: str, way: Way) -> str:
    return f"{what}_{way.word}_{way.each.name}"


def _seconds(limit: Limit) -> int:
    """How long an empty bucket takes to be full again."""
    return max(_SHORTEST, -(-limit.burst * limit.rate.seconds // limit.rate.number))
