"""A router, and all routers of a spec."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from .filter import NOTHING_FILTERED, Filter
from .forwards import Forward
from .links import Inner, Uplink
from .routing import RoutingRule, Setting, StaticNeighbour, StaticRoute
from .terms import Address, Interface, Network
from .translations import Helper, OneToOne, PrefixPair, SourceNat, SourcePorts

InboundIPv6 = Literal["open", "forwards"]


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
    filter: Filter = NOTHING_FILTERED
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
