"""Forwards to several servers: which one a new connection gets.

A verdict map leads to a chain that chooses a number, by the hash of the source or in turn, and the
number's own map says where its server is:

    balance_ipv4 { tcp . 443 : goto by_source_3_ipv4 }
    chain by_source_3_ipv4 { jhash ip saddr mod 3 vmap { 0 : goto server_1_ipv4, ... } }
    chain server_1_ipv4 { dnat ip to meta l4proto . th dport map @server_1_ipv4 }

A choice by hash is the same for all forwards with as many servers, so they share its chain. One
in turn is not: each forward has its own, or those that are used in step would split their servers.
(A number as a part of a map's key would save the chains, but nft 1.0.6 has no type for it.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import assert_never

from attrs import Factory, define

from nftnsr.compile.families import Family, families
from nftnsr.compile.ways import Match, Way, transports, ways
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE

_SEED = "0x6e6674"
"""Any, but always the same: with one of the kernel's, every apply would move the clients."""


@define
class _Group:
    """What balanced forwards with the same kind of key need."""

    verdicts: set[str] = Factory(set)
    choices: dict[str, tuple[str, int]] = Factory(dict)
    """By the name of its chain, how a number is chosen, and of how many."""
    servers: dict[int, set[str]] = Factory(lambda: defaultdict(set))
    """By their number, the elements of their map."""


def sets(router: Router) -> Iterator[Set]:
    for each, match, group in _groups(router):
        declared = match.declaration(each, "verdict")
        verdicts = frozenset(group.verdicts)
        yield Set(TABLE, "map", match.name("balance", each), declared, verdicts)
        declared = (*match.declaration(each, match.destination(each)), "counter")
        for number, elements in sorted(group.servers.items()):
            name = match.name(f"server_{number}", each)
            yield Set(TABLE, "map", name, declared, frozenset(elements))


def chains(router: Router) -> Iterator[Chain]:
    for each, match, group in _groups(router):
        protocols = f"{transports(router)} " if match.addresses or match.sources else ""
        for number in sorted(group.servers):
            name = match.name(f"server_{number}", each)
            rule = f"{protocols}dnat {each.keyword} to {match.key(each)} map @{name}"
            yield Chain(TABLE, name, "", (rule,))
        for chain, (choice, count) in sorted(group.choices.items()):
            numbers = (f"{n} : goto {match.name(f'server_{n + 1}', each)}" for n in range(count))
            yield Chain(TABLE, chain, "", (f"{choice} vmap {{ {', '.join(numbers)} }}",))


def rules(router: Router) -> Iterator[str]:
    for each, match, _ in _groups(router):
        yield rule(router, each, match)


def rule(router: Router, each: Family, match: Match, *, local: bool = False) -> str:
    name = match.name("balance", each)
    return f"{match.guard(each, router, local=local)}{match.key(each)} vmap @{name}"


def _groups(router: Router) -> Iterator[tuple[Family, Match, _Group]]:
    for each in families(router):
        found: dict[Match, _Group] = defaultdict(_Group)
        balanced = (w for w in ways(router, each) if len(w.targets) > 1)
        for way in balanced:
            for match, keys, values in way.pieces(router):
                group = found[match]
                chain, choice = _choice(way, match)
                group.choices[chain] = choice, len(values)
                group.verdicts |= {f"{key} : goto {chain}" for key in keys}
                for server, value in enumerate(values, 1):
                    group.servers[server] |= {f"{key} : {value}" for key in keys}
        for match in sorted(found, key=lambda m: m.order):
            yield each, match, found[match]


def _choice(way: Way, kind: Match) -> tuple[str, str]:
    """The name of the chain, and the number that it chooses."""
    each, count = way.each, len(way.targets)
    match way.forward.balance:
        case "source":
            name = kind.name(f"by_source_{count}", each)
            return name, f"jhash {each.keyword} saddr mod {count} seed {_SEED}"
        case "round-robin":
            return kind.name(f"in_turn_{way.word}", each), f"numgen inc mod {count}"
        case _:
            assert_never(way.forward.balance)
