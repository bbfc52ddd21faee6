"""Network address translation: its two chains, from the parts that forwards and sources need."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import forwards
from nftnsr.compile.families import family
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE

_PREROUTING = "type nat hook prerouting priority dstnat; policy accept;"
_POSTROUTING = "type nat hook postrouting priority srcnat; policy accept;"


def sets(router: Router) -> Iterator[Set]:
    yield from forwards.sets(router)


def chains(router: Router) -> Iterator[Chain]:
    inward = tuple(forwards.rules(router))
    if inward:
        yield Chain(TABLE, "prerouting", _PREROUTING, inward)
    if outward := tuple(_source_rules(router, translated=bool(inward))):
        yield Chain(TABLE, "postrouting", _POSTROUTING, outward)


def _source_rules(router: Router, *, translated: bool) -> Iterator[str]:
    if router.masquerade and family(router, 4):
        yield f'oifname "{router.uplink}" meta nfproto ipv4 masquerade'
    if translated and router.hairpin:
        # Else the server answers the client directly, past the router, from another address.
        veth = router.host.peer
        yield f'iifname "{veth}" oifname "{veth}" ct status dnat masquerade'
