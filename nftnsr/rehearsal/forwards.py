"""Scene -> probes of every forward: from outside, from the wrong outside, and from inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from nftnsr.compile import families
from nftnsr.compile.ways import Way, untranslated, ways
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Exceed, Probe, Reach, Server, Spread, endpoint
from nftnsr.rehearsal.scene import HOST, Origin, Scene, Segment
from nftnsr.spec.model import Address, Limit, Ports, Protocol

_CROWD = 24
"""Clients for each server: that one of n goes without any has a chance of n * e^-24."""
_MOST_TRIES, _FASTEST = 64, 5.0
"""The biggest burst that is tried, and the most a second: so many may come again meanwhile."""


@frozen
class Point:
    """A public port to try, and the ports that it leads to, one for each target."""

    port: int
    inside: tuple[int, ...]


@frozen
class Opening:
    """A forward in one address family and protocol, and the servers that it leads to."""

    scene: Scene
    segment: Segment
    way: Way
    protocol: Protocol

    @property
    def version(self) -> int:
        return self.way.each.version

    @property
    def public(self) -> tuple[Address, ...]:
        on_link = (ip for ip in self.way.addresses if self.segment.owns(ip))
        return tuple(on_link) if self.way.addresses else self.way.each.shared

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(self.scene.place_of(ip) for ip, _ in self.way.targets)

    def welcome(self, client: Address) -> Arrives:
        """Whom the server sees: the router where it hides its clients."""
        if not self.way.forward.hide_client:
            return Arrives((client,))
        return Arrives(tuple(i.ip for i in (*self.way.each.router, *self.way.each.public)))

    def tries(self, kind: Kind, points: Iterable[Point], origin: Origin,
              expect: Arrives | None) -> Iterator[Reach]:  # fmt: skip
        """`origin` talks to each of the ports of each public address."""
        forward = self.way.forward
        label = f"{forward.name}: " if forward.name else ""
        for address in self.public:
            for point in points:
                server, *others = self._servers(point, address)
                name = f"{label}{endpoint(address, point.port)}/{self.protocol} from {origin}"
                yield Reach(
                    self.segment.router.name, kind, name, origin, address, point.port, server,
                    expect, tuple(others),
                )  # fmt: skip

    def points(self) -> tuple[Point, ...]:
        """Of every range the ends and the middle, as many as its limit allows one client."""
        targets = [target for _, target in self.way.targets]
        found = tuple(
            Point(port, tuple(target.port_for(port, ports) for target in targets))
            for ports in self.way.forward.ports
            for port in _points(ports)
        )
        limit = self.way.forward.limit
        if limit is None:
            return found
        every = len(self.way.addresses or self._everywhere) * len(self.way.forward.protocols)
        return found[: limit.burst // every]

    @property
    def _everywhere(self) -> tuple[Address, ...]:
        """The public addresses of all uplinks that forwards without an `address` are for."""
        each = families.family(self.segment.router, self.version)
        return each.shared if each is not None else ()

    def untried(self, reason: str) -> Untried:
        return Untried(self.segment.router.name, self.way.forward.text, reason)

    def _servers(self, point: Point, address: Address) -> Iterator[Server]:
        """Whoever may answer at a public address: without NAT whoever has it."""
        for (ip, _), place, port in zip(self.way.targets, self.places, point.inside, strict=True):
            if self.way.forward.nat or ip == address:
                yield Server(place, self.protocol, ip, port)


def through_forwards(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    """Everything that can be tried about the forwards of one router."""
    for family in segment.families:
        router = segment.router
        for way in (*ways(router, family), *untranslated(router, family)):
            for protocol in way.forward.protocols:
                opening = Opening(scene, segment, way, protocol)
                if opening.public:
                    yield from _through(opening)


def _through(opening: Opening) -> Iterator[Probe | Untried]:
    router, scene = opening.segment.router, opening.scene
    astray = [ip for ip, _ in opening.way.targets if not scene.answers(router, ip)]
    if opening.protocol == "sctp":
        yield opening.untried("a rehearsal speaks TCP and UDP, and no SCTP")
    elif astray:
        yield opening.untried(f"what {astray[0]} answers takes another router")
    elif not opening.points():
        yield opening.untried("its limit allows one client fewer connections than it has addresses")
    else:
        yield from _from_outside(scene, opening)
        if opening.way.forward.limit is not None:
            yield _over_limit(opening, opening.way.forward.limit)
        if not opening.way.forward.nat:
            return
        if len(opening.way.targets) > 1:
            yield from _spread(opening)
        if router.hairpin and opening.way.forward.hairpin:
            yield from _from_inside(scene, opening)


def _spread(opening: Opening) -> Iterator[Probe | Untried]:
    """So many clients that each server has some."""
    size = _CROWD * len(opening.way.targets)
    crowd = opening.scene.crowd(opening.segment, opening.version, opening.way.sources, size)
    if len(crowd) < size:
        yield opening.untried(f"fewer than {size} clients: not every server need get one")
        return
    forward = opening.way.forward
    # A limit counts all ports of a forward together. They are tried one after the other: taking
    # turns with one another, clients could get the same server every time.
    points = opening.points() if forward.limit is None else opening.points()[:1]
    tries = [
        next(opening.tries("in", (point,), c.origin, opening.welcome(c.address)))
        for point in points
        for c in crowd
    ]
    name = f"{tries[0].name.partition(' from ')[0]} from many clients"
    faithful = forward.balance == "source" and forward.limit is None
    yield Spread(opening.segment.router.name, "in", name, tuple(tries), faithful)


def _over_limit(opening: Opening, limit: Limit) -> Probe | Untried:
    """One client of its own, whom nobody else's connections count against."""
    if limit.burst > _MOST_TRIES or limit.rate.number / limit.rate.seconds > _FASTEST:
        return opening.untried("its limit allows more than a rehearsal tries")
    scene, segment, sources = opening.scene, opening.segment, opening.way.sources
    size = _CROWD * len(opening.way.targets) + 1
    crowd = scene.crowd(segment, opening.version, sources, size)
    others = scene.inside(segment, sources) if sources else scene.outside(segment, opening.version)
    client = crowd[-1] if crowd else None
    if client is None or others is None or _counted_together(client.address, others.address):
        return opening.untried("no client of its own can exceed its limit")
    ways = tuple(opening.tries("blocked", opening.points()[:1], client.origin, None))
    name = f"{ways[0].name}, more than {limit.rate} burst {limit.burst}"
    return Exceed(ways[0].router, "blocked", name, ways, 2 * limit.burst + 10)


def _counted_together(one: Address, other: Address) -> bool:
    """Whether the connections of both are one's by the limit: over IPv6, of the same /64."""
    return one == other or (one.version == 6 and int(one) >> 64 == int(other) >> 64)


def _from_outside(scene: Scene, opening: Opening) -> Iterator[Probe | Untried]:
    segment, version, sources = opening.segment, opening.version, opening.way.sources
    if not sources:
        client = scene.outside(segment, version)
        if client is None:
            yield opening.untried(f"the spec has no gateway, so nobody comes over IPv{version}")
            return
        welcome = opening.welcome(client.address)
        yield from opening.tries("in", opening.points(), client.origin, welcome)
        return
    client = scene.inside(segment, sources)
    if client is not None:
        welcome = opening.welcome(client.address)
        yield from opening.tries("in", opening.points(), client.origin, welcome)
    else:
        yield opening.untried("no client can have an address in its sources")
    stranger = scene.outside(segment, version, sources)
    if stranger is not None:
        yield from opening.tries("closed", opening.points()[:1], stranger.origin, None)
    else:
        yield opening.untried("no client can have an address outside of its sources")


def _from_inside(scene: Scene, opening: Opening) -> Iterator[Probe]:
    """From the host, from every other end and network inside, and from the forward's own target."""
    router, family = opening.segment.router, opening.way.each
    origins = []
    if family.host:
        # The kernel chooses its source, as for any program; only a second router's must be told.
        own = None if router.host.default_route else family.host[0].ip
        origins.append(Origin(HOST, own))
    inner = [i for i in scene.behind(router) if i.address.version == family.version]
    origins += [i.client.origin for i in inner]
    origins += [c.origin for c in scene.ends(router, family.version)]
    target, place = opening.way.targets[0][0], opening.places[0]
    if place in [i.place for i in inner]:
        origins.append(Origin(place, target))
    for origin in dict.fromkeys(origins):
        yield from opening.tries("hairpin", opening.points()[:1], origin, Arrives())


def _points(ports: Ports) -> tuple[int, ...]:
    """The ends of a range and its middle."""
    middle = (ports.first + ports.last) // 2
    return tuple(dict.fromkeys((ports.first, middle, ports.last)))
