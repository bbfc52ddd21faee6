"""TCP's maximum segment size, told to both ends so that segments fit through the uplink.

The kernel only ever lowers what it finds in a SYN (net/netfilter/nft_exthdr.c). The route of what
goes out is over the uplink, and its MTU is known to `rt mtu`; what comes in has a route to the
inside, so there the uplink's own MTU decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nftnsr.compile.families import families, outer
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain
from nftnsr.state.words import TABLE, anonymous_set

_HOOK = "type filter hook forward priority mangle; policy accept;"
_HEADERS = {4: 40, 6: 60}  # of IP and TCP, without options
_USUAL_MTU = 1500
_SET = "tcp flags syn tcp option maxseg size set"


def chains(router: Router) -> Iterator[Chain]:
    if router.mss_clamp is not False:
        yield Chain(TABLE, "mss", _HOOK, tuple(_rules(router)))


def _rules(router: Router) -> Iterator[str]:
    go, come = f"oifname {outer(router)}", f"iifname {outer(router)}"
    if router.mss_clamp is not True:
        yield f"{go} {_SET} {router.mss_clamp}"
        yield f"{come} {_SET} {router.mss_clamp}"
        return
    yield f"{go} {_SET} rt mtu"
    for each in families(router):
        by_mtu: dict[int, list[str]] = defaultdict(list)
        for uplink in router.uplinks:
            if each.on(uplink).public:
                by_mtu[uplink.mtu or _USUAL_MTU].append(f'"{uplink.dev}"')
        for mtu, devs in by_mtu.items():
            size = mtu - _HEADERS[each.version]
            yield f"iifname {anonymous_set(devs)} meta nfproto {each.name} {_SET} {size}"
