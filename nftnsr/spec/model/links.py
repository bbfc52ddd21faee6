"""The links of a router: uplinks, and the veth pairs to what is behind it."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Final, Literal

from attrs import frozen

from .routing import FIRST_TABLE
from .terms import Address, Interface, Network

UplinkKind = Literal["macvlan", "ipvlan", "vlan", "veth"]

HOST_LINK_LOCAL: Final = IPv6Address("fe80::2")
ROUTER_LINK_LOCAL: Final = IPv6Address("fe80::1")


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
