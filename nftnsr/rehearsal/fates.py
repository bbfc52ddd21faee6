"""Two specs -> what must become of a flow that is under way when the new one takes over.

Flows of forwards that do not change go on; one whose forward has gone, leads elsewhere or is no
longer for its client ends. Of some nothing is promised: what only a new connection is asked for (a
filter, a translation of the source) holds for an old one or does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nftnsr.compile.egress import restricted
from nftnsr.compile.families import family
from nftnsr.compile.guard import keeps_out
from nftnsr.compile.paths import leads_nowhere
from nftnsr.compile.sources import translated_into
from nftnsr.compile.uplinks import leaves_by
from nftnsr.compile.ways import Way, ways
from nftnsr.rehearsal.probes import Arrives, Reach, Server
from nftnsr.rehearsal.whole import known_as
from nftnsr.spec.model import Address, Router

Fate = Literal["goes on", "ends", "either"]


def fate(reach: Reach, server: Server, seen: Address, old: Router, new: Router) -> Fate:
    """Of a flow that got to `server`, which sees `seen` as its client."""
    if old == new:
        return "goes on"
    if _ways_back(old) != _ways_back(new):
        return "either"  # a far end may answer by another way than the router
    if reach.kind == "out":
        return _outward(reach, seen, old, new)
    return _inward(reach, server, old, new)


def _ways_back(router: Router) -> list[tuple[str, str | None, bool, int | None]]:
    return [(each.name, each.namespace, each.default_route, each.table) for each in router.links]


def way_of(reach: Reach, router: Router) -> Way | None:
    """The forward that a flow comes by; a spec in which two could be meant is none."""
    each = family(router, reach.address.version)
    found = ways(router, each) if each is not None else ()
    return next((way for way in found if _leads(way, reach, router)), None)


def _inward(reach: Reach, server: Server, old: Router, new: Router) -> Fate:
    if reach.origin.address is not None and keeps_out(new, reach.origin.address):
        return "ends"
    if reach.address == server.address:
        return _untranslated(server.address, old, new)
    way = way_of(reach, new)
    targets = _targets(way, reach.port) if way is not None else _whole(reach, new)
    if (server.address, server.port) not in targets:
        return "ends"
    before = way_of(reach, old)
    hidden = [w is not None and w.forward.hide_client for w in (before, way)]
    return "goes on" if hidden[0] == hidden[1] else "either"


def _untranslated(address: Address, old: Router, new: Router) -> Fate:
    """What comes in over IPv6 for somebody's own address."""
    before, after = (
        (router.inbound_ipv6, router.filter.inbound, [f for f in router.forward if not f.nat])
        for router in (old, new)
    )
    return "goes on" if before == after and _is_inside(address, new) else "either"


def _outward(reach: Reach, seen: Address, old: Router, new: Router) -> Fate:
    own = family(old, reach.address.version)
    source = reach.origin.address or (own.host[0].ip if own is not None else seen)
    if keeps_out(new, reach.address):
        return "ends"
    if not _is_inside(source, new) or restricted(new, source):
        return "either"
    given = any(pair.public == seen and pair.inner != source for pair in new.one_to_one)
    if given or leads_nowhere(new, source, reach.address):
        return "either"
    uplink = leaves_by(new, source)
    if Arrives(known_as(new, uplink, source, reach.address)).welcomes(seen):
        return "goes on"
    return "either" if _is_answered(seen, new) else "ends"


def _leads(way: Way, reach: Reach, router: Router) -> bool:
    forward, source = way.forward, reach.origin.address
    each = way.addresses or way.each.shared
    if reach.server.protocol not in forward.protocols or reach.address not in each:
        return False
    if not any(reach.port in ports for ports in forward.ports):
        return False
    if reach.kind == "hairpin":
        return router.hairpin and forward.hairpin
    return not way.sources or any(source in network for network in way.sources)


def _targets(way: Way, port: int) -> set[tuple[Address, int]]:
    return {
        (ip, target.port_for(port, ports))
        for ports in way.forward.ports
        if port in ports
        for ip, target in way.targets
    }


def _whole(reach: Reach, router: Router) -> set[tuple[Address, int]]:
    """Where a translation of whole addresses leads."""
    if reach.kind == "hairpin" and not router.hairpin:
        return set()
    return {(ip, reach.port) for ip in _stands_for(reach.address, router)}


def _stands_for(public: Address, router: Router) -> Iterator[Address]:
    yield from (pair.inner for pair in router.one_to_one if pair.public == public)
    for prefix in router.prefix_translation:
        if public in prefix.public:
            yield prefix.inner[int(public) & int(prefix.public.hostmask)]


def _is_inside(address: Address, router: Router) -> bool:
    each = family(router, address.version)
    return each is not None and any(address in network for network in each.inside)


def _is_answered(seen: Address, router: Router) -> bool:
    """Whether anything that is sent to this address still gets to the router."""
    if any(seen == i.ip for i in router.addresses) or _is_inside(seen, router):
        return True
    return any(seen in network for network in translated_into(router, seen.version))
