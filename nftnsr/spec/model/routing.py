"""Routes, policy rules, neighbours and kernel settings of a router's namespace."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from .terms import Address, Network

RouteType = Literal["unicast", "blackhole", "unreachable", "prohibit"]

MAIN_TABLE: Final = 254
FIRST_TABLE: Final = 1000
"""That of the first of several uplinks; another one's is as far behind it as its metric says."""


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
class Setting:
    """A kernel setting of the router's namespace, by its path below /proc/sys."""

    path: str
    value: str
