"""Ports of the public addresses that lead inside."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from .terms import Address, Limit, Network, Ports, Protocol

Balance = Literal["source", "round-robin"]


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
    synproxy: bool = False
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
