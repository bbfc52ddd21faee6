"""What a person can say: the specification of routers, as frozen values.

Everything here has been parsed once, at the edge: an address is an `ipaddress` object and a
port is an int, so that nothing further in has to ask again what a string may hold.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Final, Literal

from attrs import frozen

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network
Protocol = Literal["tcp", "udp", "sctp"]
Balance = Literal["source", "round-robin"]
Helper = Literal["ftp", "sip", "tftp"]
SourcePorts = Literal["preserve", "random", "fully-random"]
InboundIPv6 = Literal["open", "forwards"]
RouteType = Literal["unicast", "blackhole", "unreachable", "prohibit"]
UplinkKind = Literal["macvlan", "ipvlan", "vlan", "veth"]

MAIN_TABLE: Final = 254
FIRST_TABLE: Final = 1000
"""That of the first of several uplinks; another one's is as far behind it as its metric says."""

HOST_LINK_LOCAL: Final = IPv6Address("fe80::2")
ROUTER_LINK_LOCAL: Final = IPv6Address("fe80::1")


@frozen
class Ports:
    """An inclusive range of ports, 1 to 65535; a single port has `first == last`."""

    first: int
    last: int

    @property
    def single(self) -> bool:
        return self.first == self.last

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.single else f"{self.first}-{self.last}"


@frozen
class Target:
    """A server inside: its address, or the host's own; its ports, or those of the public side."""

    address: Address | None = None
    ports: Ports | None = None

    def port_for(self, port: int, of: Ports) -> int:
        """Where `port`, one `of` the ports that a forward names, arrives: shifted one to one."""
        return port if self.ports is None else self.ports.first + port - of.first

    @property
    def text(self) -> str:
        address = "" if self.address is None else str(self.address)
        if ":" in address:
            address = f"[{address}]"
        return address if self.ports is None else f"{address}:{self.ports}"


HOST_ITSELF: Final = Target()


@frozen
class Rate:
    """So many in a `unit` of time, as nft(8) has it in `limit rate`."""

    number: int
    unit: Literal["second", "minute", "hour", "day"]

    def __str__(self) -> str:
        return f"{self.number}/{self.unit}"


@frozen
class Limit:
    """How many connections one source may make, as nft(8) has it in `limit rate over`."""

    rate: Rate
    burst: int = 5

    def __str__(self) -> str:
        return f"{self.rate} burst {self.burst}"


@frozen
class Forward:
    """Ports of the public addresses that lead to a server inside.

    Without a target it leads to the host itself, in every family that both the uplink and the
    host have an address of. Without `addresses` it is for all of the uplink's. With `sources`
    only those networks, and what is behind the router, may use it. Of several targets each new
    connection gets one.
    """

    ports: tuple[Ports, ...]
    protocols: tuple[Protocol, ...] = ("tcp",)
    targets: tuple[Target, ...] = (HOST_ITSELF,)
    addresses: tuple[Address, ...] = ()
    sources: tuple[Network, ...] = ()
    name: str | None = None
    hairpin: bool = True
    enabled: bool = True
    balance: Balance = "source"
    limit: Limit | None = None
    hide_client: bool = False
    nat: bool = True  # False: its clients ask for the targets' own IPv6 addresses

    @property
    def to_host(self) -> bool:
        """Whether it leads to the host itself and keeps its ports."""
        return self.targets == (HOST_ITSELF,)

    @property
    def service(self) -> str:
        """What it is called by who gives it no name, e.g. `80,443/tcp`."""
        return f"{','.join(map(str, self.ports))}/{'+'.join(self.protocols)}"

    @property
    def text(self) -> str:
        """The short form of the spec, e.g. `8080/tcp -> 10.42.0.10:80`."""
        public = "".join(f"[{ip}]:" if ip.version == 6 else f"{ip}:" for ip in self.addresses[:1])
        to = "" if self.to_host else " -> " + ", ".join(t.text for t in self.targets)
        return f"{public}{self.service}{to}"


@frozen
class AddressOptions:
    """What is particular about one of the uplink's addresses; lifetimes in seconds."""

    interface: Interface
    noprefixroute: bool = False
    nodad: bool = True
    preferred_lifetime: int | None = None  # None: for ever
    valid_lifetime: int | None = None


@frozen
class MadeUplink:
    """An uplink that nftnsr makes, so that the host keeps its own interface.

    A macvlan, ipvlan or vlan is made upon `parent`; of a veth the other end, of the same name, is
    put into `bridge`.
    """

    name: str
    kind: UplinkKind
    parent: str | None = None
    bridge: str | None = None
    mode: str | None = None  # of a macvlan or an ipvlan
    id: int | None = None  # of a vlan


@frozen
class Uplink:
    """One way out of the router: an interface, its addresses, and the gateways beyond it.

    `dev` is its name in the router's namespace. The first one is written in the router's own
    table, without a `name`, and has the metric 0.
    """

    dev: str
    addresses: tuple[Interface, ...]
    gateways: tuple[Address, ...] = ()
    address_options: tuple[AddressOptions, ...] = ()  # of those of `addresses` that are tables
    mtu: int | None = None  # None: as it is, here and in what follows
    mac: str | None = None
    altnames: tuple[str, ...] | None = None
    made: MadeUplink | None = None  # None: it is an interface of the host, which moves
    name: str = ""
    metric: int = 0  # of its default route; IPv6 counts from 1024 on
    mark: int = FIRST_TABLE  # of the connections that have taken it
    networks: tuple[Network, ...] = ()  # inside, that leave by it

    @property
    def table(self) -> int:
        """Its own routing table, where it is one of several."""
        return FIRST_TABLE + self.metric

    @property
    def connected(self) -> tuple[Interface, ...]:
        """The addresses that bring a route to their prefix."""
        without = {each.interface for each in self.address_options if each.noprefixroute}
        return tuple(i for i in self.addresses if i not in without)


@frozen
class Setting:
    """A kernel setting of the router's namespace, by its path below /proc/sys."""

    path: str
    value: str


@frozen
class StaticRoute:
    """A route of the router's namespace; its fields are those of ip-route(8)."""

    destination: Network
    via: Address | None = None
    dev: str | None = None  # None: the link on which `via` is
    metric: int | None = None  # None: 0 in IPv4, 1024 in IPv6, as for ip(8)
    table: int = MAIN_TABLE
    source: Address | None = None
    mtu: int | None = None
    type: RouteType = "unicast"

    @property
    def text(self) -> str:
        """The short form of the spec, e.g. `10.9.0.0/16 via 192.0.2.9 metric 5`."""
        words = ["" if self.type == "unicast" else f"{self.type} ", str(self.destination)]
        for word, value in (
            ("via", self.via), ("dev", self.dev), ("metric", self.metric),
            ("table", None if self.table == MAIN_TABLE else self.table),
            ("src", self.source), ("mtu", self.mtu),
        ):  # fmt: skip
            words += [] if value is None else [f" {word} {value}"]
        return "".join(words)


@frozen
class RoutingRule:
    """A rule of ip-rule(8): which table routes a packet, or that none does.

    `mark` is a firewall mark and the bits of it that count. Without a `priority` it comes after
    the one before it. Without a network it holds in each family that the router has.
    """

    source: Network | None = None
    destination: Network | None = None
    mark: tuple[int, int] | None = None
    iif: str | None = None
    oif: str | None = None
    priority: int | None = None
    table: int = MAIN_TABLE
    type: RouteType = "unicast"  # unicast: look it up in `table`

    @property
    def text(self) -> str:
        """The words of the spec, e.g. `from 10.42.0.0/24 lookup 100`."""
        mark = None if self.mark is None else f"{self.mark[0]:#x}/{self.mark[1]:#x}"
        words = [f"lookup {self.table}" if self.type == "unicast" else self.type]
        for word, value in (
            ("priority", self.priority), ("oif", self.oif), ("iif", self.iif), ("fwmark", mark),
            ("to", self.destination), ("from", self.source),
        ):  # fmt: skip
            words = words if value is None else [f"{word} {value}", *words]
        return " ".join(words)


@frozen
class StaticNeighbour:
    """Somebody on a link of the router's whose MAC address never has to be asked for."""

    address: Address
    mac: str
    dev: str | None = None  # None: the link in whose prefix `address` is


@frozen
class OneToOne:
    """A public address that is one host's inside, in both directions and for every protocol."""

    public: Address
    inner: Address

    @property
    def text(self) -> str:
        return f"{self.public} <-> {self.inner}"


@frozen
class PrefixPair:
    """Two IPv6 prefixes of one length; what is behind the prefix is the same in both (NPTv6)."""

    public: IPv6Network
    inner: IPv6Network

    def outer(self, inner: Address) -> IPv6Address:
        """The address by which the outside knows `inner`."""
        behind = int(inner) & int(self.inner.hostmask)
        return IPv6Address(int(self.public.network_address) | behind)

    @property
    def text(self) -> str:
        return f"{self.public} <-> {self.inner}"


@frozen
class SourceNat:
    """The public addresses, `first` to `last`, as which a network behind the router leaves.

    With `persistent` a client leaves as the same one wherever it goes.
    """

    network: Network
    first: Address
    last: Address
    persistent: bool = False

    @property
    def text(self) -> str:
        return f"{self.network} -> {self.pool}"

    @property
    def pool(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@frozen
class Inner:
    """An inner link: a veth pair between the router and the host, or a namespace of somebody else.

    `interface` and `addresses` are the far end's, and `networks` is what lies behind that.
    """

    interface: str
    addresses: tuple[Interface, ...]
    router_addresses: tuple[Interface, ...] = ()
    router_interface: str | None = None  # None: the same name as `interface`
    networks: tuple[Network, ...] = ()
    default_route: bool = True
    link_local: IPv6Address = HOST_LINK_LOCAL
    router_link_local: IPv6Address = ROUTER_LINK_LOCAL
    mtu: int = 1500  # the kernel's own for a veth, said so that a change of it is seen
    mac: str | None = None  # None: one made of the router's name
    table: int | None = None  # where the default routes are that lead to the router, if not main
    name: str = "host"
    namespace: str | None = None  # None: the host

    @property
    def peer(self) -> str:
        """The name of the router's end of the veth pair."""
        return self.router_interface or self.interface


@frozen
class Service:
    """Ports of the router's own addresses that may be reached from the uplink's side."""

    ports: tuple[Ports, ...]
    protocols: tuple[Protocol, ...] = ("tcp",)
    sources: tuple[Network, ...] = ()


@frozen
class Egress:
    """Where `source`, which is behind the router, may go out to; what names it adds up.

    Without a `destination` it is anywhere, without `ports` it is every protocol; `nothing` says
    that there is nowhere.
    """

    source: Network
    destination: Network | None = None
    ports: tuple[Ports, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    nothing: bool = False


@frozen
class Blocklist:
    """Networks that nobody behind the router talks to; disjoint, sorted within each family."""

    name: str
    file: str
    networks: tuple[Network, ...]
    place: str
    """Where that file lies, which is named from beside the spec."""


@frozen
class Filter:
    """What may pass beyond what the router implies, and what may not, as `[router.NAME.filter]`."""

    input: tuple[Service, ...] | None = None  # None: the router itself is open
    ping: bool = True
    egress: tuple[Egress, ...] = ()
    inbound: tuple[Network, ...] = ()
    blocklists: tuple[Blocklist, ...] = ()
    bogons: bool = False
    reverse_path_ipv6: bool = False
    log_drops: Rate | None = None
    log_prefix: str | None = None  # None: "nftnsr" and the router's name
    log_group: int | None = None  # None: the kernel's log


@frozen(cache_hash=True)
class Router:
    """A network namespace with the uplinks in it, as one table `[router.NAME]` says it.

    The keys after `host` are what the compiler implies when a person does not write them.
    """

    name: str
    uplinks: tuple[Uplink, ...]  # by metric, the first one always there
    host: Inner
    forward: tuple[Forward, ...] = ()
    strict: bool = False
    masquerade: bool = True
    one_to_one: tuple[OneToOne, ...] = ()
    prefix_translation: tuple[PrefixPair, ...] = ()
    snat: tuple[SourceNat, ...] = ()
    no_nat: tuple[Network, ...] = ()  # destinations
    source_ports: SourcePorts = "preserve"
    helpers: tuple[Helper, ...] = ()  # sorted
    hairpin: bool = True
    drop_invalid: bool = True
    forward_filter: bool = True
    counters: bool = False
    inbound_ipv6: InboundIPv6 = "open"
    proxy_ndp: bool = True
    proxy_delay: int = 0  # in 1/100 s (USER_HZ), as net.ipv6.neigh.*.proxy_delay
    accept_ra: Literal[0, 1, 2] = 0
    rp_filter: Literal[0, 1, 2] = 1
    mss_clamp: bool | int = False  # True: to the path MTU; a number: bytes, both ways
    filter: Filter = Filter()
    routes: tuple[StaticRoute, ...] = ()
    rules: tuple[RoutingRule, ...] = ()
    neighbours: tuple[StaticNeighbour, ...] = ()
    sysctls: tuple[Setting, ...] = ()  # by path; what is implied gives way to them
    inner: tuple[Inner, ...] = ()  # the further ones, ordered by name

    @property
    def links(self) -> tuple[Inner, ...]:
        """All inner links, the host's first."""
        return (self.host, *self.inner)

    @property
    def addresses(self) -> tuple[Interface, ...]:
        """Those of all uplinks."""
        return tuple(i for uplink in self.uplinks for i in uplink.addresses)

    @property
    def gateways(self) -> tuple[Address, ...]:
        """Those of all uplinks."""
        return tuple(g for uplink in self.uplinks for g in uplink.gateways)

    @property
    def moved(self) -> tuple[Uplink, ...]:
        """The uplinks that are interfaces of the host."""
        return tuple(uplink for uplink in self.uplinks if uplink.made is None)

    def uplink_on(self, dev: str) -> Uplink | None:
        """The uplink of this name."""
        return next((uplink for uplink in self.uplinks if uplink.dev == dev), None)

    def uplink_for(self, address: Address) -> Uplink:
        """The uplink in whose prefix a public `address` is; another is routed to the first one."""
        on_link = (u for u in self.uplinks if any(address in i.network for i in u.addresses))
        return next(on_link, self.uplinks[0])

    def link_to(self, address: Address) -> str | None:
        """The link of the router's namespace in whose prefix `address` is."""
        outer = ((uplink.dev, uplink.connected) for uplink in self.uplinks)
        inner = ((link.peer, link.router_addresses) for link in self.links)
        sides = (*outer, *inner)
        return next((d for d, own in sides if any(address in i.network for i in own)), None)


@frozen
class Spec:
    """All routers of one file, ordered by name so that table order in the TOML never matters."""

    routers: tuple[Router, ...]

    @property
    def beside(self) -> tuple[str, ...]:
        """All files that were read besides the spec's own."""
        return tuple(b.place for router in self.routers for b in router.filter.blocklists)
