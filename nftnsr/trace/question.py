"""What is asked: who sends what to whom; and by which link such a packet comes to the router."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from nftnsr.spec.model import Address, Inner, Network, Router
from nftnsr.trace.packet import End, Packet, Transport, first_packet

SOURCE_PORT = 40000
"""Any, of those that a program gets which asks for none."""

Side = Literal["internet", "segment", "inside"]


class Unanswerable(Exception):
    """A question that makes no sense for this spec."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@frozen
class Question:
    """A packet as a person names it; what is None is to be found out."""

    destination: Address
    protocol: Transport
    port: int | None = None
    source: Address | None = None
    source_port: int = SOURCE_PORT
    from_host: bool = False
    from_network: Network | None = None
    by: str | None = None
    """The link of the router by which it comes."""


@frozen
class Arrival:
    """A packet as it comes to the router, and where from."""

    packet: Packet
    side: Side
    link: Inner | None = None
    """The inner link by which it comes."""


def arrival(router: Router, question: Question) -> Arrival:
    """The packet that is asked for; raises Unanswerable."""
    source = _source(router, question)
    _refuse_unroutable(source, question.destination)
    port = None if question.protocol == "icmp" else question.source_port
    ends = End(source, port), End(question.destination, question.port)
    link = _inner(router, question, source)
    if link is not None:
        return Arrival(first_packet(*ends, question.protocol, link.peer), "inside", link)
    dev = question.by or _uplink(router, source, question.destination)
    uplink = router.uplink_on(dev)
    if uplink is None:
        known = ", ".join((*(u.dev for u in router.uplinks), *(i.peer for i in router.links)))
        raise Unanswerable(f"router {router.name} has no link {dev}", f"its links are {known}")
    near = any(source in i.network for i in uplink.addresses)
    side: Side = "segment" if near else "internet"
    return Arrival(first_packet(*ends, question.protocol, dev), side)


def _source(router: Router, question: Question) -> Address:
    version = question.destination.version
    if question.source is not None:
        return question.source
    if question.from_host:
        own = (i.ip for i in router.host.addresses if i.version == version)
        if (address := next(own, None)) is None:
            raise Unanswerable(
                f"the host has no IPv{version} address on {router.host.interface}",
                "name one with --from",
            )
        return address
    network = question.from_network
    if network is None:
        raise Unanswerable(
            "nobody is named who sends the packet", "say --from ADDRESS, --from-host or "
            "--from-network NETWORK",
        )  # fmt: skip
    return network[0] if network.num_addresses == 1 else network[1]


def _refuse_unroutable(source: Address, destination: Address) -> None:
    if source.version != destination.version:
        raise Unanswerable(
            f"{source} and {destination} are of two address families",
            "name two IPv4 addresses, or two IPv6 addresses",
        )
    for address in (source, destination):
        if address.is_multicast or address.is_loopback or address.is_unspecified:
            raise Unanswerable(
                f"{address} is an address that no router routes", "name one of a single host"
            )
        if address.is_link_local and address.version == 6:
            raise Unanswerable(
                f"{address} is link-local: it is never routed", "name a global address"
            )


def _inner(router: Router, question: Question, source: Address) -> Inner | None:
    """The inner link by which the packet comes; None if it comes by an uplink."""
    if question.by is not None:
        return next((link for link in router.links if link.peer == question.by), None)
    if question.from_host:
        return router.host
    if (network := question.from_network) is not None:
        found = (i for i in router.links if any(_part(network, n) for n in _behind(i)))
        if (link := next(found, None)) is None:
            known = ", ".join(str(n) for i in router.links for n in _behind(i))
            raise Unanswerable(
                f"no network {network} is behind router {router.name}", f"there are {known}"
            )
        return link
    # Whoever has an address of the inside is there, unless --in says that he lies.
    return next((i for i in router.links if any(source in n for n in _behind(i))), None)


def _behind(link: Inner) -> tuple[Network, ...]:
    return (*(i.network for i in link.addresses), *link.networks)


def _part(network: Network, of: Network) -> bool:
    return network.version == of.version and network.subnet_of(of)  # type: ignore[arg-type]


def _uplink(router: Router, source: Address, destination: Address) -> str:
    """The uplink on whose segment the sender is, or to whose address the packet is sent."""
    for address in (source, destination):
        for uplink in router.uplinks:
            if any(address == i.ip for i in uplink.addresses):
                return uplink.dev
        for uplink in router.uplinks:
            if any(address in i.network for i in uplink.addresses):
                return uplink.dev
    return router.uplinks[0].dev
