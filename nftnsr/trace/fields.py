"""What a rule can ask of a packet: every expression that the compiler uses (nft(8), "expressions").

A new one is a line in one of the two tables below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from nftnsr.state.model import Address_
from nftnsr.trace.jhash import jhash
from nftnsr.trace.packet import End, Packet
from nftnsr.trace.values import Value

_ECHO = {False: "echo-request", True: "echo-reply"}


def _ip(version: int, of: Callable[[Packet], End]) -> Callable[[Packet], Value | None]:
    """The address of an end; None in the other family."""

    def address(packet: Packet) -> Value | None:
        return of(packet).address if packet.version == version else None

    return address


def _icmp(version: int) -> Callable[[Packet], Value | None]:
    def kind(packet: Packet) -> Value | None:
        here = packet.protocol == "icmp" and packet.version == version
        return _ECHO[packet.answer] if here else None

    return kind


def _destination_port(protocol: str) -> Callable[[Packet], Value | None]:
    return lambda p: p.destination.port if p.protocol == protocol else None


def _protocol(packet: Packet) -> str:
    return "ipv6-icmp" if (packet.protocol, packet.version) == ("icmp", 6) else packet.protocol


def _status(packet: Packet) -> frozenset[str]:
    known = packet.connection
    words = {"dnat": known.dnat, "snat": known.snat, "seen-reply": known.state == "established"}
    return frozenset(word for word, holds in words.items() if holds)


def _tcp_flags(packet: Packet) -> Value | None:
    flags = {"syn", "ack"} if packet.answer else {"syn"}
    return frozenset(flags) if packet.protocol == "tcp" else None


def _tracked(of: Callable[[Packet], Value]) -> Callable[[Packet], Value | None]:
    """What only a packet has that connection tracking knows."""
    return lambda p: None if p.connection.state == "untracked" else of(p)


FIELDS: Mapping[str, Callable[[Packet], Value | None]] = {
    "iifname": lambda p: p.iif or None,
    "oifname": lambda p: p.oif or None,
    "ip saddr": _ip(4, lambda p: p.source),
    "ip daddr": _ip(4, lambda p: p.destination),
    "ip6 saddr": _ip(6, lambda p: p.source),
    "ip6 daddr": _ip(6, lambda p: p.destination),
    "meta nfproto": lambda p: f"ipv{p.version}",
    "meta l4proto": _protocol,
    "meta mark": lambda p: p.mark,
    "th sport": lambda p: p.source.port,
    "th dport": lambda p: p.destination.port,
    "tcp dport": _destination_port("tcp"),
    "udp dport": _destination_port("udp"),
    "icmp type": _icmp(4),
    "icmpv6 type": _icmp(6),
    "tcp flags": _tcp_flags,
    "ct state": lambda p: p.connection.state,
    "ct status": _status,
    "ct mark": _tracked(lambda p: p.connection.mark),
    "ct direction": _tracked(lambda p: "reply" if p.answer else "original"),
    "ct original ip saddr": _ip(4, lambda p: p.connection.source),
    "ct original ip daddr": _ip(4, lambda p: p.connection.destination),
    "ct original ip6 saddr": _ip(6, lambda p: p.connection.source),
    "ct original ip6 daddr": _ip(6, lambda p: p.connection.destination),
    "ct original proto-src": lambda p: p.connection.source.port,
    "ct original proto-dst": lambda p: p.connection.destination.port,
}


@frozen
class Field:
    """An expression of FIELDS, with those bits of an address that count."""

    name: str
    mask: Address_ | None = None

    def of(self, packet: Packet) -> Value | None:
        value = FIELDS[self.name](packet)
        if self.mask is None or value is None:
            return value
        assert isinstance(value, type(self.mask))
        return type(self.mask)(int(value) & int(self.mask))


@frozen
class Hashed:
    """`jhash FIELD mod N seed S`: a number below N, always the same for the same value."""

    field: Field
    modulus: int
    seed: int

    def of(self, packet: Packet) -> Value | None:
        value = self.field.of(packet)
        if value is None:
            return None
        assert not isinstance(value, int | str | frozenset)
        # reciprocal_scale() of linux/kernel.h.
        return jhash(value.packed, self.seed) * self.modulus >> 32


@frozen
class InTurn:
    """`numgen inc mod N`: the next number below N; which one that is nobody can know before."""

    modulus: int


Key = tuple[Field | Hashed | InTurn, ...]
"""The parts of a concatenation; one for a plain expression."""
