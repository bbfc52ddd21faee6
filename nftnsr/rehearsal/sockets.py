"""Sockets in rooms: they stay in the namespace in which they were made, whoever uses them."""

from __future__ import annotations

import socket
import struct

from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import packets
from nftnsr.spec.model import Address, Protocol

# Not in Python's socket module before 3.14 (linux/in.h, linux/in6.h, linux/icmpv6.h).
_TRANSPARENT = {4: (socket.IPPROTO_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}
_ICMP6_FILTER = 1
_SAVE_SYN, _SAVED_SYN = 27, 28  # linux/tcp.h
_TIMESTAMPS, _TIMESTAMPS_SIZE = 1, 12  # TCPI_OPT_TIMESTAMPS; TCPOLEN_TSTAMP_ALIGNED
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_KIND = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


def client(room: Room, version: int, protocol: Protocol, source: Address | None) -> socket.socket:
    """A socket in `room` that speaks from `source`, be it an address of the room or not."""
    return room.run(_bound, version, protocol, source, 0)


def server(room: Room, protocol: Protocol, address: Address, port: int) -> socket.socket:
    """A socket in `room` bound to `address`, even where nobody has configured that."""
    sock = room.run(_bound, address.version, protocol, address, port)
    if protocol == "tcp":
        sock.setsockopt(socket.IPPROTO_TCP, _SAVE_SYN, 1)
        sock.listen(128)
    return sock


def icmp(room: Room, version: int, source: Address | None) -> socket.socket:
    """A raw socket for echo requests and their answers."""

    def make() -> socket.socket:
        sock = socket.socket(
            _FAMILY[version], socket.SOCK_RAW | socket.SOCK_NONBLOCK, _ICMP[version]
        )
        if source is not None:
            sock.setsockopt(*_TRANSPARENT[version], 1)
            sock.bind((str(source), 0))
        return sock

    return room.run(make)


def tap(room: Room, version: int) -> socket.socket:
    """A raw socket that gets a copy of each TCP segment to `room`, and where that was sent to."""

    def make() -> socket.socket:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        sock = socket.socket(_FAMILY[version], kind, socket.IPPROTO_TCP)
        if version == 6:
            # Raw sockets of IPv6 get no header; the destination comes beside (RFC 3542, section 6).
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        return sock

    return room.run(make)


def solicitor(room: Room, link: str, advertisement: int = 136) -> socket.socket:
    """A raw ICMPv6 socket that asks on `link` and hears neighbour advertisements only."""

    def make() -> socket.socket:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        sock = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
        # A set bit blocks the type (RFC 3542, section 3.2).
        words = [0xFFFFFFFF] * 8
        words[advertisement // 32] ^= 1 << advertisement % 32
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
        # Anybody ignores a solicitation that may have been routed (RFC 4861, section 7.1.1).
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        index = socket.if_nametoindex(link)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        return sock

    return room.run(make)


def mac_of(room: Room, link: str) -> str:
    """The MAC of a link in `room`."""

    def ask() -> str:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
            sock.bind((link, 0))
            address: bytes = sock.getsockname()[4]
        return address.hex(":")

    return room.run(ask)


def send_raw(room: Room, source: Address, target: Address, packets: tuple[bytes, ...]) -> None:
    """Send whole IPv4 packets, header included, on the route that `source` takes to `target`."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            sock.bind((str(source), 0))
            for packet in packets:
                sock.sendto(packet, (str(target), 0))

    room.run(send)


def told_segment(connection: socket.socket) -> int:
    """The largest segment, in bytes, that the other end has said it takes.

    A client only knows the lesser of that and of what fits on its own side.
    """
    if syn := connection.getsockopt(socket.IPPROTO_TCP, _SAVED_SYN, 128):
        return packets.segment_size(syn)
    # Less the options of every segment: of these only time stamps are usual (TCP_INFO, tcp.h).
    options = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
    stamps = _TIMESTAMPS_SIZE if options & _TIMESTAMPS else 0
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + stamps


def _bound(version: int, protocol: Protocol, address: Address | None, port: int) -> socket.socket:
    sock = socket.socket(_FAMILY[version], _KIND[protocol] | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address is not None:
            sock.setsockopt(*_TRANSPARENT[version], 1)
            sock.bind((str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock
