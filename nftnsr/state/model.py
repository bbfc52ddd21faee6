"""What is, or shall be, in the kernel: one frozen type for the wanted and the observed state.

A `State` maps namespace names to namespaces, a namespace is a collection of items, and every item
has a `key` that is unique in its namespace. A field that is `None` in a wanted item means "as it
is": nftnsr neither sets nor compares it. Observed items have every field filled that the kernel
tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Literal, TypeAlias

from attrs import Factory, evolve, field, frozen

HOST = ""
"""The name of the namespace in which nftnsr itself runs; no named namespace can be called so."""

OURS = "nftnsr"
"""The alias of the loopback in a namespace that nftnsr made: the mark by which it knows its own.

It lives in the kernel and dies with the namespace, so it can never be out of date.
"""

PARKED = "lo:nftnsr"
"""The label of an address that the host keeps on its loopback for connections that have it."""

Address_: TypeAlias = IPv4Address | IPv6Address
Interface_: TypeAlias = IPv4Interface | IPv6Interface
Network_: TypeAlias = IPv4Network | IPv6Network
Key: TypeAlias = tuple[object, ...]

RT_MAIN = 254
RTPROT_NFTNSR = 110
RTPROT_KERNEL = 2
"""Tags the routes that nftnsr made; free in rtnetlink.h and in iproute2's rt_protos."""


@frozen
class Lower:
    """What a link that nftnsr makes is made upon: a link of the host."""

    kind: str
    parent: str
    mode: str | None = None
    id: int | None = None


def _sorted(names: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))


@frozen
class Link:
    """A network interface; `peer` is (namespace, name) of the other end of a veth of ours.

    An uplink is `name` wherever it is spoken of; `called` is its name in the kernel, which
    somebody may have changed. `kind` and `permanent` tell what it is, and are never compared.
    """

    name: str
    up: bool = True
    peer: tuple[str, str] | None = None
    mac: str | None = None
    mtu: int | None = None
    queue_length: int | None = None
    alias: str | None = None
    called: str = Factory(lambda self: self.name, takes_self=True)
    kind: str | None = field(default=None, eq=False)
    """The kind of a virtual link, as `ip link add type` has it."""
    permanent: str | None = field(default=None, eq=False)
    """The address that the hardware was made with (IFLA_PERM_ADDRESS)."""
    master: tuple[str, str] | None = None
    """(kind, name) of the bridge, bond or vrf to which it belongs; None says to none."""
    altnames: tuple[str, ...] | None = field(default=None, converter=_sorted)
    """All its alternative names (ip-link(8))."""
    arp: bool | None = None
    multicast: bool | None = None
    lower: Lower | None = None
    """Of a link of ours that is made upon one of the host."""

    @property
    def made(self) -> bool:
        """Whether nftnsr makes it, and may delete it; an uplink that is not made moves."""
        return self.peer is not None or self.lower is not None

    @property
    def key(self) -> Key:
        return ("link", self.name)


@frozen
class Address:
    """An address on a link.

    `lifetime` (valid, preferred; in seconds) says how it is added, and is never compared.
    """

    dev: str
    interface: Interface_
    peer: Address_ | None = None
    """The other end of a point-to-point link; None says that there is none."""
    broadcast: IPv4Address | None = None
    scope: int | None = None
    label: str | None = None
    metric: int | None = None
    """Of the connected route that comes with it (IFA_RT_PRIORITY)."""
    noprefixroute: bool = False
    nodad: bool | None = None
    lifetime: tuple[int, int] | None = field(default=None, eq=False)
    deprecated: bool = False
    """Whether its preferred lifetime is over: it answers, but starts nothing of its own."""
    lasting: bool | None = None
    """Whether it is valid and preferred for ever."""
    learns: bool | None = None
    """Whether the kernel makes temporary addresses of it (IFA_F_MANAGETEMPADDR)."""
    missing: tuple[str, ...] | None = None
    """The routes that the kernel makes with an address, of those that are not there any more."""
    by_kernel: bool = field(default=False, eq=False)
    """Whether the kernel gave it by itself, as a link-local one."""

    @property
    def key(self) -> Key:
        # IPv6 has an address once on a link, whatever the prefix length; IPv4 once for each.
        if self.interface.version == 6:
            return ("address", self.dev, self.interface.ip)
        return ("address", self.dev, self.interface, self.peer)


@frozen
class Hop:
    """One next hop of a route."""

    dev: str | None = None
    via: Address_ | None = None
    onlink: bool = False
    weight: int = 1


@frozen
class Route:
    """A route; `kind` and `scope` are the numbers of rtnetlink(7) (RTN_*, RT_SCOPE_*)."""

    destination: Network_
    hops: tuple[Hop, ...] = ()
    metric: int = 0
    table: int = RT_MAIN
    source: Address_ | None = None
    protocol: int = RTPROT_NFTNSR
    kind: int = 1
    scope: int = 0
    tos: int = 0
    metrics: tuple[tuple[str, int], ...] = ()
    preference: int = 0

    @property
    def key(self) -> Key:
        # IPv4 has one route in a place; IPv6 several, one for each next hop.
        key = ("route", *self.place)
        return key if self.destination.version == 4 else (*key, self.hops)

    @property
    def place(self) -> Key:
        """What two routes compete for: IPv4 replaces the first, IPv6 makes two paths of them."""
        return (self.table, self.destination, self.tos, self.metric)

    @property
    def devs(self) -> frozenset[str]:
        return frozenset(hop.dev for hop in self.hops if hop.dev is not None)


@frozen
class PolicyRule:
    """A rule of ip-rule(8); `kind` is the number of its action in fib_rules.h (FR_ACT_*).

    `mark` is a firewall mark and the bits of it that count. A rule is all that it says: of two
    that differ in anything neither replaces the other.
    """

    version: int
    priority: int
    source: Network_ | None = None
    destination: Network_ | None = None
    mark: tuple[int, int] | None = None
    iif: str | None = None
    oif: str | None = None
    table: int = RT_MAIN
    kind: int = 1
    protocol: int = RTPROT_NFTNSR
    suppress: int | None = None
    """A route of a prefix this long, or shorter, does not count: 0 for default routes."""
    more: tuple[tuple[str, int | str], ...] = ()
    """What else it says, by the words of fib_rules.h (FRA_*): nftnsr says nothing else."""

    @property
    def key(self) -> Key:
        return ("rule", self)

    @property
    def by_kernel(self) -> bool:
        """Whether it is one of those that every namespace has from its start."""
        return self.protocol == RTPROT_KERNEL


@frozen
class Neighbour:
    """A permanent or a proxied neighbour; a proxied one has no `mac`."""

    dev: str
    address: Address_
    mac: str | None = None
    proxy: bool = False

    @property
    def key(self) -> Key:
        return ("neighbour", self.dev, self.address, self.proxy)


@frozen
class Sysctl:
    """A file below /proc/sys, e.g. `net/ipv4/ip_forward` (names of links may hold dots)."""

    path: str
    value: str

    @property
    def key(self) -> Key:
        return ("sysctl", self.path)


@frozen
class Table:
    """An nftables table: its own lines (flags, comment); chains and sets are items beside it."""

    family: str
    name: str
    lines: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return ("table", self.family, self.name)


@frozen
class Chain:
    """A chain of a table; `hook` is its declaration, e.g. `type nat hook prerouting ...;`."""

    table: tuple[str, str]
    name: str
    hook: str
    rules: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return ("chain", self.table, self.name)


@frozen
class Set:
    """A set or a map (`kind`) of a table: its declaration and its elements, in no order.

    An element is the text between the commas of nft's own listing; a map's is `key : value`.
    """

    table: tuple[str, str]
    kind: Literal["set", "map"]
    name: str
    lines: tuple[str, ...]
    elements: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        return (self.kind, self.table, self.name)


@frozen
class Block:
    """Any other block of a table: a helper (`ct helper`), and what only others make, as quotas."""

    table: tuple[str, str]
    kind: str
    name: str
    lines: tuple[str, ...]

    @property
    def key(self) -> Key:
        return (self.kind, self.table, self.name)


Rule_: TypeAlias = Table | Chain | Set | Block
Item: TypeAlias = Link | Address | Route | PolicyRule | Neighbour | Sysctl | Rule_
RULESET = (Table, Chain, Set, Block)


@frozen(slots=False)
class Namespace:
    """The items of one network namespace, in an order in which they can be made."""

    items: tuple[Item, ...] = ()
    nameless: str | None = None
    """What opens it where it was found without its name: deleted while something was in it."""
    strangers: tuple[Item, ...] = ()
    """Links and tables that nftnsr did not make, and that it leaves as they are."""
    foreign: bool = False
    """Whether it is somebody else's, named: nftnsr has links there, and never makes or ends it."""

    @cached_property
    def by_key(self) -> Mapping[Key, Item]:
        return {item.key: item for item in self.items}

    @property
    def ruleset(self) -> tuple[Rule_, ...]:
        return tuple(i for i in self.items if isinstance(i, RULESET))

    def link(self, name: str) -> Link | None:
        found = self.by_key.get(("link", name))
        return found if isinstance(found, Link) else None

    def plus(self, items: Iterable[Item]) -> Namespace:
        """This namespace with `items` added; one of the same key replaces what was there."""
        merged = dict(self.by_key)
        merged.update((item.key, item) for item in items)
        return evolve(self, items=tuple(merged.values()))

    def without_ruleset(self) -> Namespace:
        return self.with_ruleset(())

    def with_ruleset(self, ruleset: Iterable[Rule_]) -> Namespace:
        rest = tuple(i for i in self.items if not isinstance(i, RULESET))
        return evolve(self, items=(*rest, *ruleset))


@frozen(slots=False)
class State:
    """Namespaces by name; `HOST` is where nftnsr runs. A name that is missing does not exist."""

    namespaces: Mapping[str, Namespace]

    def __getitem__(self, name: str) -> Namespace:
        return self.namespaces.get(name, Namespace())

    def __contains__(self, name: str) -> bool:
        return name in self.namespaces

    @classmethod
    def union(cls, states: Iterable[State]) -> State:
        """All that any of `states` says; of two items of one key the later."""
        merged: dict[str, Namespace] = {}
        for state in states:
            for name, space in state.namespaces.items():
                before = merged.get(name, Namespace())
                both = evolve(before, foreign=before.foreign or space.foreign)
                merged[name] = both.plus(space.items)
        return cls(merged)

    def links(self) -> Iterator[Link]:
        """The links of all namespaces."""
        items = (item for space in self.namespaces.values() for item in space.items)
        return (item for item in items if isinstance(item, Link))
