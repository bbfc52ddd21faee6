"""Where what is behind the router may go out to, for the networks of which `egress` says it.

Each of them has a chain of its own, which a map finds by the source: however many networks there
are, a new connection only meets the rules of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nftnsr.compile import drops
from nftnsr.compile.families import Family, families, inner, is_ula, ways_out
from nftnsr.spec.model import Address, Egress, Network, Router
from nftnsr.state.model import Chain
from nftnsr.state.words import TABLE, anonymous_set, nft_network

_NO_WORD = re.compile(r"[^\w.-]", re.ASCII)


def rules(router: Router, each: Family) -> Iterator[str]:
    """For the forward chain, before the rule that lets everything go out."""
    for out, there in ways_out(router, each):
        verdicts = [
            f"{nft_network(part)} : goto {_name(source)}"
            for source in _sources(router, each)
            for part in (there.translated_of(source) if is_ula(source) else (source,))
        ]
        if verdicts:
            go = f"iifname {inner(router)} oifname {out}"
            yield f"{go} {each.keyword} saddr vmap {{ {', '.join(verdicts)} }}"


def chains(router: Router) -> Iterator[Chain]:
    for each in families(router):
        for source in _sources(router, each):
            allowed = [e for e in router.filter.egress if e.source == source and not e.nothing]
            accepting = tuple(_rule(each, e) for e in allowed)
            yield Chain(TABLE, _name(source), "", (*accepting, drops.drop(router)))


def restricted(router: Router, address: Address) -> bool:
    """Whether `address`, which is behind the router, has no free way out."""
    return any(address in e.source for e in router.filter.egress)


def allowed(router: Router, address: Address) -> tuple[Egress, ...]:
    """The ways out that a restricted address has."""
    return tuple(e for e in router.filter.egress if address in e.source and not e.nothing)


def _sources(router: Router, each: Family) -> list[Network]:
    """The networks that have no free way out."""
    named = {e.source for e in router.filter.egress if e.source.version == each.version}
    found = (n for n in named if not is_ula(n) or each.translated_of(n))
    return sorted(found, key=lambda n: (n.network_address, n.prefixlen))


def _rule(each: Family, egress: Egress) -> str:
    words = []
    if egress.destination is not None:
        words.append(f"{each.keyword} daddr {nft_network(egress.destination)}")
    if egress.ports:
        protocols = anonymous_set(egress.protocols)
        ports = anonymous_set(map(str, egress.ports))
        words.append(f"meta l4proto {protocols} th dport {ports}")
    return " ".join([*words, "accept"])


def _name(source: Network) -> str:
    """`egress_10.42.0.0_24`: nft's names have neither slashes nor colons."""
    return "egress_" + _NO_WORD.sub("_", nft_network(source))
