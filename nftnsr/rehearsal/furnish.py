"""Links, addresses and routes of everybody in the world; each function runs in that one's room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Interface, ip_interface

from nftnsr.compile.families import is_ula
from nftnsr.compile.sources import translated_into
from nftnsr.kernel import sysctl, wires
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.rehearsal import border, twin
from nftnsr.rehearsal.addresses import EVERYWHERE, single
from nftnsr.rehearsal.scene import Inner, Scene, Segment
from nftnsr.rehearsal.targets import unclaimed
from nftnsr.rehearsal.wiring import LAN, NARROW, NEIGHBOUR_PORT, SEGMENT, UPLINK_PORT, End, Wire
from nftnsr.spec.model import Address as IP
from nftnsr.spec.model import Inner as InnerLink
from nftnsr.spec.model import Interface, Network
from nftnsr.state.model import Address, Hop, Link, Namespace, Neighbour, Route, Sysctl

_LOCAL_TABLE, _FIRST_TABLE = 255, 1000
_RTN_LOCAL = 2
_SCOPE_LINK, _SCOPE_HOST = 253, 254


def empty_room(*, forwarding: bool) -> None:
    """What a namespace needs before it has links."""
    sysctl.write(_settings(str(int(forwarding))))
    with wires.rtnetlink() as rtnl:
        rtnl.set_up("lo", up=True)


def _settings(forwarding: str) -> Iterator[Sysctl]:
    yield Sysctl("net/ipv4/ip_forward", forwarding)
    for name in ("all", "default"):
        yield Sysctl(f"net/ipv4/conf/{name}/rp_filter", "0")
        yield Sysctl(f"net/ipv4/conf/{name}/send_redirects", "0")
        # Who sends to the router goes on doing so, even if that says who is nearer: over IPv6 it
        # does before its filter is asked.
        yield Sysctl(f"net/ipv4/conf/{name}/accept_redirects", "0")
        if sysctl.has_ipv6():
            yield Sysctl(f"net/ipv6/conf/{name}/forwarding", forwarding)
            yield Sysctl(f"net/ipv6/conf/{name}/accept_redirects", "0")
            yield Sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
            # A tentative link-local address solicits nobody for 1-2 s.
            yield Sysctl(f"net/ipv6/conf/{name}/accept_dad", "0")


def gateway(segment: Segment, scene: Scene) -> None:
    """The provider's router, with the segment as a bridge, and what guards its border."""
    wan = segment.wan_wire
    wires.add_bridge(SEGMENT, (UPLINK_PORT, NEIGHBOUR_PORT))
    with wires.rtnetlink() as rtnl:
        rtnl.set_up(wan.near.link, up=True)
        own = [_gateway_interface(segment, ip) for ip in segment.next_hops]
        if mac := segment.next_hop_mac:
            rtnl.set_link(Link(SEGMENT, mac=mac))
        for interface in own:
            rtnl.add_address(Address(SEGMENT, interface))
        for network in sorted(_on_segment(segment) - {i.network for i in own}, key=str):
            rtnl.add_route(_connected(network, SEGMENT))
        _talk_to(rtnl, wan.near.link, wan.far, EVERYWHERE.values())
        for ip in scene.provider:
            # Its own on the segment may be link-local, and nothing from there is routed.
            rtnl.add_address(Address("lo", ip_interface(ip)))
        _narrow(rtnl, wan.near.link, wan.far, scene.narrow)
    provide(segment)


def provide(segment: Segment) -> None:
    """What the provider sends to the router by its own address, and lets out of it."""
    border.guard(segment)
    with wires.rtnetlink() as rtnl:
        for network, via in _routed(segment):
            route = Route(network, (Hop(SEGMENT, via),), metric=_metric(network))
            # An IPv6 route over another next hop would become one of two paths.
            rtnl.delete_route(Route(network, (), metric=_metric(network)))
            rtnl.add_route(route)


def set_up(link: str, *, up: bool) -> None:
    with wires.rtnetlink() as rtnl:
        rtnl.set_up(link, up=up)


def neighbour(segment: Segment) -> None:
    """Somebody on the same segment, who sends everything to the router's uplink."""
    with wires.rtnetlink() as rtnl:
        rtnl.set_up(LAN, up=True)
        for interface in segment.neighbours:
            rtnl.add_address(Address(LAN, interface))
        for family in segment.families:
            hop = Hop(LAN, family.public[0].ip, onlink=True)
            # The router first: to reach it by itself would be a loop.
            rtnl.add_route(_connected(single(family.public[0].ip), LAN))
            default = EVERYWHERE[family.version]
            rtnl.add_route(Route(default, (hop,), metric=_metric(default)))


def internet(scene: Scene) -> None:
    """Everybody else in the world: all addresses are there, those behind a gateway aside."""
    # So what a provider says of a packet comes from an address that is here, too.
    sysctl.write([Sysctl("net/ipv4/conf/all/accept_local", "1")])
    with wires.rtnetlink() as rtnl:
        for ip in scene.far:
            rtnl.add_address(Address("lo", ip_interface(ip)))
            # In the main table, where the routes to the gateways are more specific.
            everything = EVERYWHERE[ip.version]
            rtnl.add_route(_local(everything, 254))
        for segment in scene.segments:
            wan = segment.wan_wire
            rtnl.set_up(wan.far.link, up=True)
            _talk_to(rtnl, wan.far.link, wan.near, _belongs_to(segment))


def inner_host(inner: Inner, wire: Wire) -> None:
    """A host behind the host, that has every address of its network."""
    with wires.rtnetlink() as rtnl:
        rtnl.set_up(wire.far.link, up=True)
        rtnl.add_route(_local(inner.network, _LOCAL_TABLE))
        _talk_to(rtnl, wire.far.link, wire.near, (EVERYWHERE[inner.network.version],))


def host(scene: Scene, uplinks: Iterable[Segment], inner: list[tuple[Inner, Wire]]) -> None:
    """The twin of this host as it is before the first apply: with the uplinks, configured."""
    if inner:
        sysctl.write([Sysctl("net/ipv4/ip_forward", "1")])
    if any(i.network.version == 6 for i, _ in inner):
        sysctl.write([Sysctl("net/ipv6/conf/all/forwarding", "1")])
    with wires.rtnetlink() as rtnl:
        rtnl.set_up("lo", up=True)
        for ip in unclaimed(scene.spec, None):
            rtnl.add_address(Address("lo", ip_interface(ip)))
        for segment in uplinks:
            _uplink(rtnl, segment)
        _reach_inner(rtnl, scene, inner)


def live_host(scene: Scene, live: Namespace, inner: list[tuple[Inner, Wire]]) -> tuple[str, ...]:
    """The twin as the host is at this moment; what it has not got of that."""
    with wires.rtnetlink() as rtnl:
        rtnl.set_up("lo", up=True)
        for segment in scene.segments:
            made, port = segment.uplink.made, segment.uplink_wire.near.link
            if made is not None and made.bridge is not None:
                wires.add_bridge(made.bridge, (port,))
        unlike = twin.resemble(live, scene)
        _reach_inner(rtnl, scene, inner)
    return unlike


def _reach_inner(rtnl: Rtnetlink, scene: Scene, inner: list[tuple[Inner, Wire]]) -> None:
    for each, wire in inner:
        rtnl.set_up(wire.near.link, up=True)
        alone = each.network in map(single, scene.narrow_targets)
        _talk_to(rtnl, wire.near.link, wire.far, () if alone else (each.network,))
        narrow = (t for t in scene.narrow_targets if scene.place_of(t) == each.place)
        _narrow(rtnl, wire.near.link, wire.far, narrow)


def _narrow(rtnl: Rtnetlink, link: str, other: End, addresses: Iterable[IP]) -> None:
    """Let the path to some addresses at the other end have a small MTU."""
    by_version = {ip.version: ip for ip in other.addresses}
    for ip in addresses:
        hop, metric = Hop(link, by_version[ip.version]), _metric(single(ip))
        rtnl.add_route(Route(single(ip), (hop,), metric=metric, metrics=(("mtu", NARROW),)))


def far_end(scene: Scene, link: InnerLink, inner: list[tuple[Inner, Wire]]) -> None:
    """The twin of a namespace of somebody else's, with what is behind it."""
    with wires.rtnetlink() as rtnl:
        for ip in unclaimed(scene.spec, link.namespace):
            rtnl.add_address(Address("lo", ip_interface(ip)))
        _reach_inner(rtnl, scene, inner)


def answer_through(link: InnerLink, number: int, networks: list[Network]) -> None:
    """Route what a far end answers by the router that asked, which is not its default one.

    The spec leaves that to its owner (`default_route = false` without a `table`); without it no
    forward works.
    """
    table = _FIRST_TABLE + number
    with wires.rtnetlink() as rtnl:
        for via in (*(i.ip for i in link.router_addresses), link.router_link_local):
            default = EVERYWHERE[via.version]
            hop = Hop(link.interface, via, onlink=True)
            route = Route(default, (hop,), metric=_metric(default), table=table)
            rtnl.delete_route(route)  # of an apply before this one
            rtnl.add_route(route)
    for network in (*(single(i.ip) for i in link.addresses), *networks):
        wires.add_rule(network, table)


def _uplink(rtnl: Rtnetlink, segment: Segment) -> None:
    router, uplink = segment.router, segment.uplink
    if uplink.made is not None:
        if uplink.made.bridge is not None:
            wires.add_bridge(uplink.made.bridge, (segment.uplink_wire.near.link,))
        rtnl.set_up(segment.uplink_wire.near.link, up=True)
        return
    rtnl.set_up(uplink.dev, up=True)
    for interface in _before(segment):
        rtnl.add_address(Address(uplink.dev, interface))
    for gateway in uplink.gateways if router.host.default_route else ():
        near = gateway.is_link_local or segment.on_link(gateway)
        default = EVERYWHERE[gateway.version]
        hop = Hop(uplink.dev, gateway, onlink=not near)
        rtnl.add_route(Route(default, (hop,), metric=_metric(default) + uplink.metric))


def _before(segment: Segment) -> Iterator[Interface]:
    """The uplink's addresses before the first apply: over IPv6 the host had its own there."""
    addresses = segment.uplink.addresses
    yield from (i for i in addresses if i.version == 4)
    prefixes = [i.network for i in addresses if i.version == 6 and not i.is_link_local]
    own = [IPv6Interface((ip, n.prefixlen)) for ip in segment.own_ipv6 for n in prefixes if ip in n]
    yield from own or (i for i in addresses if i.version == 6)


def _on_segment(segment: Segment) -> set[Network]:
    """What the gateway asks the segment for (ARP, NDP)."""
    everybody = (*segment.uplink.addresses, *segment.neighbours)
    seen = [i for i in everybody if not i.ip.is_link_local]
    return {i.network for i in seen} | {single(i.ip) for i in seen}


def _gateway_interface(segment: Segment, ip: IP) -> Interface:
    if ip.is_link_local:
        return IPv6Interface((ip, 64))
    prefixes = (i.network for i in segment.uplink.addresses if ip in i.network)
    length = next((n.prefixlen for n in prefixes), ip.max_prefixlen)
    return ip_interface(f"{ip}/{length}")


def _routed(segment: Segment) -> Iterator[tuple[Network, IP]]:
    """What the provider sends to the router's own address: its segment does not ask for it."""
    router = segment.router
    for family in segment.families:
        via = family.public[0].ip
        for network in translated_into(router, family.version):
            if segment.owns(network[0]) and not segment.on_link(network[0]):
                yield network, via
        exempt = any(n.version == family.version for n in router.no_nat)
        if family.version == 4 and router.masquerade and not exempt:
            continue
        for network in family.inside:
            if is_ula(network) or not segment.carries(network[0]):
                continue
            if not segment.on_link(network[0]):
                yield network, via


def _belongs_to(segment: Segment) -> list[Network]:
    """What the internet sends to this segment's gateway."""
    near = [i.ip for i in (*segment.uplink.addresses, *segment.neighbours)]
    singles = (ip for ip in (*near, *segment.next_hops, *segment.far_ipv6))
    own = {single(ip) for ip in singles if not ip.is_link_local}
    networks = (n for link in segment.router.links for n in link.networks)
    inner = {n for n in networks if n.version == 6 and not is_ula(n)}
    inner = {n for n in inner if segment.carries(n[0])}
    return sorted(own | inner | {n for n, _ in _routed(segment)}, key=str)


def _talk_to(rtnl: Rtnetlink, link: str, other: End, networks: Iterable[Network]) -> None:
    """Route `networks` to the other end of a wire, whose MAC never has to be asked for."""
    for ip in other.addresses:
        rtnl.add_neighbour(Neighbour(link, ip, other.mac))
        if ip.version == 4:
            # The internet has the rest of the world, next hops included, on its own loopback.
            rtnl.add_route(_connected(single(ip), link))
    by_version = {ip.version: ip for ip in other.addresses}
    for network in networks:
        hop = Hop(link, by_version[network.version])
        rtnl.add_route(Route(network, (hop,), metric=_metric(network)))


def _connected(network: Network, link: str) -> Route:
    scope = _SCOPE_LINK if network.version == 4 else 0
    return Route(network, (Hop(link),), metric=_metric(network), scope=scope)


def _local(network: Network, table: int) -> Route:
    scope = _SCOPE_HOST if network.version == 4 else 0
    metric = _metric(network)
    return Route(network, (Hop("lo"),), metric=metric, table=table, kind=_RTN_LOCAL, scope=scope)


def _metric(network: Network) -> int:
    # What iproute2 gets when it names none.
    return 0 if network.version == 4 else 1024
