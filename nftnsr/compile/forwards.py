"""Forwards to one server, as maps from what a new connection looks like to where it leads.

However many forwards there are, a new connection costs one lookup for each map that the router
has, and it has only those that its forwards need:

    forward_ipv4              protocol . port          -> address . port
    forward_ipv4_ranges       protocol . ports         -> address (the port stays)
    forward_ipv4_outside      the same, for what comes in by the uplink only (no hairpin)
    forward_ipv4_sources      source . protocol . port -> ..., for forwards with `from`
    forward_ipv4_addresses    public address . protocol . port -> ..., for those with `address`

and so on with several of these words in a name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from nftnsr.compile.families import Family, families
from nftnsr.compile.ways import Match, ways
from nftnsr.spec.model import Router
from nftnsr.state.model import Set
from nftnsr.state.words import TABLE


def sets(router: Router) -> Iterator[Set]:
    for each in families(router):
        for match, elements in _maps(router, each).items():
            declared = (*match.declaration(each, match.destination(each)), "counter")
            yield Set(TABLE, "map", match.name("forward", each), declared, frozenset(elements))


def rules(router: Router) -> Iterator[str]:
    for each in families(router):
        for match in _maps(router, each):
            yield rule(router, each, match)


def rule(router: Router, each: Family, match: Match, *, local: bool = False) -> str:
    to = f"dnat {each.keyword} to {match.key(each)} map @{match.name('forward', each)}"
    return match.guard(each, router, local=local) + to


def _maps(router: Router, each: Family) -> Mapping[Match, list[str]]:
    """The maps that the forwards need in this family, with their elements."""
    found: dict[Match, list[str]] = defaultdict(list)
    for way in ways(router, each):
        if len(way.targets) == 1:
            for match, keys, (value,) in way.pieces(router):
                found[match] += [f"{key} : {value}" for key in keys]
    return dict(sorted(found.items(), key=lambda item: item[0].order))
