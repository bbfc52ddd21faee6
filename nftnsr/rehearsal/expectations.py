"""Scene -> probes: what the spec promises, as things that can be tried.

Where the spec promises nothing (a key that switches a promise off) there is no probe. Where it
promises something that no probe can show, that is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.addressing import uplink_mac
from nftnsr.compile.families import Family, Side
from nftnsr.compile.paths import leads_nowhere
from nftnsr.rehearsal import sizes
from nftnsr.rehearsal.forged import through_reverse_path
from nftnsr.rehearsal.forwards import through_forwards
from nftnsr.rehearsal.itself import router_itself
from nftnsr.rehearsal.outcome import Kind, Untried
from nftnsr.rehearsal.probes import (
    Arrives,
    Echo,
    Leak,
    Probe,
    Reach,
    Server,
    Solicit,
    endpoint,
)
from nftnsr.rehearsal.routes import through_routes
from nftnsr.rehearsal.scene import HOST, Client, Origin, Scene, Segment, far_place
from nftnsr.rehearsal.shunned import through_lists
from nftnsr.rehearsal.unseen import unseen
from nftnsr.rehearsal.ways_out import Sender, is_kept_in, narrow
from nftnsr.rehearsal.whole import goes_out, known_as, whole_addresses
from nftnsr.rehearsal.wiring import LAN, SEGMENT
from nftnsr.spec.model import Address

_ANSWER_TIME = 0.5
"""For a neighbour advertisement: below the 0.8 s of a delayed one."""


def timed_probes(scene: Scene) -> Iterator[Probe]:
    """What has to be fast, so that nothing else may go on meanwhile."""
    for segment in scene.segments:
        yield from _neighbour_discovery(segment)


def probes(scene: Scene) -> Iterator[Probe | Untried]:
    """What can go on at once."""
    for segment in scene.segments:
        yield from (sizes.clamped(segment, each) for each in _through(scene, segment))
    for router in scene.spec.routers:
        yield from unseen(router)


def _through(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    """All that goes through one uplink, or must not."""
    yield from _out(scene, segment)
    yield from through_routes(scene, segment)
    yield from whole_addresses(scene, segment)
    through = tuple(through_forwards(scene, segment))
    yield from through
    yield from sizes.inward(scene, segment, through)
    yield from through_lists(scene, segment, through)
    yield from through_reverse_path(scene, segment, through)
    yield from _own_ipv6(scene, segment)
    yield from _closed(scene, segment)
    yield from router_itself(scene, segment)
    yield from _across(scene, segment)
    if segment.router.forward_filter:
        yield from _transit(scene, segment)
        yield from _foreign_source(scene, segment)


def closing_probes(scene: Scene) -> Iterator[Probe]:
    """What judges all packets of the rehearsal."""
    for segment in scene.segments:
        router = segment.router
        if not (router.drop_invalid and router.forward_filter and router.masquerade):
            continue
        senders = [Client(HOST, i.ip) for i in router.host.addresses]
        senders += [*scene.ends(router, 4), *(i.client for i in scene.behind(router))]
        senders = [s for s in senders if s.address.version == 4 and segment.carries(s.address)]
        stray = tuple(senders) if segment.has_gateway(4) else ()
        name = f"sources other than the router's that leave by {segment.way}"
        far, port = scene.far_end(4), scene.quiet_port
        yield Leak(router.name, "leak", name, stray, far, port, segment.name)


def _neighbour_discovery(segment: Segment) -> Iterator[Probe]:
    router = segment.router
    within = _ANSWER_TIME + router.proxy_delay / 100
    for ip in filter(segment.on_link, segment.far_ipv6):
        for place, link in ((segment.neighbour, LAN), (segment.gateway, SEGMENT)):
            name = f"{ip} asked for by the {place}"
            mac = uplink_mac(router, segment.uplink) or segment.uplink_wire.near.mac
            yield Solicit(router.name, "ndp", name, place, link, ip, mac, within)


def _out(scene: Scene, segment: Segment) -> Iterator[Probe | Untried]:
    for family in segment.families:
        far = scene.outside(segment, family.version)
        if far is None:
            reason = "the spec has no gateway, and the uplink's prefix no room for a neighbour"
            yield Untried(segment.router.name, f"out over IPv{family.version}", reason)
            continue
        senders = [
            *_host_senders(segment, family, far.address),
            *_inner_senders(scene, segment, family, far.address),
        ]
        free: list[Origin] = []
        for origin, seen in senders:
            if not segment.carries(origin.address or family.host[0].ip):
                continue
            if is_kept_in(segment, family, origin):
                yield from narrow(scene, segment, family, (origin, seen), far)
                continue
            own = origin.address or family.host[0].ip
            if leads_nowhere(segment.router, own, far.address):
                yield from _reach(segment, "route", origin, _quiet_servers(scene, far), None)
                continue
            yield from _reach(segment, "out", origin, _quiet_servers(scene, far), Arrives(seen))
            yield _echo(segment, origin, far.address)
            free.append(origin)
        yield from sizes.outward(scene, segment, free, family.version)
        yield from _on_the_segment(scene, segment, family)


def _on_the_segment(scene: Scene, segment: Segment, family: Family) -> Iterator[Probe]:
    """The host talks to those on the uplink's own segment, who look for its addresses there."""
    near = segment.near(family.version)
    stranger = segment.stranger(family.version).address
    for origin, seen in _host_senders(segment, family, stranger):
        if is_kept_in(segment, family, origin):
            continue
        if near is not None and segment.has_gateway(family.version):
            yield from _reach(segment, "out", origin, _quiet_servers(scene, near), Arrives(seen))
        for gateway in segment.uplink.gateways:
            if gateway.version != family.version or gateway.is_link_local:
                continue
            # One that is not on its link is looked for by the first uplink, as anybody is.
            if segment.on_link(gateway) or segment.uplink == segment.router.uplinks[0]:
                yield _echo(segment, origin, gateway)


def _host_senders(segment: Segment, family: Family, to: Address) -> Iterator[Sender]:
    own = [i.ip for i in family.host]
    usable = [ip for ip in own if goes_out(segment, ip, to)]
    if usable and segment.router.host.default_route and len(usable) == len(own):
        # As any program does it, the kernel chooses the source.
        all_of_them = {
            s: None for ip in usable for s in known_as(segment.router, segment.uplink, ip, to)
        }
        yield Origin(HOST), tuple(all_of_them)
        usable = usable[1:]
    for ip in usable:
        yield Origin(HOST, ip), known_as(segment.router, segment.uplink, ip, to)


def _inner_senders(scene: Scene, segment: Segment, family: Family, to: Address) -> Iterator[Sender]:
    """What is behind the host, and all that is at further links."""
    inner = [i.client for i in scene.behind(segment.router)]
    for client in (*scene.ends(segment.router, family.version), *inner):
        ip = client.address
        if ip.version == family.version and goes_out(segment, ip, to):
            yield client.origin, known_as(segment.router, segment.uplink, ip, to)


def _own_ipv6(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """What comes in over IPv6 for the host's own addresses, past all forwards."""
    router = segment.router
    closed = router.inbound_ipv6 == "forwards"
    if not segment.own_ipv6 or (closed and not router.forward_filter):
        return
    client = scene.outside(segment, 6)
    if client is None:
        return
    seen = Arrives((client.address,))
    for ip in segment.own_ipv6:
        quiet = _quiet_servers(scene, Client(HOST, ip))
        kind: Kind = "closed" if closed else "in"
        yield from _reach(segment, kind, client.origin, quiet, None if closed else seen)
        for forward in router.forward if closed else ():
            # The port that such a forward names is the same outside and inside.
            if forward.nat and forward.to_host and not (forward.sources or forward.addresses):
                port = forward.ports[0].first
                servers = (Server(HOST, p, ip, port) for p in forward.protocols if p != "sctp")
                yield from _reach(segment, "in", client.origin, tuple(servers), seen)


def _closed(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """A port that no forward names, at every public address, from far and from near."""
    for family in segment.families:
        clients = (scene.outside(segment, family.version), segment.stranger(family.version))
        for host in family.host[:1]:
            servers = _quiet_servers(scene, Client(HOST, host.ip))
            for client in dict.fromkeys(c for c in clients if c is not None):
                for public in family.shared:
                    yield from _reach(segment, "closed", client.origin, servers, None, public)


def _transit(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """What a neighbour sends to the uplink's MAC, but for somebody else."""
    router = segment.router
    every = [ip for s in scene.segments if s.router == router for ip in s.own_ipv6]
    for family in segment.families:
        version = family.version
        open_ = every if router.inbound_ipv6 == "open" else ()
        inside = [Client(HOST, i.ip) for i in family.host if i.ip not in open_]
        inner = [i.client for i in scene.behind(router) if i.address.version == version]
        inner += scene.ends(router, version)
        opened = [c for c in inner if any(c.address in n for n in router.filter.inbound)]
        far = scene.outside(segment, version)
        beyond = [far] if far is not None and far.place != segment.neighbour else []
        for target in (*inside, *(i for i in inner if i not in opened), *beyond):
            servers = _quiet_servers(scene, target)
            yield from _reach(segment, "transit", segment.stranger(version).origin, servers, None)
        for target in inner if version == 6 else ():
            for client in beyond:
                servers = _quiet_servers(scene, target)
                welcome = Arrives((client.address,)) if target in opened else None
                kind: Kind = "closed" if welcome is None else "in"
                yield from _reach(segment, kind, client.origin, servers, welcome)


def _foreign_source(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """Only those may send through the router who are behind it by the spec."""
    for family in segment.families:
        far = scene.outside(segment, family.version)
        source = scene.nobody(family.version)
        if far is None or source is None:
            continue
        server = Server(far.place, "udp", far.address, scene.quiet_port)
        for side in family.sides:
            if side.link.default_route and side.far:
                origin = Origin(far_place(side.link), source)
                yield from _reach(segment, "transit", origin, (server,), None)
                yield from _of_another_link(segment, family, side, server)


def _of_another_link(
    segment: Segment, family: Family, side: Side, server: Server
) -> Iterator[Probe]:
    """Nor with an address of those behind another link."""
    for other in family.sides:
        if other.far and far_place(other.link) != far_place(side.link):
            origin = Origin(far_place(side.link), other.far[0].ip)
            yield from _reach(segment, "transit", origin, (server,), None)


def _across(scene: Scene, segment: Segment) -> Iterator[Probe]:
    """What is at one link reaches what is at another, and is seen as itself."""
    if not segment.first:
        return
    for family in segment.families:
        ends = [side for side in family.sides if side.far]
        for side in ends:
            client = Client(far_place(side.link), side.far[0].ip)
            for other in ends:
                server = Client(far_place(other.link), other.far[0].ip)
                if client.place != server.place:
                    servers = _quiet_servers(scene, server)
                    seen = Arrives((client.address,))
                    yield from _reach(segment, "across", client.origin, servers, seen)


def _quiet_servers(scene: Scene, at: Client) -> tuple[Server, Server]:
    """Servers on the port that no forward names."""
    port = scene.quiet_port
    return Server(at.place, "tcp", at.address, port), Server(at.place, "udp", at.address, port)


def _reach(
    segment: Segment,
    kind: Kind,
    origin: Origin,
    servers: tuple[Server, ...],
    expect: Arrives | None,
    address: Address | None = None,
) -> Iterator[Probe]:
    """`origin` talks to each of `servers`, or tries to get to it by way of `address`."""
    for server in servers:
        to = address or server.address
        name = f"{endpoint(to, server.port)}/{server.protocol} from {origin}"
        yield Reach(segment.router.name, kind, name, origin, to, server.port, server, expect)


def _echo(segment: Segment, origin: Origin, address: Address) -> Probe:
    return Echo(segment.router.name, "out", f"ping {address} from {origin}", origin, address)
