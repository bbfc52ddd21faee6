"""What network address translation makes of a packet (net/netfilter/nf_nat_core.c)."""

from __future__ import annotations

import sys
from ipaddress import ip_network

from attrs import evolve

from nftnsr.state.model import Address_
from nftnsr.trace.grammar import Translation
from nftnsr.trace.jhash import jhash
from nftnsr.trace.packet import ANY_PORT, End, Packet
from nftnsr.trace.values import AND, Span, span


def with_destination(packet: Packet, by: Translation, to: str) -> Packet:
    """The packet after `dnat`; `to` is what the map leads to, or the rule itself."""
    old = packet.destination
    first, *ports = map(span, to.split(AND))
    port = _port(ports[0]) if ports else old.port
    address = _netmapped(old.address, to) if by.prefix else _address(first)
    new = End(address, port)
    known = evolve(packet.connection, dnat=new != old)
    return evolve(packet, destination=new, connection=known)


def with_source(packet: Packet, by: Translation, to: str) -> Packet:
    """The packet after `snat` or `masquerade`, in a router that nobody else is using."""
    old = packet.source
    if by.prefix:
        address = _netmapped(old.address, to)
    else:
        address = _one_of(span(to), packet, persistent="persistent" in by.how)
    at_random = by.how & {"random", "fully-random"} and old.port is not None
    new = End(address, ANY_PORT if at_random else old.port)
    known = evolve(packet.connection, snat=new != old)
    return evolve(packet, source=new, connection=known)


def _netmapped(address: Address_, prefix: str) -> Address_:
    network = ip_network(prefix)
    behind = int(address) & int(network.hostmask)
    return type(address)(int(network.network_address) | behind)


def _one_of(pool: Span, packet: Packet, *, persistent: bool) -> Address_:
    """The address of a pool that a client gets: by a hash without secrets (find_best_ips_proto)."""
    first, last = _address(pool), pool.last
    assert not isinstance(last, int | str)
    source = packet.source.address.packed.ljust(16, b"\0")
    words = packet.destination.address.packed
    parts = [int.from_bytes(words[n : n + 4], sys.byteorder) for n in range(0, len(words), 4)]
    hashed = jhash(source, 0 if persistent else parts[-1])
    chosen, whole = 0, False
    for n, part in enumerate(parts):
        low, high = (_word(each, n) for each in (first, last))
        least, count = (0, 0xFFFFFFFF) if whole else (low, high - low + 1)
        word = least + (hashed * count >> 32)
        whole = whole or word != high
        chosen = chosen << 32 | word
        hashed ^= 0 if persistent else part
    return type(first)(chosen)


def _word(address: Address_, number: int) -> int:
    return int.from_bytes(address.packed[4 * number : 4 * number + 4], "big")


def _address(span: Span) -> Address_:
    assert not isinstance(span.first, int | str)
    return span.first


def _port(span: Span) -> int:
    assert isinstance(span.first, int)
    return span.first
