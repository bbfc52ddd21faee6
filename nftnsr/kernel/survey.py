"""A look at one namespace: all that is there of what concerns a router, in the words of a state."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from nftnsr.kernel import sysctl
from nftnsr.kernel.identity import Place
from nftnsr.kernel.messages import Message, kept_by_kernel, link, missing
from nftnsr.kernel.rooms import Furniture
from nftnsr.kernel.rtnetlink import Rtnetlink, is_made
from nftnsr.kernel.scope import Scope
from nftnsr.kernel.tables import foreign_tables
from nftnsr.state.model import HOST, PARKED, Address, Item, Link, Route

# The fallback devices of tunnel modules are in every namespace (fb_tunnels_only_for_init_net).
OF_THE_KERNEL = (
    "lo", "sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0",
    "ip6gre0", "ip6gretap0", "ip6erspan0",
)  # fmt: skip
_IFF_UP = 1
_LOOKS, _PAUSE = 40, 0.0125  # half a second


@frozen
class Survey:
    """What to look at in a namespace; the links are known here by nftnsr's names for them."""

    name: str
    scope: Scope
    links: Mapping[str, Message]
    peers: Mapping[Place, Place]

    @property
    def mine(self) -> dict[str, Message]:
        """The links that nftnsr made or moved."""
        knows, name, peers = self.scope.knows, self.name, self.peers
        return {d: m for d, m in self.links.items() if knows(name, d, m, peers)}

    def nouns(self) -> Iterator[Link]:
        """These links as nouns."""
        index = {m["index"]: m for m in self.links.values()}
        for dev, message in self.mine.items():
            master = index.get(message.get("master"))
            yield link(message, dev, self.peers.get((self.name, dev)), master)

    def read(self, furniture: Furniture) -> Iterator[Item]:
        """All but the links, read in the room of the namespace."""
        mine, scope, rtnetlink = self.mine, self.scope, furniture.rtnetlink
        called = {d: m.get("ifname") for d, m in mine.items() if m.get("ifname") != d}
        whole = scope.uplinks & mine.keys() if self.name == HOST else frozenset()
        paths = sorted(path for n, path in scope.sysctls if n == self.name)
        tables = sorted((family, t) for n, family, t in scope.tables if n == self.name)
        # The host's loopback is the host's own.
        devs = {m["index"]: d for d, m in mine.items() if (self.name, d) != (HOST, "lo")}
        routes, addresses = self._settled(rtnetlink, devs, called)
        yield from (s for dev in sorted(whole) for s in sysctl.read_link(dev, called))
        yield from sysctl.read(paths, called)
        yield from furniture.nftables.read(tables) if tables else ()
        yield from addresses
        if self.name == HOST and scope.parked:
            loopback = {self.links["lo"]["index"]: "lo"}
            parked = {address.key for address in scope.parked}
            there = rtnetlink.addresses(loopback)
            yield from (a for a in there if a.key in parked and a.label == PARKED)
        yield from (r for r in routes if self._concerns(r) and not kept_by_kernel(r, addresses))
        yield from rtnetlink.neighbours(devs)
        # The namespace of a router is nftnsr's own; others are shared with other routers.
        rules, name, shared = rtnetlink.rules(), self.name, scope.shares(self.name)
        yield from (r for r in rules if not shared or (name, r) in scope.rules)

    def strangers(self, furniture: Furniture) -> Iterator[Item]:
        """The links and tables of a router's namespace that somebody else put there."""
        if self.scope.shares(self.name):
            return
        mine = {*self.mine, *OF_THE_KERNEL}
        yield from (link(m, d, None, None) for d, m in self.links.items() if d not in mine)
        known = {(family, t) for n, family, t in self.scope.tables if n == self.name}
        yield from foreign_tables(known)

    def _settled(
        self, rtnetlink: Rtnetlink, devs: dict[int, str], called: Mapping[str, str]
    ) -> tuple[tuple[Route, ...], tuple[Address, ...]]:
        """All routes, and the addresses of `devs`, once the kernel has made its own routes.

        It makes those of a new IPv6 address by and by (addrconf_dad_work), also without duplicate
        detection: usually within a millisecond, and after 10 ms and more on a busy machine.
        """
        names = {m["index"]: d for d, m in self.links.items()}
        for _ in range(_LOOKS):
            routes = tuple(rtnetlink.all_routes(names))
            # 127.0.0.1 and ::1 come with the loopback, and with less than if they were given.
            found = (a for a in rtnetlink.addresses(devs) if not a.interface.ip.is_loopback)
            addresses = tuple(self._complete(a, called, routes) for a in found)
            if not any(a.missing and a.interface.version == 6 for a in addresses):
                break
            time.sleep(_PAUSE)
        return routes, addresses

    def _concerns(self, route: Route) -> bool:
        """Of others' routes those over links of ours, or that are looked for by themselves."""
        if self.scope.shares(self.name):
            return is_made(route) and (bool(route.devs & self.mine.keys()) or
                                       route in self.scope.routes)  # fmt: skip
        return is_made(route)

    def _complete(
        self, address: Address, called: Mapping[str, str], routes: tuple[Route, ...]
    ) -> Address:
        """An address with what other messages tell of it."""
        dev = address.dev
        now = called.get(dev, dev)
        if address.label is not None and address.label.split(":")[0] == now:
            # The kernel renames labels with their link.
            address = evolve(address, label=dev + address.label[len(now) :])
        if self.name == HOST and dev in self.scope.uplinks:
            return evolve(address, missing=None)  # nothing is wanted of it that it could miss
        if address.missing is not None:
            return address
        up = self.links[dev]["flags"] & _IFF_UP  # a link that is down has no routes
        return evolve(address, missing=missing(address, routes) if up else ())
