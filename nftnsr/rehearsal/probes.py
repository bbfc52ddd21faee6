"""What can be tried with real packets, as values: nothing here opens a socket."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from nftnsr.rehearsal.outcome import Kind
from nftnsr.rehearsal.scene import Client, Origin, Place
from nftnsr.spec.model import Address, Network, Protocol

BULK = 64 * 1024
"""Bytes of a large transfer: dozens of segments of any usual size."""


@frozen
class Server:
    """An echo server, of both its own address and the one that it sees as its client's."""

    place: Place
    protocol: Protocol
    address: Address
    port: int

    def __str__(self) -> str:
        return endpoint(self.address, self.port)


@frozen
class Arrives:
    """A client is answered, by the right server, which sees one of `clients`.

    Without `clients` it may see anybody but itself; a network stands for all its addresses. Of
    TCP segments larger than `segment`, in bytes, neither end may have told the other.
    """

    clients: tuple[Address | Network, ...] = ()
    segment: int | None = None

    def __str__(self) -> str:
        seen = " or ".join(map(str, self.clients)) or "anybody but itself"
        return seen if self.segment is None else f"{seen}, and segments of {self.segment} bytes"

    def welcomes(self, client: Address) -> bool:
        return any(
            client == each if isinstance(each, IPv4Address | IPv6Address) else client in each
            for each in self.clients
        )


@frozen
class Reach:
    """Talk to `address`, behind which `server` waits; None: nothing may get there.

    Where a forward is balanced, any of the `others` may answer as well.
    """

    router: str
    kind: Kind
    name: str
    origin: Origin
    address: Address
    port: int
    server: Server
    expect: Arrives | None
    others: tuple[Server, ...] = ()

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.server, *self.others)

    @property
    def expected(self) -> str:
        if self.expect is None:
            return "nothing gets there"
        return f"{' or '.join(map(str, self.servers))} sees {self.expect}"


@frozen
class Spread:
    """Talk as many different clients: in the end each of the servers must have answered.

    Where it is `faithful`, each client gets the same one again.
    """

    router: str
    kind: Kind
    name: str
    tries: tuple[Reach, ...]
    faithful: bool = False

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(dict.fromkeys(s for each in self.tries for s in each.servers))

    @property
    def expected(self) -> str:
        again = ", and of the same one again" if self.faithful else ""
        return f"an answer of each of {', '.join(map(str, self.servers))}{again}"


@frozen
class Exceed:
    """Talk again and again as one client, up to so many times: in the end nothing gets there.

    Then it gets there by no other address, either: all `ways` are counted together.
    """

    router: str
    kind: Kind
    name: str
    ways: tuple[Reach, ...]
    times: int

    @property
    def expected(self) -> str:
        return f"nothing gets there after some of {self.times} tries"


@frozen
class Bulk:
    """Send much to `server` over a path with a small MTU, and get as much back.

    It gets through only if whoever sends too large packets is told so, through the router.
    """

    router: str
    kind: Kind
    name: str
    origin: Origin
    address: Address
    port: int
    server: Server

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.server,)

    @property
    def expected(self) -> str:
        return f"{BULK // 1024} KiB there and back"


@frozen
class Echo:
    """An ICMP echo request that must, or must not, be answered."""

    router: str
    kind: Kind
    name: str
    origin: Origin
    address: Address
    answered: bool = True

    @property
    def expected(self) -> str:
        return "a reply" if self.answered else "no reply"


@frozen
class Solicit:
    """A neighbour solicitation that must be answered with `mac`, `within` so many seconds."""

    router: str
    kind: Kind
    name: str
    place: Place
    link: str
    address: Address
    mac: str
    within: float

    @property
    def expected(self) -> str:
        return f"it is at {self.mac}"


@frozen
class Leak:
    """After packets that belong to no connection: no source but the router's may have left.

    Among them is what goes on of flows to `address`, at whose `port` a server waits, once the
    router has forgotten them.
    """

    router: str
    kind: Kind
    name: str
    senders: tuple[Client, ...]
    address: Address
    port: int
    segment: str
    """The name of the segment that they must not get to."""

    @property
    def expected(self) -> str:
        return "none"


@frozen
class Outage:
    """While the uplink on `segment` has no carrier, all of `tries` get where they are to get."""

    router: str
    kind: Kind
    name: str
    segment: str
    tries: tuple[Reach, ...]

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(dict.fromkeys(s for each in self.tries for s in each.servers))

    @property
    def expected(self) -> str:
        seen = dict.fromkeys(str(each.expect) for each in self.tries)
        return f"the internet sees {' and '.join(seen)}"


Probe = Reach | Spread | Exceed | Bulk | Echo | Solicit | Leak | Outage


def endpoint(address: Address, port: int) -> str:
    """`192.0.2.1:22` or `[2001:db8::1]:22`."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
