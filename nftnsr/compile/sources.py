"""What takes the place of source addresses: masquerade, hairpin, clients that are hidden."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.families import families, family
from nftnsr.compile.ways import FULL, transports, ways
from nftnsr.spec.model import Router
from nftnsr.state.model import Set
from nftnsr.state.words import TABLE


def sets(router: Router) -> Iterator[Set]:
    """Forwards whose servers see the router as their client, by what the client asked for."""
    for each in families(router):
        hiding = (w for w in ways(router, each) if w.forward.hide_client)
        if elements := frozenset(key for way in hiding for key in way.full_keys):
            yield Set(TABLE, "set", f"hidden_{each.name}", FULL.declaration(each), elements)


def rules(router: Router, *, translated: bool) -> Iterator[str]:
    if router.masquerade and family(router, 4):
        yield f'oifname "{router.uplink}" meta nfproto ipv4 masquerade'
    veth = router.host.peer
    if translated and router.hairpin:
        # Else the server answers the client directly, past the router, from another address.
        yield f'iifname "{veth}" oifname "{veth}" ct status dnat masquerade'
    hidden = {item.name for item in sets(router)}
    for each in families(router):
        if (name := f"hidden_{each.name}") in hidden:
            inward = f'iifname "{router.uplink}" oifname "{veth}" {transports(router)}'
            asked = " . ".join((
                f"ct original {each.keyword} saddr", f"ct original {each.keyword} daddr",
                "meta l4proto", "ct original proto-dst",
            ))  # fmt: skip
            yield f"{inward} {asked} @{name} masquerade"
