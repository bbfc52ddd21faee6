"""Scene -> probes of what packets may be large: TCP segments, and paths on which few fit.

A path is narrow behind the provider's gateway, for two addresses of the internet in each family,
and behind the host, for one target of a forward in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from nftnsr.compile import mss
from nftnsr.rehearsal.outcome import Untried
from nftnsr.rehearsal.probes import Bulk, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import INTERNET, Client, Origin, Place, Scene, Segment
from nftnsr.rehearsal.wiring import NARROW


def clamped(segment: Segment, probe: Probe | Untried) -> Probe | Untried:
    """The same probe, with what `mss_clamp` promises of it."""
    if not isinstance(probe, Reach) or probe.expect is None or probe.server.protocol != "tcp":
        return probe
    # What only the router itself sees goes through no forward chain.
    if probe.kind not in ("in", "out") or probe.server.place == segment.itself:
        return probe
    version = probe.address.version
    each = next(family for family in segment.families if family.version == version)
    most = mss.largest(segment.router, segment.uplink, each)
    return probe if most is None else evolve(probe, expect=evolve(probe.expect, segment=most))


def outward(
    scene: Scene, segment: Segment, origins: Iterable[Origin], version: int
) -> Iterator[Bulk]:
    """From each who may go out to where large packets do not fit."""
    first: dict[Place, Origin] = {}
    for origin in origins:
        first.setdefault(origin.place, origin)  # what one learns of a path all its addresses know
    for origin in first.values():
        for far in scene.narrow_far(version) if segment.has_gateway(version) else ():
            server = Server(INTERNET, "tcp", far, scene.quiet_port)
            yield _bulk(segment, origin, Client(INTERNET, far), server.port, server)


def inward(scene: Scene, segment: Segment, ways_in: Iterable[object]) -> Iterator[Bulk]:
    """Through one forward of each family to the host, and one to each other place."""
    seen: set[tuple[int, Place]] = set()
    for way in ways_in:
        if not isinstance(way, Reach) or way.kind != "in" or way.server.protocol != "tcp":
            continue
        version, place = way.address.version, way.server.place
        open_ = way.origin == Origin(INTERNET, scene.far_end(version))
        if not open_ or way.others or (version, place) in seen:
            continue
        for client in scene.narrow_clients(version):
            seen.add((version, place))
            origin = Origin(INTERNET, client)
            yield _bulk(segment, origin, Client(place, way.address), way.port, way.server)


def _bulk(segment: Segment, origin: Origin, to: Client, port: int, server: Server) -> Bulk:
    at = endpoint(to.address, port)
    name = f"{at}/tcp from {origin}, a path of {NARROW} bytes"
    return Bulk(segment.router.name, "size", name, origin, to.address, port, server)
