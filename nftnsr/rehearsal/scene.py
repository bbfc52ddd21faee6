"""Who takes part in a rehearsal, and under which addresses: derived from the spec, no kernel.

        host --- uplink === segment of the provider === gateway --- internet
       /    \\      |                  |
    inner   inner  namespace      neighbour

A namespace is one of somebody else's, at the far end of an inner link, and others are behind it as
they are behind the host. The internet has every address that nobody else has, so a client can come
from anywhere.
"""

from __future__ import annotations

from collections.abc import Collection

from attrs import evolve, frozen

from nftnsr.compile.families import Family, families, family, is_ula
from nftnsr.compile.uplinks import leaves_by
from nftnsr.rehearsal.addresses import EVERYWHERE, free, single
from nftnsr.rehearsal.targets import end_with, targets
from nftnsr.rehearsal.wiring import (
    LAN,
    NEIGHBOUR_PORT,
    UPLINK_PORT,
    WAN,
    Wire,
    bridge_port,
    wire,
)
from nftnsr.spec.model import (
    Address,
    Interface,
    Network,
    Router,
    Spec,
    StaticRoute,
    Uplink,
)
from nftnsr.spec.model import Inner as InnerLink

Place = str
"""The name of one participant, e.g. `internet` or `neighbour of ens3`."""

INTERNET: Place = "internet"
HOST: Place = "host"
ELSEWHERE: Place = "elsewhere"
"""At the other ends of links of the host's that are no uplinks."""


@frozen
class Origin:
    """Where packets start, and the address they bear; without one, the kernel chooses."""

    place: Place
    address: Address | None = None

    def __str__(self) -> str:
        return self.place if self.address is None else f"{self.place} ({self.address})"


@frozen
class Client:
    """Somebody with one address that is known."""

    place: Place
    address: Address

    @property
    def origin(self) -> Origin:
        return Origin(self.place, self.address)


def far_place(link: InnerLink) -> Place:
    """Where the far end of an inner link is."""
    return HOST if link.namespace is None else f"namespace {link.namespace}"


@frozen
class Inner:
    """A host behind a far end: it has all addresses of its network and speaks from `address`."""

    network: Network
    address: Address
    behind: Place = HOST

    @property
    def place(self) -> Place:
        return f"inner host of {self.network}"

    @property
    def client(self) -> Client:
        return Client(self.place, self.address)


@frozen
class Segment:
    """The layer-2 segment that an uplink is on, with a neighbour whom nobody trusts."""

    router: Router
    uplink: Uplink
    number: int
    neighbours: tuple[Interface, ...]
    mac: str | None = None
    """Of the host's interface, where that is known."""

    @property
    def uplink_wire(self) -> Wire:
        """That at whose end is the uplink, or what it is made upon, or a port of its bridge."""
        made = self.uplink.made
        near = self.uplink.dev if made is None else made.parent or bridge_port(self.number)
        return wire(4 * self.number, near, UPLINK_PORT, self.mac)

    @property
    def wan_wire(self) -> Wire:
        """The wire between the gateway and the internet."""
        return wire(4 * self.number + 1, WAN, f"{WAN}{self.number}")

    @property
    def neighbour_wire(self) -> Wire:
        return wire(4 * self.number + 2, LAN, NEIGHBOUR_PORT)

    @property
    def itself(self) -> Place:
        """The router, once it is there."""
        return f"router {self.router.name}"

    @property
    def name(self) -> str:
        """The router's name, and that of a further uplink of its."""
        return " ".join(filter(None, (self.router.name, self.uplink.name)))

    @property
    def way(self) -> str:
        """The uplink in words."""
        return f"uplink {self.uplink.name}" if self.uplink.name else "the uplink"

    @property
    def gateway(self) -> Place:
        return f"gateway of {self.name}"

    @property
    def neighbour(self) -> Place:
        return f"neighbour of {self.name}"

    @property
    def families(self) -> tuple[Family, ...]:
        """Those of the uplink, with its own public addresses only."""
        found = (each.on(self.uplink) for each in families(self.router))
        return tuple(each for each in found if each.public)

    @property
    def next_hops(self) -> tuple[Address, ...]:
        """Gateways, and the next hops of other routes over the uplink: the gateway is them all."""
        vias = (r.via for r in self.router.routes if self.leads(r))
        return tuple(dict.fromkeys((*self.uplink.gateways, *(v for v in vias if v is not None))))

    @property
    def next_hop_mac(self) -> str | None:
        """The MAC that the spec gives to a next hop; what has another one is nobody here."""
        known = (n.mac for n in self.router.neighbours if n.address in self.next_hops)
        return next(known, None)

    def has_gateway(self, version: int) -> bool:
        return any(g.version == version for g in self.uplink.gateways)

    def on_link(self, address: Address) -> bool:
        """Whether `address` lies in a prefix of the uplink, so that its segment asks for it."""
        return any(address in i.network for i in self.uplink.addresses)

    def stranger(self, version: int) -> Client:
        """The neighbour, under any address."""
        return Client(self.neighbour, next(i.ip for i in self.neighbours if i.version == version))

    def near(self, version: int) -> Client | None:
        """The neighbour, if the uplink's prefix has room for an address of its own."""
        if not any(i.version == version for i in self.neighbours):
            return None
        stranger = self.stranger(version)
        return stranger if self.on_link(stranger.address) else None

    @property
    def own_ipv6(self) -> tuple[Address, ...]:
        """The host's IPv6 addresses that the internet can reach: proxied or routed ones."""
        each = family(self.router, 6)
        own = [i.ip for i in each.host] if each else []
        return tuple(ip for ip in self.far_ipv6 if ip in own)

    @property
    def far_ipv6(self) -> tuple[Address, ...]:
        """Such addresses at the far ends of all inner links."""
        each = family(self.router, 6)
        ips = [i.ip for i in each.far if not is_ula(single(i.ip))] if each else []
        ips = [ip for ip in ips if self.owns(ip)]
        return tuple(ip for ip in ips if self.router.proxy_ndp or not self.on_link(ip))

    @property
    def first(self) -> bool:
        """Whether it is that of the router's first uplink, or of its only one."""
        return self.uplink == self.router.uplinks[0]

    def owns(self, address: Address) -> bool:
        """Whether a public address is this uplink's: in its prefix, or routed to the first one."""
        return self.router.uplink_for(address) == self.uplink

    def carries(self, source: Address) -> bool:
        """Whether what `source` begins leaves by this uplink."""
        return leaves_by(self.router, source) == self.uplink

    def leads(self, route: StaticRoute) -> bool:
        """Whether a route leads to a next hop on this segment."""
        dev = route.dev or (None if route.via is None else self.router.link_to(route.via))
        return route.via is not None and dev == self.uplink.dev


@frozen
class Scene:
    """Everybody who takes part, and one port that no forward of the spec names."""

    spec: Spec
    far: tuple[Address, ...]
    segments: tuple[Segment, ...]
    inner: tuple[Inner, ...]
    stray: tuple[Inner, ...]
    """Targets in no network of the spec: they are there, but nothing starts from them."""
    taken: tuple[Network, ...]
    """Where somebody is who has a part of his own."""
    quiet_port: int
    narrow: tuple[Address, ...] = ()
    """Two addresses in each family that are behind a narrow path: a server's, a client's."""
    provider: tuple[Address, ...] = ()
    """The address in each family by which a provider's gateway speaks of packets."""

    def seen_by(self, spec: Spec) -> Scene:
        """The same people in the same places, as another spec has them; it names nobody else."""
        uplinks = {(r.name, u.name): (r, u) for r in spec.routers for u in r.uplinks}
        known = (s for s in self.segments if (s.router.name, s.uplink.name) in uplinks)
        segments = (
            evolve(s, router=router, uplink=uplink)
            for s in known
            for router, uplink in [uplinks[s.router.name, s.uplink.name]]
        )
        return evolve(self, spec=spec, segments=tuple(segments))

    def narrow_far(self, version: int) -> tuple[Address, ...]:
        return tuple(a for a in self.narrow if a.version == version)[:1]

    def narrow_clients(self, version: int) -> tuple[Address, ...]:
        return tuple(a for a in self.narrow if a.version == version)[1:]

    @property
    def narrow_targets(self) -> tuple[Address, ...]:
        """The first target behind the host in each family: the path to it is narrow, too.

        Of a router that is not the host's default one nothing is promised there: what the host
        itself says of a packet that is too large goes by its default route.
        """
        spec = Spec(tuple(r for r in self.spec.routers if r.host.default_route))
        places = [i.place for i in (*self.inner, *self.stray) if i.behind == HOST]
        behind = [t for t in targets(spec) if self.place_of(t) in places]
        first = ([t for t in behind if t.version == version][:1] for version in (4, 6))
        return tuple(t for found in first for t in found)

    @property
    def clamps(self) -> bool:
        """Whether a router sees to it what segments of TCP there are."""
        return any(router.mss_clamp is not False for router in self.spec.routers)

    def far_end(self, version: int) -> Address:
        return next(a for a in self.far if a.version == version)

    def place_of(self, target: Address) -> Place:
        """Who has the address that a forward leads to."""
        if (link := end_with(self.spec, target)) is not None:
            return far_place(link)
        around = [i for i in (*self.inner, *self.stray) if target in i.network]
        return max(around, key=lambda i: i.network.prefixlen).place

    def behind(self, router: Router) -> tuple[Inner, ...]:
        """The inner hosts of `router` whose packets to anywhere go through it."""
        mine = [(i, k) for i in self.inner for k in router.links if i.network in k.networks]
        return tuple(i for i, k in mine if k.default_route or self._only(router, i.network))

    def ends(self, router: Router, version: int) -> tuple[Client, ...]:
        """The far ends of the further inner links of `router`."""
        return tuple(
            Client(far_place(link), i.ip)
            for link in router.inner
            for i in link.addresses
            if i.version == version
        )

    def answers(self, router: Router, target: Address) -> bool:
        """Whether what `target` answers goes back through `router`."""
        at = end_with(Spec((router,)), target)
        behind = (k for k in router.links if any(target in n for n in k.networks))
        link = at or next(behind, router.host)
        if link.default_route or any(target == i.ip for i in link.addresses):
            return True
        return self.place_of(target) in [i.place for i in self.behind(router)]

    def inside(self, segment: Segment, sources: Collection[Network]) -> Client | None:
        """A client that has an address in one of `sources`."""
        for ip in (i.ip for i in segment.neighbours):
            if segment.on_link(ip) and any(ip in s for s in sources):
                return Client(segment.neighbour, ip)
        for source in sources:
            address = free(source, self.taken)
            if address is not None and segment.has_gateway(source.version):
                return Client(INTERNET, address)
        return None

    def outside(
        self, segment: Segment, version: int, sources: Collection[Network] = ()
    ) -> Client | None:
        """A client that has an address in none of `sources`."""
        if segment.has_gateway(version):
            address: Address | None = self.far_end(version)
            if any(address in s for s in sources):
                address = free(EVERYWHERE[version], (*self.taken, *sources))
            return None if address is None else Client(INTERNET, address)
        near = segment.near(version)
        return None if near is None or any(near.address in s for s in sources) else near

    def crowd(
        self, segment: Segment, version: int, sources: Collection[Network], size: int
    ) -> tuple[Client, ...]:
        """Up to `size` clients on the internet, of different addresses in one of `sources`."""
        found: list[Client] = []
        taken = list(self.taken)
        for source in sources or (EVERYWHERE[version],):
            while segment.has_gateway(version) and len(found) < size:
                address = free(source, taken)
                if address is None:
                    break
                found.append(Client(INTERNET, address))
                taken.append(single(address))
        return tuple(found)

    def nobody(self, version: int) -> Address | None:
        """An address that nobody has who takes part in the rehearsal."""
        return free(EVERYWHERE[version], self.taken)

    def _only(self, router: Router, network: Network) -> bool:
        others = [r for r in self.spec.routers if r != router]
        return not any(network in link.networks for r in others for link in r.links)
