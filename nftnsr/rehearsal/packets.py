"""Packets that no socket sends by itself: ICMP requests, solicitations, and stray ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from nftnsr.spec.model import Address

_ECHO_REQUEST = {4: 8, 6: 128}
_ECHO_REPLY = {4: 0, 6: 129}
_SOLICITATION, _ADVERTISEMENT = 135, 136
_SOURCE_MAC, _TARGET_MAC = 1, 2
_END, _NOTHING, _SEGMENT_SIZE = 0, 1, 2  # options of TCP (RFC 9293, section 3.2)
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(version: int, identity: int) -> bytes:
    """An ICMP echo request; the kernel itself fills in the checksum of ICMPv6."""
    head = struct.pack("!BBHHH", _ECHO_REQUEST[version], 0, 0, identity, 1)
    return head if version == 6 else head[:2] + struct.pack("!H", checksum(head)) + head[4:]


def is_echo_reply(version: int, packet: bytes, identity: int) -> bool:
    """Whether what a raw ICMP socket got answers the request with that identity."""
    # A raw IPv4 socket gets the IP header as well (raw(7)).
    message = packet[(packet[0] & 0x0F) * 4 :] if version == 4 else packet
    reply = struct.pack("!B", _ECHO_REPLY[version]), struct.pack("!H", identity)
    return (message[:1], message[4:6]) == reply


def solicitation(target: Address, mac: str) -> bytes:
    """A neighbour solicitation (RFC 4861, section 4.3)."""
    head = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0)
    return head + target.packed + struct.pack("!BB", _SOURCE_MAC, 1) + _mac(mac)


def solicited_group(target: Address) -> IPv6Address:
    """The multicast group in which one asks for `target` (RFC 4291, section 2.7.1)."""
    return IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int(target) & 0xFFFFFF)


def advertised_mac(packet: bytes, target: Address) -> str | None:
    """The MAC that a neighbour advertisement tells for `target`, if it is one for it."""
    if len(packet) < 32 or packet[0] != _ADVERTISEMENT or packet[8:24] != target.packed:
        return None
    options = packet[24:]
    while len(options) >= 8 and options[1]:
        if options[0] == _TARGET_MAC:
            return options[2:8].hex(":")
        options = options[options[1] * 8 :]
    return None


def opening_segment(
    version: int, packet: bytes, pktinfo: bytes, peer: str
) -> tuple[Address, int, Address, int] | None:
    """Source and destination of what a tap got, if it is the first segment of a connection."""
    if version == 4:
        header = (packet[0] & 0x0F) * 4
        source, target = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        return _first(packet[header:], source, target)
    return _first(packet, IPv6Address(peer.partition("%")[0]), IPv6Address(pktinfo[:16]))


def _first(
    segment: bytes, source: Address, target: Address
) -> tuple[Address, int, Address, int] | None:
    if len(segment) < 20 or segment[13] & (_SYN | _ACK) != _SYN:
        return None
    near, far = struct.unpack("!HH", segment[:4])
    return source, near, target, far


def segment_size(syn: bytes) -> int:
    """The maximum segment size in the headers of a SYN, IP's and TCP's; 0 where it says none."""
    tcp = syn[40:] if syn[0] >> 4 == 6 else syn[(syn[0] & 0x0F) * 4 :]
    options = tcp[20 : (tcp[12] >> 4) * 4]
    while options and options[0] != _END:
        if options[0] == _NOTHING:
            options = options[1:]
        elif options[0] == _SEGMENT_SIZE:
            return int.from_bytes(options[2:4], "big")
        else:
            options = options[max(options[1], 2) :]
    return 0


def stray_packets(source: Address, target: Address) -> Iterator[bytes]:
    """IPv4 packets that conntrack calls invalid: answers to what nobody said, and broken ones."""
    for flags in (_RST, _RST | _ACK, _SYN | _ACK, _SYN | _FIN, 0):
        yield _ipv4(source, target, 6, _tcp(source, target, flags))
    broken = bytearray(_tcp(source, target, _ACK))
    broken[16] ^= 0xFF
    yield _ipv4(source, target, 6, bytes(broken))
    yield port_unreachable(source, target, 9, 9)


def port_unreachable(source: Address, target: Address, port: int, target_port: int) -> bytes:
    """What the host `source` says of a datagram of `target` to a port that nobody listens on."""
    datagram = struct.pack("!HHHH", target_port, port, 8, 0)
    error = struct.pack("!BBHI", 3, 3, 0, 0) + _ipv4(target, source, 17, datagram)
    return _ipv4(source, target, 1, error[:2] + struct.pack("!H", checksum(error)) + error[4:])


def _tcp(source: Address, target: Address, flags: int) -> bytes:
    head = struct.pack("!HHIIBBHHH", 2222, 443, 0x4E465431, 0x4E465432, 5 << 4, flags, 512, 0, 0)
    pseudo = source.packed + target.packed + struct.pack("!BBH", 0, 6, len(head))
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def _ipv4(source: Address, target: Address, protocol: int, payload: bytes) -> bytes:
    # The kernel fills in the checksum of a raw packet's IP header, and its identification.
    length = 20 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, protocol, 0)
    head += IPv4Address(int(source)).packed + IPv4Address(int(target)).packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
