"""Scene -> probes of the router itself: that it is there, and whom `input` lets in."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Echo, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, Client, Origin, Scene, Segment
from nftnsr.spec.model import Address, Protocol, Service


def router_itself(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    asked = segment.router.filter
    if asked.input is None:
        yield from _addresses(scene, segment)
        return
    for family in segment.families:
        public = family.public[0].ip
        client = scene.outside(segment, family.version)
        for other in (client, segment.stranger(family.version)):
            if other is not None:
                yield from _try(segment, "closed", other, public, ("tcp", "udp"), scene.quiet_port)
        if client is not None:
            name = f"ping {public} from {client.origin}"
            yield Echo(segment.router.name, "in", name, client.origin, public, answered=asked.ping)
            # What `input` closes is neither its own way out nor the way from inside.
            name = f"ping {client.address} from the router"
            origin = Origin(segment.itself)
            yield Echo(segment.router.name, "out", name, origin, client.address)
        if family.router and family.host:
            host = Client(HOST, family.host[0].ip)
            inside = family.router[0].ip
            yield from _try(segment, "in", host, inside, ("tcp",), scene.quiet_port)
        for service in asked.input:
            yield from _service(scene, segment, service, public)


def _addresses(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """Each public address of the router's own answers, by the way that the client came."""
    for family in segment.families:
        client = scene.outside(segment, family.version)
        if client is not None:
            for public in family.shared:
                name = f"ping {public} from {client.origin}"
                yield Echo(segment.router.name, "in", name, client.origin, public)


def _service(
    scene: Scene, segment: Segment, service: Service, public: Address
) -> Iterator[Probe | Untried]:
    protocols = tuple(p for p in service.protocols if p != "sctp")
    sources = tuple(n for n in service.sources if n.version == public.version)
    if service.sources and not sources:
        return
    port = service.ports[0].first
    welcome = scene.inside(segment, sources) if sources else scene.outside(segment, public.version)
    if welcome is None:
        reason = "no client can have an address that may reach it"
        yield Untried(segment.router.name, f"{endpoint(public, port)} of the router", reason)
    else:
        yield from _try(segment, "in", welcome, public, protocols, port)
    stranger = scene.outside(segment, public.version, sources) if sources else None
    if stranger is not None:
        yield from _try(segment, "closed", stranger, public, protocols, port)


def _try(
    segment: Segment,
    kind: Kind,
    client: Client,
    public: Address,
    protocols: tuple[Protocol, ...],
    port: int,
) -> Iterator[Probe]:
    for protocol in protocols:
        server = Server(segment.itself, protocol, public, port)
        expect = Arrives((client.address,)) if kind == "in" else None
        name = f"{server}/{protocol} of the router from {client.origin}"
        yield Reach(segment.router.name, kind, name, client.origin, public, port, server, expect)
