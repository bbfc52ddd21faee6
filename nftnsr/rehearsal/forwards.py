"""Scene -> probes of every forward: from outside, from the wrong outside, and from inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from nftnsr.compile.forwards import Way, ways
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, Origin, Scene, Segment
from nftnsr.spec.model import Address, Ports, Protocol


@frozen
class Opening:
    """A forward in one address family and protocol, and the server that it leads to."""

    segment: Segment
    way: Way
    protocol: Protocol
    target: Address
    place: str

    @property
    def version(self) -> int:
        return self.way.each.version

    @property
    def public(self) -> tuple[Address, ...]:
        return self.way.addresses or self.way.each.shared

    def tries(self, kind: Kind, points: Iterable[tuple[int, int]], origin: Origin,
              expect: Arrives | None) -> Iterator[Probe]:  # fmt: skip
        """`origin` talks to each of the ports of each public address."""
        forward = self.way.forward
        label = f"{forward.name}: " if forward.name else ""
        for address in self.public:
            for port, inside in points:
                server = Server(self.place, self.protocol, self.target, inside)
                name = f"{label}{endpoint(address, port)}/{self.protocol} from {origin}"
                yield Reach(
                    self.segment.router.name, kind, name, origin, address, port, server, expect
                )

    def points(self) -> tuple[tuple[int, int], ...]:
        """Of every range the ends and the middle: the public port, and the server's."""
        ranges, target = self.way.forward.ports, self.way.targets[0][1]
        return tuple((port, target.port_for(port, r)) for r in ranges for port in _points(r))

    def untried(self, reason: str) -> Untried:
        return Untried(self.segment.router.name, self.way.forward.text, reason)


def through_forwards(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    """Everything that can be tried about the forwards of one router."""
    for family in segment.families:
        for way in ways(segment.router, family):
            for protocol in way.forward.protocols:
                target = way.targets[0][0]
                place = scene.place_of(target)
                yield from _through(scene, Opening(segment, way, protocol, target, place))


def _through(scene: Scene, opening: Opening) -> Iterator[Probe | Untried]:
    router, target = opening.segment.router, opening.target
    if opening.protocol == "sctp":
        yield opening.untried("a rehearsal speaks TCP and UDP, and no SCTP")
    elif not scene.answers(router, target):
        yield opening.untried(f"what {target} answers takes another router")
    else:
        yield from _from_outside(scene, opening)
        if router.hairpin and opening.way.forward.hairpin:
            yield from _from_inside(scene, opening)


def _from_outside(scene: Scene, opening: Opening) -> Iterator[Probe | Untried]:
    segment, version, sources = opening.segment, opening.version, opening.way.sources
    if not sources:
        client = scene.outside(segment, version)
        if client is None:
            yield opening.untried(f"the spec has no gateway, so nobody comes over IPv{version}")
            return
        welcome = Arrives((client.address,))
        yield from opening.tries("in", opening.points(), client.origin, welcome)
        return
    client = scene.inside(segment, sources)
    if client is not None:
        welcome = Arrives((client.address,))
        yield from opening.tries("in", opening.points(), client.origin, welcome)
    else:
        yield opening.untried("no client can have an address in its sources")
    stranger = scene.outside(segment, version, sources)
    if stranger is not None:
        yield from opening.tries("closed", opening.points()[:1], stranger.origin, None)
    else:
        yield opening.untried("no client can have an address outside of its sources")


def _from_inside(scene: Scene, opening: Opening) -> Iterator[Probe]:
    """From the host, from every network behind it, and from the forward's own target."""
    router, family = opening.segment.router, opening.way.each
    origins = []
    if family.host:
        # The kernel chooses its source, as for any program; only a second router's must be told.
        own = None if router.host.default_route else family.host[0].ip
        origins.append(Origin(HOST, own))
    inner = [i for i in scene.behind(router) if i.address.version == family.version]
    origins += [i.client.origin for i in inner]
    if opening.place in [i.place for i in inner]:
        origins.append(Origin(opening.place, opening.target))
    for origin in dict.fromkeys(origins):
        yield from opening.tries("hairpin", opening.points()[:1], origin, Arrives())


def _points(ports: Ports) -> tuple[int, ...]:
    """The ends of a range and its middle."""
    middle = (ports.first + ports.last) // 2
    return tuple(dict.fromkeys((ports.first, middle, ports.last)))
