"""Packets as frames on the ends of a router's links, past every socket and every route.

So a packet can have any source and any destination, and what comes out is seen as it is. The
router resolves no neighbours (its links are `arp off`), so what goes out needs nobody to answer.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address

from attrs import field, frozen

from nftnsr.rehearsal.packets import checksum
from nftnsr.trace.packet import End, Packet

from .conftest import sh

_ETHERNET = {4: 0x0800, 6: 0x86DD}
_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
_ECHO = {(4, False): 8, (4, True): 0, (6, False): 128, (6, True): 129}
_SYN, _ACK = 0x02, 0x10
FIRST = 40000
"""Of the source ports, and the identifiers of echoes, of numbered packets."""

_MAGIC = b"nftnsr trace"
_ALL, _OUTGOING = 0x0003, 4  # ETH_P_ALL, PACKET_OUTGOING
_SETTLED = 4
"""Rounds of a frame of its own until what was sent before has gone through: the kernel takes all
frames of one processor in their order, and each link on the way puts a frame behind the others."""


@frozen
class Far:
    """The far end of a link: its name, and the MAC of the router's end."""

    name: str
    mac: str


@frozen
class Seen:
    """What came out of the router: by which of its links, from whom, to whom."""

    link: str
    source: End
    destination: End
    echo: int | None = field(default=None, eq=False)
    """The identifier of an ICMP echo, which a translation may change as it does ports."""


class Links:
    """The far ends of a router's links, in the caller's namespace; bound to one processor."""

    def __init__(self, far: Mapping[str, Far]) -> None:
        """`far`: by the name of the router's own end."""
        self._far = far
        self._stack = ExitStack()

    def __enter__(self) -> Links:
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        self._stack.callback(os.sched_setaffinity, 0, processors)
        self._sockets = {link: self._open(far.name) for link, far in self._far.items()}
        sh("ip link add clock0 up type veth peer name clock1; ip link set clock1 up")
        self._clock = self._open("clock0"), self._open("clock1")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, packet: Packet, number: int, echo: int | None = None) -> None:
        """By the link by which the packet comes; an echo's identifier is made of its number."""
        echo = FIRST + number if echo is None else echo
        frame = _frame(self._far[packet.iif].mac, packet, number, echo)
        self._sockets[packet.iif].send(frame)

    def seen(self) -> dict[int, Seen]:
        """What has come out since this was last asked, by number."""
        self._settle()
        found = {}
        for link, sock in self._sockets.items():
            for data in _received(sock):
                if read := _read(link, data):
                    found[read[0]] = read[1]
        return found

    def _open(self, link: str) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._stack.enter_context(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((link, _ALL))
        return sock

    def _settle(self) -> None:
        near, far = self._clock
        for _ in range(_SETTLED):
            near.send(b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(46))
            while not any(True for _ in _received(far)):
                assert select.select([far], [], [], 30)[0], "the frame is lost"


def _received(sock: socket.socket) -> Iterator[bytes]:
    while select.select([sock], [], [], 0)[0]:
        data, address = sock.recvfrom(2048)
        if address[2] != _OUTGOING:
            yield data


def _frame(mac: str, packet: Packet, number: int, echo: int) -> bytes:
    source, destination = packet.source, packet.destination
    protocol = _NUMBERS[
        "icmpv6" if packet.protocol == "icmp" and packet.version == 6 else packet.protocol
    ]
    body = _transport(packet, protocol, echo, _MAGIC + struct.pack("!I", number))
    if packet.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
        head += source.address.packed + destination.address.packed
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64)
        head += source.address.packed + destination.address.packed
    ethernet = bytes.fromhex(mac.replace(":", "")) + b"\x02\x00\x00\x00\x00\x99"
    return ethernet + struct.pack("!H", _ETHERNET[packet.version]) + head + body


def _transport(packet: Packet, protocol: int, echo: int, payload: bytes) -> bytes:
    ports = packet.source.port or 0, packet.destination.port or 0
    if packet.protocol == "tcp":
        flags = _SYN | _ACK if packet.answer else _SYN
        # An answer acknowledges the first byte behind the SYN and what came with it.
        acknowledged = 1001 + len(payload) if packet.answer else 0
        head = struct.pack("!HHIIBBHHH", *ports, 1000, acknowledged, 5 << 4, flags, 512, 0, 0)
        at = 16
    elif packet.protocol == "udp":
        head, at = struct.pack("!HHHH", *ports, 8 + len(payload), 0), 6
    else:
        kind = _ECHO[packet.version, packet.answer]
        head, at = struct.pack("!BBHHH", kind, 0, 0, echo, 1), 2
    pseudo = packet.source.address.packed + packet.destination.address.packed
    pseudo += struct.pack("!II", len(head) + len(payload), protocol)
    if protocol == _NUMBERS["icmp"]:
        pseudo = b""
    total = checksum(pseudo + head + payload)
    return head[:at] + struct.pack("!H", total) + head[at + 2 :] + payload


def _read(link: str, data: bytes) -> tuple[int, Seen] | None:
    """The number of a packet of ours, and what it looks like; not where it is within an error."""
    kind = struct.unpack_from("!H", data, 12)[0]
    if kind == _ETHERNET[4]:
        protocol, at = data[23], 14 + (data[14] & 0x0F) * 4
        ips = data[26:30], data[30:34]
    elif kind == _ETHERNET[6]:
        protocol, at = data[20], 54
        ips = data[22:38], data[38:54]
    else:
        return None
    start = at + {6: 20, 17: 8, 1: 8, 58: 8}.get(protocol, 0)
    if data[start : start + len(_MAGIC)] != _MAGIC:
        return None
    number = struct.unpack_from("!I", data, start + len(_MAGIC))[0]
    ports: tuple[int | None, ...] = (None, None)
    echo = None
    if protocol in (6, 17):
        ports = struct.unpack_from("!HH", data, at)
    else:
        echo = struct.unpack_from("!H", data, at + 4)[0]
    source, destination = (End(ip_address(i), p) for i, p in zip(ips, ports, strict=True))
    return number, Seen(link, source, destination, echo)
