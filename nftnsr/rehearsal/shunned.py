"""Scene -> probes of those whom nobody behind a router talks to: bogons and block lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from attrs import evolve

from nftnsr.compile.guard import BOGONS, shunned
from nftnsr.rehearsal.addresses import free
from nftnsr.rehearsal.outcome import Untried
from nftnsr.rehearsal.probes import Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, INTERNET, Client, Origin, Scene, Segment
from nftnsr.spec.model import Network

_ENOUGH = 24
"""Networks of each list, spread over all of it; of the bogons that is every one."""


def through_lists(
    scene: Scene, segment: Segment, welcome: Iterable[Probe | Untried]
) -> Iterator[Probe | Untried]:
    """Some of each list: where anybody is `welcome` they get nowhere, and nobody gets to them."""
    ways_in = [p for p in welcome if isinstance(p, Reach) and p.kind == "in"]
    for name, networks in shunned(segment.router):
        for version in (f.version for f in segment.families if segment.has_gateway(f.version)):
            same = [n for n in networks if n.version == version]
            clients = list(_some(scene, same))
            far = scene.outside(segment, version)
            mine = [p for p in ways_in if far is not None and p.origin == far.origin]
            yield from _in(name, clients, mine)
            if name != BOGONS:  # which may well be behind the router
                yield from _out(scene, segment, name, clients)
            if same and not clients:
                reason = "no client can have an address in it"
                yield Untried(segment.router.name, f"{name} over IPv{version}", reason)


def _some(scene: Scene, networks: Sequence[Network]) -> Iterator[Client]:
    for network in networks[:: max(1, len(networks) // _ENOUGH)]:
        if (address := free(network, scene.taken)) is not None:
            yield Client(INTERNET, address)


def _in(name: str, clients: Sequence[Client], ways: Sequence[Reach]) -> Iterator[Probe]:
    """Each client by one of the ways, and by each way one of the clients at least."""
    if not clients or not ways:
        return
    pairs = zip(cycle(clients), ways[:_ENOUGH], strict=False)
    more = zip(clients, cycle(ways), strict=False)
    for client, way in dict.fromkeys((*pairs, *more)):
        at = f"{endpoint(way.address, way.port)}/{way.server.protocol}"
        what = f"{name}: {at} from {client.origin}"
        yield evolve(way, kind="blocked", name=what, origin=client.origin, expect=None)


def _out(scene: Scene, segment: Segment, name: str, clients: Iterable[Client]) -> Iterator[Probe]:
    host = segment.router.host
    for client in clients:
        version = client.address.version
        if host.default_route and any(i.version == version for i in host.addresses):
            at = Server(client.place, "udp", client.address, scene.quiet_port)
            what = f"{name}: {at}/udp from {HOST}"
            origin, address = Origin(HOST), client.address
            yield Reach(segment.router.name, "blocked", what, origin, address, at.port, at, None)
