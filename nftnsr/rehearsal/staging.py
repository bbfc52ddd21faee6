"""A spec -> its scene: who takes part under which addresses, so that nobody is in another's way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_interface

from attrs import evolve

from nftnsr.compile.guard import shunned
from nftnsr.compile.sources import translated_into
from nftnsr.rehearsal.addresses import free, joined, single, spare
from nftnsr.rehearsal.scene import Inner, Place, Scene, Segment, far_place
from nftnsr.rehearsal.targets import elsewhere
from nftnsr.spec.model import Address, Interface, Network, Ports, Router, Spec, Uplink
from nftnsr.state.model import Address as Addressed
from nftnsr.state.model import Namespace, Route


class Unstaged(Exception):
    """A spec for which there is no scene."""


def stage(spec: Spec, live: Namespace | None = None) -> Scene:
    """Choose addresses for everybody, so that none collides with one that the spec names.

    Nor with one that means something to the host, where it is known what the host is.
    """
    _refuse_shared(spec)
    here = () if live is None else tuple(_of_host(spec, live))
    named = (*_named(spec), *here)
    sources = [s for r in spec.routers for f in r.forward for s in f.sources]
    sources += [n for r in spec.routers for n in r.no_nat]
    # Bogons first: they are what most of the spare networks are.
    dropped = [n for r in spec.routers for _, networks in shunned(r) for n in networks]
    # Somewhere that no route of the spec speaks of, but for the default ones.
    special = [r.destination for s in spec.routers for r in s.routes if r.destination.prefixlen]
    special += [] if live is None else _destinations(live)
    far = tuple(spare(version, (*dropped, *named, *sources, *special)) for version in (4, 6))
    narrow = _beside(far, (*dropped, *named, *sources, *special))
    provider = tuple(address + 1 for address in narrow[1::2])
    taken = [*named, *map(single, (*far, *narrow, *provider))]
    segments: list[Segment] = []
    uplinks = ((router, uplink) for router in spec.routers for uplink in router.uplinks)
    for number, (router, uplink) in enumerate(uplinks):
        alone = Segment(router, uplink, number, (), _mac(uplink, live))
        neighbours = tuple(_neighbours(alone, taken, sources))
        taken += [single(i.ip) for i in neighbours]
        segments.append(evolve(alone, neighbours=neighbours))
    networks = sorted(behind := _behind(spec), key=str)
    singles = [n for n in here if n.num_addresses == 1]
    inner = tuple(Inner(n, _speaker(n, [*networks, *singles]), behind[n]) for n in networks)
    stray = tuple(Inner(single(t), t) for t in elsewhere(spec, networks))
    port = _quiet_port(spec)
    return Scene(spec, far, tuple(segments), inner, stray, joined(taken), port, narrow, provider)


def _beside(far: Iterable[Address], taken: Collection[Network]) -> tuple[Address, ...]:
    """The two addresses behind each far end, if nobody has them, nor the one behind these."""
    threes = ((address + 1, address + 2, address + 3) for address in far)
    free_ones = (t for t in threes if not any(a in n for a in t for n in taken))
    return tuple(address for three in free_ones for address in three[:2])


def _behind(spec: Spec) -> dict[Network, Place]:
    """The networks behind all links, and at whose far end each is."""
    found: dict[Network, Place] = {}
    for router in spec.routers:
        for link in router.links:
            for network in link.networks:
                place = far_place(link)
                if found.setdefault(network, place) != place:
                    raise Unstaged(
                        f"network {network} is behind two places: rehearse their routers from two "
                        "files, one at a time"
                    )
    return found


def _of_host(spec: Spec, live: Namespace) -> Iterator[Network]:
    """Addresses of the host, and what its other links are in; the uplinks' the spec tells."""
    uplinks = {uplink.dev for router in spec.routers for uplink in router.uplinks}
    for item in live.items:
        if isinstance(item, Addressed):
            yield single(item.interface.ip)
            if item.dev not in uplinks and not item.interface.ip.is_link_local:
                yield item.interface.network


def _destinations(live: Namespace) -> list[Network]:
    routes = (i for i in live.items if isinstance(i, Route))
    return [r.destination for r in routes if r.destination.prefixlen]


def _mac(uplink: Uplink, live: Namespace | None) -> str | None:
    name = uplink.dev if uplink.made is None else uplink.made.parent
    link = live.link(name) if live is not None and name is not None else None
    return None if link is None else link.mac


def _refuse_shared(spec: Spec) -> None:
    """Here each uplink has a segment of its own, with a wire to it."""
    owners: dict[str, tuple[str, str]] = {}
    for router, uplink in ((r, uplink) for r in spec.routers for uplink in r.uplinks):
        made = uplink.made
        on = None if made is None else made.parent or made.bridge
        if on is None or owners.setdefault(on, (router.name, uplink.dev)) == (
            router.name,
            uplink.dev,
        ):
            continue
        if owners[on][0] == router.name:
            devs = f"{owners[on][1]} and {uplink.dev}"
            raise Unstaged(f"uplinks {devs} of router {router.name} are both made upon {on}")
        raise Unstaged(
            f"routers {owners[on][0]} and {router.name} are both made upon {on}: rehearse them "
            "from two files, one at a time"
        )


def _named(spec: Spec) -> tuple[Network, ...]:
    """Every network that means something in the spec, sources of forwards aside."""
    return tuple(n for r in spec.routers for n in _router_networks(r))


def _router_networks(router: Router) -> Iterator[Network]:
    ends = (i for link in router.links for i in (*link.addresses, *link.router_addresses))
    for interface in (*router.addresses, *ends):
        yield interface.network
    for link in router.links:
        yield from link.networks
    yield from map(single, router.gateways)
    for version in (4, 6):
        yield from translated_into(router, version)
    yield from (single(pair.inner) for pair in router.one_to_one)
    for forward in router.forward:
        yield from (single(t.address) for t in forward.targets if t.address is not None)
    yield from (single(r.via) for r in router.routes if r.via is not None)
    yield from (single(n.address) for n in router.neighbours)


def _neighbours(
    segment: Segment, taken: Collection[Network], sources: Collection[Network]
) -> Iterator[Interface]:
    """One address of each family, and one more for each source network on the uplink's link."""
    for each in segment.families:
        prefix = min((i.network for i in each.public), key=lambda n: n.prefixlen)
        used = [t for t in taken if t != prefix]
        used += [single(i.ip) for i in (*each.public, *each.far)]
        address = free(prefix, used)
        if address is None:
            yield ip_interface(spare(each.version, (*taken, *sources)))
            continue
        yield ip_interface(f"{address}/{prefix.prefixlen}")
        used.append(single(address))
        for source in _on_link_sources(segment.router, prefix):
            address = free(source, used)
            if address is not None:
                yield ip_interface(f"{address}/{prefix.prefixlen}")
                used.append(single(address))


def _on_link_sources(router: Router, prefix: Network) -> list[Network]:
    sources = {s for f in router.forward for s in f.sources if s.version == prefix.version}
    return sorted(s for s in sources if s.subnet_of(prefix))  # type: ignore[arg-type]


def _speaker(network: Network, networks: Iterable[Network]) -> Address:
    others = [n for n in networks if n != network and n.version == network.version]
    narrower = [n for n in others if n.subnet_of(network)]  # type: ignore[arg-type]
    return free(network, narrower) or network[0]


def _quiet_port(spec: Spec) -> int:
    """A port that no forward names, of those that no well-known service has if there is one."""
    named = sorted({(p.first, p.last) for r in spec.routers for p in _ports(r)})
    for lowest in (2049, 1):
        port = lowest
        for first, last in named:
            if first > port:
                break
            port = max(port, last + 1)
        if port < 65536:
            return port
    raise Unstaged("the forwards name every port: none is left to try as one that is closed")


def _ports(router: Router) -> Iterator[Ports]:
    for forward in router.forward:
        yield from forward.ports
        yield from (t.ports for t in forward.targets if t.ports is not None)
