"""Scene -> probes of outages: what goes on by another uplink while one has no carrier.

That is what is masqueraded: it gets the address of the uplink that it takes. Whoever is known by an
address of the uplink that has failed has no way out of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.paths import leads_nowhere
from nftnsr.rehearsal.probes import Arrives, Outage, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, INTERNET, Client, Origin, Scene, Segment
from nftnsr.rehearsal.ways_out import is_kept_in
from nftnsr.rehearsal.whole import goes_out, known_as
from nftnsr.spec.model import Protocol

_PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")


def outages(scene: Scene) -> Iterator[Outage]:
    """Of every uplink beside which there is another one with a gateway."""
    for segment in scene.segments:
        others = [s for s in scene.segments if s.router == segment.router and s != segment]
        spare = next((s for s in others if s.has_gateway(4)), None)
        if spare is None or not (segment.has_gateway(4) and segment.router.masquerade):
            continue
        if tries := tuple(_tries(scene, segment, spare)):
            name = f"{segment.uplink.dev} without a carrier: {spare.uplink.dev} takes over"
            yield Outage(segment.router.name, "outage", name, segment.name, tries)


def _tries(scene: Scene, segment: Segment, spare: Segment) -> Iterator[Reach]:
    router, far = segment.router, Client(INTERNET, scene.far_end(4))
    (family,) = (each for each in segment.families if each.version == 4)
    for origin, source in _senders(scene, segment):
        kept = is_kept_in(segment, family, Origin(origin.place, source.address))
        if kept or leads_nowhere(router, source.address, far.address):
            continue
        if not goes_out(spare, source.address, far.address):
            continue
        seen = Arrives(known_as(router, spare.uplink, source.address, far.address))
        for protocol in _PROTOCOLS:
            server = Server(INTERNET, protocol, far.address, scene.quiet_port)
            name = f"{endpoint(far.address, server.port)}/{protocol} from {origin}"
            yield Reach(
                router.name, "outage", name, origin, far.address, server.port, server, seen
            )  # fmt: skip


def _senders(scene: Scene, segment: Segment) -> Iterator[tuple[Origin, Client]]:
    """Those whom the uplink carries while it can, and the addresses that they have."""
    host = segment.router.host
    own = next((i.ip for i in host.addresses if i.version == 4), None)
    if own is not None and host.default_route and segment.carries(own):
        yield Origin(HOST), Client(HOST, own)
    for inner in scene.behind(segment.router):
        if inner.address.version == 4 and segment.carries(inner.address):
            yield inner.client.origin, inner.client
