"""Scene -> probes of every forward: from outside, from the wrong outside, and from inside."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from nftnsr.compile.families import Family
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, Origin, Scene, Segment
from nftnsr.spec.model import Address, Forward


@frozen
class Opening:
    """A forward in one address family, and the server that it leads to."""

    segment: Segment
    forward: Forward
    family: Family
    target: Address
    place: str

    def tries(self, kind: Kind, ports: tuple[int, ...], origin: Origin, expect: Arrives | None) \
            -> Iterator[Probe]:  # fmt: skip
        """`origin` talks to each of `ports` of each public address."""
        forward = self.forward
        for public in self.family.public:
            for port in ports:
                inside = forward.target_port or port
                server = Server(self.place, forward.protocol, self.target, inside)
                label = f"{forward.name}: " if forward.name else ""
                at = f"{endpoint(public.ip, port)}/{forward.protocol}"
                name = f"{label}{at} from {origin}"
                yield Reach(
                    self.segment.router.name, kind, name, origin, public.ip, port, server, expect
                )

    def untried(self, reason: str) -> Untried:
        return Untried(self.segment.router.name, self.forward.text, reason)


def through_forwards(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    """Everything that can be tried about the forwards of one router."""
    router = segment.router
    for forward in router.forward:
        for family in segment.families:
            target = _target(forward, family)
            if target is None:
                continue
            opening = Opening(segment, forward, family, target, scene.place_of(target))
            if not scene.answers(router, target):
                yield opening.untried(f"what {target} answers takes another router")
                continue
            yield from _from_outside(scene, opening)
            if router.hairpin and forward.hairpin and _is_there(forward, family):
                yield from _from_inside(scene, opening)


def _from_outside(scene: Scene, opening: Opening) -> Iterator[Probe | Untried]:
    segment, forward, version = opening.segment, opening.forward, opening.family.version
    if not forward.sources:
        client = scene.outside(segment, version)
        if client is None:
            yield opening.untried(f"the spec has no gateway, so nobody comes over IPv{version}")
            return
        welcome = Arrives((client.address,))
        yield from opening.tries("in", _points(forward), client.origin, welcome)
        return
    sources = tuple(n for n in forward.sources if n.version == version)
    client = scene.inside(segment, sources)
    if client is not None:
        welcome = Arrives((client.address,))
        yield from opening.tries("in", _points(forward), client.origin, welcome)
    elif sources:
        yield opening.untried("no client can have an address in its sources")
    stranger = scene.outside(segment, version, sources)
    if stranger is not None:
        yield from opening.tries("closed", _points(forward)[:1], stranger.origin, None)
    else:
        yield opening.untried("no client can have an address outside of its sources")


def _from_inside(scene: Scene, opening: Opening) -> Iterator[Probe]:
    """From the host, from every network behind it, and from the forward's own target."""
    router, family = opening.segment.router, opening.family
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
        yield from opening.tries("hairpin", _points(opening.forward)[:1], origin, Arrives())


def _target(forward: Forward, family: Family) -> Address | None:
    if forward.target is not None:
        return forward.target if forward.target.version == family.version else None
    return family.host[0].ip if family.host else None


def _is_there(forward: Forward, family: Family) -> bool:
    """Whether there is such a forward in this family: with sources, some must be of it."""
    return not forward.sources or any(n.version == family.version for n in forward.sources)


def _points(forward: Forward) -> tuple[int, ...]:
    """The ends of a range and its middle."""
    ports = forward.ports
    middle = (ports.first + ports.last) // 2
    return tuple(dict.fromkeys((ports.first, middle, ports.last)))
