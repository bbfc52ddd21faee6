"""A packet on its way through a router, with what connection tracking knows of it."""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

from nftnsr.state.model import Address_

Transport = Literal["tcp", "udp", "sctp", "icmp"]
"""`icmp` is an echo request of either family, or the answer to one."""

ANY_PORT = 0
"""Of a port that the kernel chooses at random."""


@frozen
class End:
    """An address and a port; ICMP has none."""

    address: Address_
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return str(self.address)
        address = f"[{self.address}]" if self.address.version == 6 else self.address
        return f"{address}:{'random' if self.port == ANY_PORT else self.port}"


@frozen
class Connection:
    """What connection tracking remembers: the ends as the first packet had them, and marks."""

    source: End
    destination: End
    state: Literal["new", "established", "untracked"] = "new"
    dnat: bool = False
    snat: bool = False
    mark: int = 0


@frozen
class Packet:
    """The first packet of a connection, or the first answer to it."""

    source: End
    destination: End
    protocol: Transport
    connection: Connection
    iif: str
    oif: str = ""
    next_hop: Address_ | None = None
    mark: int = 0
    answer: bool = False

    @property
    def version(self) -> int:
        return self.destination.address.version

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.protocol}"


def first_packet(source: End, destination: End, protocol: Transport, iif: str) -> Packet:
    """The packet with which somebody at `source` opens a connection."""
    return Packet(source, destination, protocol, Connection(source, destination), iif)


def answer_to(packet: Packet) -> Packet:
    """What he answers who got `packet`; it comes in where that one went out."""
    known = evolve(packet.connection, state="established")
    return Packet(
        packet.destination, packet.source, packet.protocol, known, iif=packet.oif, answer=True
    )
