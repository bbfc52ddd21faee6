"""Packets as frames at the far ends of a router's links, past every socket and every route.

So a packet can have any source and any destination, and what comes out is seen as it is.
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

from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal.packets import checksum
from nftnsr.trace.packet import End, Packet

FIRST = 40000
"""Of the identifiers that echoes get by their numbers."""

OUR_MAC = "02:72:68:ff:ff:01"
"""From which all frames come."""

_ETHERNET = {4: 0x0800, 6: 0x86DD}
_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
_HEADERS = {6: 20, 17: 8, 1: 8, 58: 8}
_ECHO = {(4, False): 8, (4, True): 0, (6, False): 128, (6, True): 129}
_SYN, _ACK = 0x02, 0x10
_MAGIC = b"nftnsr trace"
_FIRST_BYTE = 1000  # the sequence number of every SYN
_ALL, _OUTGOING = 0x0003, 4  # ETH_P_ALL, PACKET_OUTGOING
_LOCAL_EXPERIMENT = 0x88B5  # IEEE 802, for what is nobody's protocol
_ROUNDS = 4
_PATIENCE = 30.0  # seconds; a round takes microseconds


@frozen
class Far:
    """The far end of a link: where it is, its name, and the MAC of the router's end."""

    room: Room
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
    """The far ends of a router's links, by the names of the router's own ends.

    The thread that enters it is bound to one processor, which takes all frames in their order.
    """

    def __init__(self, far: Mapping[str, Far]) -> None:
        self._far = far
        self._stack = ExitStack()

    def __enter__(self) -> Links:
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        self._stack.callback(os.sched_setaffinity, 0, processors)
        self._sockets = {
            name: far.room.run(self._open, far.name) for name, far in self._far.items()
        }
        self._clock = self._open("lo")
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
        self.settle()
        found = {}
        for link, sock in self._sockets.items():
            for data in _received(sock):
                if read := _read(link, data):
                    found[read[0]] = read[1]
        return found

    def settle(self) -> None:
        """Wait until everything has been handled that was sent.

        Each link on a frame's way puts it behind all others that this processor has to handle; a
        frame that has gone through the loopback so often was behind it at every link.
        """
        for _ in range(_ROUNDS):
            self._clock.send(bytes(12) + struct.pack("!H", _LOCAL_EXPERIMENT) + bytes(46))
            while not any(True for _ in _received(self._clock)):
                ready, _, _ = select.select([self._clock], [], [], _PATIENCE)
                assert ready, "the loopback is not up"

    def _open(self, link: str) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._stack.enter_context(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((link, _ALL))
        return sock


def _received(sock: socket.socket) -> Iterator[bytes]:
    while select.select([sock], [], [], 0)[0]:
        data, address = sock.recvfrom(2048)
        if address[2] != _OUTGOING:
            yield data


def _frame(mac: str, packet: Packet, number: int, echo: int) -> bytes:
    word = "icmpv6" if (packet.protocol, packet.version) == ("icmp", 6) else packet.protocol
    protocol = _NUMBERS[word]
    body = _transport(packet, protocol, echo, _MAGIC + struct.pack("!I", number))
    ends = packet.source.address.packed + packet.destination.address.packed
    if packet.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0) + ends
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends
    macs = bytes.fromhex(f"{mac}{OUR_MAC}".replace(":", ""))
    return macs + struct.pack("!H", _ETHERNET[packet.version]) + head + body


def _transport(packet: Packet, protocol: int, echo: int, payload: bytes) -> bytes:
    ports = packet.source.port or 0, packet.destination.port or 0
    if packet.protocol == "tcp":
        flags = _SYN | _ACK if packet.answer else _SYN
        acknowledged = _FIRST_BYTE + 1 + len(payload) if packet.answer else 0
        sequence = (_FIRST_BYTE, acknowledged)
        head, at = struct.pack("!HHIIBBHHH", *ports, *sequence, 5 << 4, flags, 512, 0, 0), 16
    elif packet.protocol == "udp":
        head, at = struct.pack("!HHHH", *ports, 8 + len(payload), 0), 6
    else:
        head, at = struct.pack("!BBHHH", _ECHO[packet.version, packet.answer], 0, 0, echo, 1), 2
    # ICMP alone has no pseudo header.
    pseudo = packet.source.address.packed + packet.destination.address.packed
    pseudo += struct.pack("!II", len(head) + len(payload), protocol)
    # To UDP a checksum of 0 says that there is none.
    total = checksum((b"" if protocol == _NUMBERS["icmp"] else pseudo) + head + payload) or 0xFFFF
    return head[:at] + struct.pack("!H", total) + head[at + 2 :] + payload


def _read(link: str, data: bytes) -> tuple[int, Seen] | None:
    """The number of a packet of ours, and what it looks like; not where it is within an error."""
    kind = struct.unpack_from("!H", data, 12)[0]
    if kind == _ETHERNET[4]:
        protocol, at, ips = data[23], 14 + (data[14] & 0x0F) * 4, (data[26:30], data[30:34])
    elif kind == _ETHERNET[6]:
        protocol, at, ips = data[20], 54, (data[22:38], data[38:54])
    else:
        return None
    start = at + _HEADERS.get(protocol, 0)
    if data[start : start + len(_MAGIC)] != _MAGIC:
        return None
    number = struct.unpack_from("!I", data, start + len(_MAGIC))[0]
    ports: tuple[int | None, ...] = (None, None)
    echo = None
    if protocol in (_NUMBERS["tcp"], _NUMBERS["udp"]):
        ports = struct.unpack_from("!HH", data, at)
    else:
        echo = struct.unpack_from("!H", data, at + 4)[0]
    source, destination = (End(ip_address(i), p) for i, p in zip(ips, ports, strict=True))
    return number, Seen(link, source, destination, echo)
