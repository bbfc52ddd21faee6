"""Scene -> probes of those whom nobody behind a router talks to: bogons and block lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from attrs import evolve

from nftnsr.compile.guard import BOGONS, shunned
from nftnsr.rehearsal.addresses import free
from nftnsr.rehearsal.outcome import Untried
from nftnsr.rehearsal.probes import Probe, Reach, Server, endpoint
from nftnsr.rehearsal.scene import HOST, INTERNET, Client, Origin, Scene, Segment
from nftnsr.spec.model import Network

_ENOUGH = 4
"""Ways in for each list: it is one rule for all of them."""


def through_lists(
    scene: Scene, segment: Segment, welcome: Iterable[Probe | Untried]
) -> Iterator[Probe | Untried]:
    """Somebody in each list: where others are `welcome` it gets nowhere, and nobody gets to it."""
    ways_in = [p for p in welcome if isinstance(p, Reach) and p.kind == "in"]
    for name, networks in shunned(segment.router):
        for version in (f.version for f in segment.families if segment.has_gateway(f.version)):
            same = [n for n in networks if n.version == version]
            client = _somebody(scene, same)
            if client is not None:
                mine = (p for p in ways_in if p.address.version == version)
                yield from _in(name, client, islice(mine, _ENOUGH))
                if name != BOGONS:  # which may well be behind the router
                    yield from _out(scene, segment, name, client)
            elif same:
                reason = "no client can have an address in it"
                yield Untried(segment.router.name, f"{name} over IPv{version}", reason)


def _somebody(scene: Scene, networks: Iterable[Network]) -> Client | None:
    found = (free(network, scene.taken) for network in networks)
    address = next((a for a in found if a is not None), None)
    return None if address is None else Client(INTERNET, address)


def _in(name: str, client: Client, ways: Iterable[Reach]) -> Iterator[Probe]:
    for way in ways:
        at = f"{endpoint(way.address, way.port)}/{way.server.protocol}"
        what = f"{name}: {at} from {client.origin}"
        yield evolve(way, kind="blocked", name=what, origin=client.origin, expect=None)


def _out(scene: Scene, segment: Segment, name: str, client: Client) -> Iterator[Probe]:
    host, version = segment.router.host, client.address.version
    if host.default_route and any(i.version == version for i in host.addresses):
        at = Server(client.place, "udp", client.address, scene.quiet_port)
        what = f"{name}: {at}/udp from {HOST}"
        origin, address = Origin(HOST), client.address
        yield Reach(segment.router.name, "blocked", what, origin, address, at.port, at, None)
