"""Scene -> probes of translations that are not of ports: who is seen as whom, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from nftnsr.compile.egress import restricted
from nftnsr.compile.families import is_ula
from nftnsr.compile.guard import keeps_out
from nftnsr.compile.paths import leads_nowhere
from nftnsr.compile.sources import seen_as
from nftnsr.rehearsal.addresses import free, single
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import Arrives, Echo, Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, INTERNET, Client, Origin, Scene, Segment
from nftnsr.spec.model import Address, Network, Router, Uplink

_PRIVATE: tuple[Network, ...] = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)


def known_as(
    router: Router, uplink: Uplink, source: Address, to: Address
) -> tuple[Address | Network, ...]:
    """As whom `to` may see `source` where it leaves by an uplink."""
    networks = seen_as(router, uplink, source, to)
    return tuple(n.network_address if n.num_addresses == 1 else n for n in networks)


def goes_out(segment: Segment, source: Address, to: Address) -> bool:
    """Whether it is promised that `source` reaches the internet, and answers find it."""
    if known_as(segment.router, segment.uplink, source, to) != (source,):
        return True
    ends = (i.ip for link in segment.router.links for i in link.addresses)
    if source.version == 6 and source in ends:
        return source in segment.far_ipv6
    return not is_ula(single(source)) and not any(source in n for n in _PRIVATE)


def whole_addresses(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    router = segment.router
    for version in (family.version for family in segment.families):
        client = scene.outside(segment, version)
        if client is None or client.place != INTERNET:
            if any(n.version == version for n in _translated(router)):
                reason = "the spec has no gateway"
                yield Untried(router.name, f"translations over IPv{version}", reason)
            continue
        yield from _one_to_one(scene, segment, client)
        yield from _prefixes(scene, segment, client)
        yield from _sources(scene, segment, client)
        yield from _exempt(scene, segment, version)


def _translated(router: Router) -> Iterator[Network]:
    yield from (single(p.public) for p in router.one_to_one)
    yield from (p.public for p in router.prefix_translation)
    yield from (n.network for n in router.snat)


def _one_to_one(scene: Scene, segment: Segment, client: Client) -> Iterator[Probe | Untried]:
    router = segment.router
    for pair in router.one_to_one:
        if pair.public.version != client.address.version or not segment.owns(pair.public):
            continue
        if not scene.answers(router, pair.inner):
            reason = f"what {pair.inner} answers takes another router"
            yield Untried(router.name, pair.text, reason)
            continue
        inner = Client(scene.place_of(pair.inner), pair.inner)
        yield from _out(scene, segment, inner.origin, client, (pair.public,))
        yield from _in(
            scene, segment, client.origin, pair.public, inner, Arrives((client.address,))
        )
        name = f"ping {pair.public} from {client.origin}"
        yield Echo(router.name, "in", name, client.origin, pair.public)
        if router.hairpin:
            yield from _hairpin(scene, segment, pair.public, inner)


def _prefixes(scene: Scene, segment: Segment, client: Client) -> Iterator[Probe]:
    """Out of it everybody goes whom _out tries anyway."""
    router = segment.router
    here = segment.first and client.address.version == 6
    for pair in router.prefix_translation if here else ():
        for inner in scene.behind(router):
            if inner.address in pair.inner:
                public = pair.outer(inner.address)
                welcome = Arrives((client.address,))
                yield from _in(scene, segment, client.origin, public, inner.client, welcome)
                if router.hairpin:
                    yield from _hairpin(scene, segment, public, inner.client)


def _hairpin(scene: Scene, segment: Segment, public: Address, to: Client) -> Iterator[Probe]:
    host = segment.router.host
    own = [i.ip for i in host.addresses if i.version == public.version]
    origins = [Origin(HOST, None if host.default_route else own[0])] if own else []
    for origin in (*origins, to.origin):
        yield from _in(scene, segment, origin, public, to, Arrives(), "hairpin")


def _sources(scene: Scene, segment: Segment, far: Client) -> Iterator[Probe | Untried]:
    """Somebody of each network that leaves in a way of its own, if he is not of those before."""
    router = segment.router
    for nat in router.snat:
        if nat.network.version != far.address.version or not segment.owns(nat.first):
            continue
        alone = [single(pair.inner) for pair in router.one_to_one]
        for inner in scene.behind(router):
            part = max(inner.network, nat.network, key=lambda n: n.prefixlen)
            source = free(part, alone) if inner.network.overlaps(nat.network) else None
            if source is not None:
                origin = Origin(inner.place, source)
                expected = known_as(router, segment.uplink, source, far.address)
                yield from _out(scene, segment, origin, far, expected)


def _exempt(scene: Scene, segment: Segment, version: int) -> Iterator[Probe | Untried]:
    router = segment.router
    for network in (n for n in router.no_nat if n.version == version and segment.first):
        to = free(network, scene.taken)
        if to is None or keeps_out(router, to):
            reason = "nobody of it can be on the internet"
            yield Untried(router.name, f"no_nat {network}", reason)
            continue
        for inner in scene.behind(router):
            if inner.address.version == version and not is_ula(inner.network):
                far = Client(INTERNET, to)
                yield from _out(scene, segment, inner.client.origin, far, (inner.address,))


def _out(
    scene: Scene, segment: Segment, origin: Origin, far: Client,
    expected: tuple[Address | Network, ...],
) -> Iterator[Probe]:  # fmt: skip
    source = origin.address
    assert source is not None
    if not restricted(segment.router, source) and not leads_nowhere(
        segment.router, source, far.address
    ):
        yield from _in(scene, segment, origin, far.address, far, Arrives(expected), "out")


def _in(
    scene: Scene, segment: Segment, origin: Origin, address: Address, to: Client, expect: Arrives,
    kind: Kind = "in",
) -> Iterator[Probe]:  # fmt: skip
    """`origin` talks to `address`, on the port that no forward names, and gets to `to`."""
    port = scene.quiet_port
    for server in (Server(to.place, p, to.address, port) for p in ("tcp", "udp")):
        name = f"{endpoint(address, port)}/{server.protocol} from {origin}"
        yield Reach(segment.router.name, kind, name, origin, address, port, server, expect)
