"""Network address translation: its two chains, from the parts that forwards and sources need."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import balance, forwards, limits, sources, synproxy, wholes
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE

_PREROUTING = "type nat hook prerouting priority dstnat; policy accept;"
_POSTROUTING = "type nat hook postrouting priority srcnat; policy accept;"


def sets(router: Router) -> Iterator[Set]:
    for part in (limits, forwards, balance, wholes, sources, synproxy):
        yield from part.sets(router)


def chains(router: Router) -> Iterator[Chain]:
    yield from limits.chains(router)
    yield from balance.chains(router)
    # A connection over its limit is dropped before anything translates it.
    translated = [rule for part in (forwards, balance, wholes) for rule in part.rules(router)]
    # A SYN proxy comes first: it is not asked for an answer to its cookies.
    if inward := (*synproxy.rules(router), *limits.rules(router), *translated):
        yield Chain(TABLE, "prerouting", _PREROUTING, inward)
    if outward := tuple(sources.rules(router, translated=bool(translated))):
        yield Chain(TABLE, "postrouting", _POSTROUTING, outward)
    yield from synproxy.chains(router)
