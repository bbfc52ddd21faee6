"""Whole addresses, prefixes and sources that are translated."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network
from typing import Final, Literal

from attrs import frozen

from .terms import Address, Network, Protocol

Helper = Literal["ftp", "sip", "tftp"]
SourcePorts = Literal["preserve", "random", "fully-random"]

HELPER_PORTS: Final[Mapping[Helper, tuple[tuple[Protocol, int], ...]]] = {
    "ftp": (("tcp", 21),),
    "sip": (("udp", 5060), ("tcp", 5060)),
    "tftp": (("udp", 69),),
}


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
