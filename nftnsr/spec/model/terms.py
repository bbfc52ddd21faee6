"""The words that all of a spec is made of: addresses, ports, protocols, rates."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Literal

from attrs import frozen

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network
Protocol = Literal["tcp", "udp", "sctp"]


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
class Rate:
    """So many in a `unit` of time, as nft(8) has it in `limit rate`."""

    number: int
    unit: Literal["second", "minute", "hour", "day"]

    @property
    def seconds(self) -> int:
        """The length of its unit."""
        return {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[self.unit]

    def __str__(self) -> str:
        return f"{self.number}/{self.unit}"


@frozen
class Limit:
    """How many connections one source may make, as nft(8) has it in `limit rate over`."""

    rate: Rate
    burst: int = 5

    def __str__(self) -> str:
        return f"{self.rate} burst {self.burst}"
