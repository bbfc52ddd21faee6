"""Scene -> probes of forged sources: who is outside does not get in as somebody inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from nftnsr.rehearsal.addresses import free, single
from nftnsr.rehearsal.outcome import Untried
from nftnsr.rehearsal.probes import Probe, Reach, endpoint
from nftnsr.rehearsal.scene import Origin, Scene, Segment
from nftnsr.spec.model import Address

_STRICT = 1
"""Of `rp_filter`: a source has to be one that is answered by the way it came."""


def through_reverse_path(
    scene: Scene, segment: Segment, welcome: Iterable[Probe | Untried]
) -> Iterator[Probe]:
    """The neighbour, where anybody is `welcome`, under an address of the inside."""
    router = segment.router
    for family in segment.families:
        asked = (
            router.rp_filter == _STRICT if family.version == 4 else router.filter.reverse_path_ipv6
        )
        source = _inside(scene, segment, family.version) if asked else None
        client = scene.outside(segment, family.version)
        if source is None or client is None:
            continue
        open_ = (p for p in welcome if isinstance(p, Reach) and p.kind == "in")
        way = next((p for p in open_ if p.origin == client.origin), None)
        if way is not None:
            origin = Origin(segment.neighbour, source)
            at = f"{endpoint(way.address, way.port)}/{way.server.protocol}"
            name = f"forged source: {at} from {origin}"
            yield evolve(way, kind="blocked", name=name, origin=origin, expect=None)


def _inside(scene: Scene, segment: Segment, version: int) -> Address | None:
    """An address of the inside that is not the host's own, from which it would take nothing."""
    inner = [i.address for i in scene.behind(segment.router) if i.address.version == version]
    if inner:
        return inner[0]
    host = segment.router.host
    own = [single(i.ip) for i in (*host.addresses, *host.router_addresses)]
    veths = [i.network for i in host.router_addresses if i.version == version]
    return next((a for a in (free(veth, own) for veth in veths) if a is not None), None)
