"""Scene -> probes of those who may go out to some places only."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.egress import allowed, restricted
from nftnsr.compile.families import Family
from nftnsr.rehearsal.addresses import free
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Echo, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import Client, Origin, Scene, Segment
from nftnsr.spec.model import Address, Egress, Network, Protocol

_USUAL: tuple[Protocol, ...] = ("tcp", "udp")

Sender = tuple[Origin, tuple[Address | Network, ...]]
"""Who may go out, and the addresses under one of which the far end sees it."""


def is_kept_in(segment: Segment, family: Family, origin: Origin) -> bool:
    """Whether this sender has no free way out."""
    return restricted(segment.router, _address(family, origin))


def narrow(
    scene: Scene, segment: Segment, family: Family, sender: Sender, far: Client
) -> Iterator[Probe | Untried]:
    """A try at every way out that a sender has, and at one that it has not."""
    origin, _ = sender
    address = _address(family, origin)
    ways = allowed(segment.router, address)
    for way in ways:
        yield from _open(scene, segment, sender, way, far)
    for protocol in _USUAL:
        if not any(_covers(way, far.address, protocol, scene.quiet_port) for way in ways):
            server = Server(far.place, protocol, far.address, scene.quiet_port)
            yield _reach(segment, origin, server, None)


def _open(
    scene: Scene, segment: Segment, sender: Sender, way: Egress, far: Client
) -> Iterator[Probe | Untried]:
    origin, seen = sender
    address: Address | None = far.address
    if way.destination is not None and far.address not in way.destination:
        address = free(way.destination, scene.taken)
    if address is None:
        reason = f"nobody can have an address in {way.destination}"
        yield Untried(segment.router.name, f"out from {origin}", reason)
        return
    protocols = way.protocols or _USUAL
    for protocol in protocols:
        if protocol != "sctp":
            port = way.ports[0].first if way.ports else scene.quiet_port
            server = Server(far.place, protocol, address, port)
            yield _reach(segment, origin, server, Arrives(seen))
    if not way.ports:
        name = f"ping {address} from {origin}"
        yield Echo(segment.router.name, "out", name, origin, address)


def _reach(segment: Segment, origin: Origin, server: Server, expect: Arrives | None) -> Probe:
    name = f"{endpoint(server.address, server.port)}/{server.protocol} from {origin}"
    kind: Kind = "out" if expect is not None else "blocked"
    address, port = server.address, server.port
    return Reach(segment.router.name, kind, name, origin, address, port, server, expect)


def _covers(way: Egress, address: Address, protocol: Protocol, port: int) -> bool:
    there = way.destination is None or address in way.destination
    named = protocol in way.protocols and any(port in ports for ports in way.ports)
    return there and (not way.ports or named)


def _address(family: Family, origin: Origin) -> Address:
    return origin.address or family.host[0].ip
