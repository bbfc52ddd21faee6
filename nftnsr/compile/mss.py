"""TCP's maximum segment size, told to both ends so that segments fit through the uplink.

The kernel only ever lowers what it finds in a SYN (net/netfilter/nft_exthdr.c). The route of what
goes out is over the uplink, and its MTU is known to `rt mtu`; what comes in has a route to the
inside, so there the uplink's own MTU decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nftnsr.compile.families import Family, families, outer
from nftnsr.spec.model import Router, Uplink
from nftnsr.state.model import Chain
from nftnsr.state.words import TABLE, anonymous_set

_HOOK = "type filter hook forward priority mangle; policy accept;"
_HEADERS = {4: 40, 6: 60}  # of IP and TCP, without options
_USUAL_MTU = 1500
_SET = "tcp flags syn tcp option maxseg size set"


def chains(router: Router) -> Iterator[Chain]:
    if router.mss_clamp is not False:
        yield Chain(TABLE, "mss", _HOOK, tuple(_rules(router)))


def segment(router: Router, uplink: Uplink, each: Family) -> int:
    """The largest segment that fits through an uplink, or that the spec names."""
    named = router.mss_clamp
    return (uplink.mtu or _USUAL_MTU) - _HEADERS[each.version] if named in (True, False) else named


def segments(router: Router, each: Family) -> Iterator[tuple[str, int]]:
    """The uplinks with public addresses, those with the same largest segment as one set of nft."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for uplink in router.uplinks:
        if each.on(uplink).public:
            by_size[segment(router, uplink, each)].append(f'"{uplink.dev}"')
    return ((anonymous_set(devs), size) for size, devs in by_size.items())


def largest(router: Router, uplink: Uplink, each: Family) -> int | None:
    """The largest segment, in bytes, that either end may be told of; None where all are right."""
    return None if router.mss_clamp is False else segment(router, uplink, each)


def _rules(router: Router) -> Iterator[str]:
    go, come = f"oifname {outer(router)}", f"iifname {outer(router)}"
    if router.mss_clamp is not True:
        yield f"{go} {_SET} {router.mss_clamp}"
        yield f"{come} {_SET} {router.mss_clamp}"
        return
    yield f"{go} {_SET} rt mtu"
    for each in families(router):
        for devs, size in segments(router, each):
            yield f"iifname {devs} meta nfproto {each.name} {_SET} {size}"
