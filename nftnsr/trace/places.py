"""Who is where around a router, in words."""

from __future__ import annotations

from nftnsr.compile.routing import proxied_neighbours
from nftnsr.spec.model import Address, Inner, Network, Router
from nftnsr.trace.packet import Packet
from nftnsr.trace.question import Arrival


def sender(router: Router, arrival: Arrival) -> str:
    """Who sends the packet."""
    source = arrival.packet.source.address
    if arrival.link is not None:
        return _inside(arrival.link, source) or f"{source}, whom nobody knows behind the router"
    if arrival.side == "segment":
        return f"a neighbour on the segment of {arrival.packet.iif}"
    return "the internet"


def comes(router: Router, arrival: Arrival) -> str:
    """How such a packet gets to the router."""
    packet = arrival.packet
    to, dev = packet.destination.address, packet.iif
    if arrival.link is not None:
        if arrival.link.default_route:
            return f"by {dev}"
        if arrival.link.table is not None:
            return f"by {dev}, from a sender that table {arrival.link.table} is for"
        return f"by {dev}, if a route of its owner's leads here (default_route = false)"
    uplink = router.uplink_on(dev)
    assert uplink is not None
    if any(to == i.ip for i in uplink.addresses):
        return f"by {dev}, whose address {to} is"
    if any(n.address == to and n.dev == dev for n in proxied_neighbours(router)):
        return f"by {dev}, which answers for {to} (a proxied neighbour)"
    if arrival.side == "segment":
        return f"by {dev}, sent straight to the router's MAC: it does not answer for {to}"
    if any(to in i.network for i in uplink.addresses):
        return f"by {dev}, if the provider sends it on: nobody there answers for {to}"
    return f"by {dev}, if the provider routes {to} to the router"


def bypass(router: Router, arrival: Arrival) -> str | None:
    """Why the packet never gets to the router, if it does not."""
    if arrival.link is None:
        return None
    to, space = arrival.packet.destination.address, arrival.link.namespace
    found = (_inside(link, to) for link in router.links if link.namespace == space)
    there = next(filter(None, found), None)
    return None if there is None else f"{to} is on the same side of it: {there}"


def receiver(router: Router, packet: Packet) -> str:
    """Who gets a packet that leaves by its link."""
    to = packet.destination.address
    link = next((i for i in router.links if i.peer == packet.oif), None)
    if link is not None:
        return _inside(link, to) or f"{to} behind {packet.oif}, whom nobody knows there"
    uplink = router.uplink_on(packet.oif)
    if uplink is not None and any(to in i.network for i in uplink.addresses):
        return f"{to} on the segment of {packet.oif}"
    hop = "" if packet.next_hop is None else f", by way of {packet.next_hop}"
    return f"the internet{hop}"


def _inside(link: Inner, address: Address) -> str | None:
    """Who has an address at the far end of an inner link, or behind it."""
    end = "the host" if link.namespace is None else f"namespace {link.namespace}"
    if any(address == i.ip for i in link.addresses):
        return end
    found: list[Network] = [n for n in link.networks if address in n]
    return f"{max(found, key=lambda n: n.prefixlen)} behind {end}" if found else None
