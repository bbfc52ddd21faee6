"""Flows, as the elements of a router's translation maps speak of them.

The key of every such map ends in `protocol . dport`. Before it, `sources` and `addresses` in the
map's name stand for the packet's source and destination; a map of single flows, which has none
of these words, begins with source and source port. What it maps to is the `address [. port]` that
takes the place of the destination. Maps of whole addresses or prefixes have nothing but these;
those for what leaves, with `out` in their name, are not about destinations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network

from attrs import frozen

from nftnsr.state.model import Address_, Network_, Set
from nftnsr.state.ruleset import plain

_TRANSLATES = re.compile(
    r"type (ipv[46]_addr \. (ipv[46]_addr \. |inet_service \. )?)?inet_proto \. inet_service : "
    r"ipv[46]_addr\b"
)


_WHOLE = re.compile(r"type ipv[46]_addr : (?:ipv[46]_addr|interval ipv6_addr)")


@frozen
class Connection:
    """A connected socket of the host, by both its ends."""

    protocol: str
    local: Address_
    local_port: int
    remote: Address_
    remote_port: int

    @property
    def far(self) -> tuple[str, Address_, int, int]:
        """All but the own address: what stays where that one is translated."""
        return (self.protocol, self.remote, self.remote_port, self.local_port)


@frozen
class Flows:
    """Every flow whose first packet looks so; what is None, or empty, may be anything."""

    destinations: tuple[Address_, ...] = ()
    protocol: str | None = None
    ports: tuple[int, int] | None = None
    source: Network_ | None = None
    source_port: int | None = None
    target: Address_ | None = None
    """The address that the destination was translated to."""
    target_port: int | None = None
    into: Network_ | None = None
    """A network that the destination is in."""
    answers: bool = False
    """Whether it is their answers, of the far end, that look so."""

    @property
    def connection(self) -> Connection | None:
        """The one that it is, if it is told by both its ends; the own one is where it leads."""
        if self.protocol is None or self.source is None or self.source_port is None:
            return None
        if self.target is None or self.target_port is None:
            return None
        far = (self.source.network_address, self.source_port)
        return Connection(self.protocol, self.target, self.target_port, *far)


@frozen
class Flow:
    """A connection, and the public end of it: what the far end talks to."""

    connection: Connection
    public: Address_
    public_port: int


def translates(item: Set) -> bool:
    """Whether `item` is a map from what a packet looks like to a destination."""
    if item.kind != "map" or not item.lines:
        return False
    return bool(_TRANSLATES.match(item.lines[0])) or _is_whole(item)


def _is_whole(item: Set) -> bool:
    """Whether it is about whole addresses, or prefixes, of destinations."""
    words = item.name.split("_")
    return bool(_WHOLE.match(item.lines[0])) and "out" not in words and "snat" not in words


def flows_of(
    item: Set, elements: Iterable[str], destinations: tuple[Address_, ...] = ()
) -> Iterator[Flows]:
    """What `elements` of the map `item` speak of, among the flows to `destinations`.

    Without `destinations` it is the flows to any; an element that names its own is about that one.
    """
    if _is_whole(item):
        yield from map(_whole_flows, sorted(elements))
        return
    names = _before_protocol(item)
    for element in sorted(elements):
        key, _, value = plain(element).partition(" : ")
        *before, protocol, ports = key.split(" . ")
        part = dict(zip(names, before, strict=True))
        address, *port = value.split(" . ")
        first, _, last = ports.partition("-")
        named = part.get("destination")
        yield Flows(
            # A flow told by both its ends is that flow to whichever address.
            () if "source port" in part else (ip_address(named),) if named else destinations,
            protocol,
            (int(first), int(last or first)),
            ip_network(part["source"]) if "source" in part else None,
            int(part["source port"]) if "source port" in part else None,
            ip_address(address),
            int(port[0]) if port else None,
        )


def _whole_flows(element: str) -> Flows:
    public, _, inner = element.partition(" : ")
    if "/" in public:
        return Flows(into=ip_network(public))
    return Flows((ip_address(public),), target=ip_address(inner))


def _before_protocol(item: Set) -> tuple[str, ...]:
    """What the parts of a key are that stand before its protocol."""
    if "_addr . inet_service . inet_proto" in item.lines[0]:
        return ("source", "source port")
    words = item.name.split("_")
    return ("source",) * ("sources" in words) + ("destination",) * ("addresses" in words)
