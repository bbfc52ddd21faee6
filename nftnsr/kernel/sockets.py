"""The connected sockets of the caller's namespace, over sock_diag(7)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from nftnsr.kernel import netlink
from nftnsr.kernel.netlink import NETLINK_SOCK_DIAG
from nftnsr.state.flows import Connection
from nftnsr.state.model import Address_

_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBxL48x")  # struct inet_diag_req_v2, any socket
_PORTS, _ADDRESSES = struct.Struct("!HH"), (8, 24)  # in struct inet_diag_msg
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
# Every state from TCP_ESTABLISHED on, but TIME_WAIT, CLOSE and LISTEN: there is somebody at the
# other end who may still send. A connected UDP socket is TCP_ESTABLISHED.
_ESTABLISHED, _SYN_SENT, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2 = range(1, 6)
_CLOSE_WAIT, _LAST_ACK, _CLOSING = 8, 9, 11
_CONNECTED = (
    _ESTABLISHED, _SYN_SENT, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT, _LAST_ACK, _CLOSING,
)  # fmt: skip
_STATES = sum(1 << state for state in _CONNECTED)


def connections() -> frozenset[Connection]:
    """All TCP and UDP sockets that are connected; IPv4 ones may hide in IPv6 sockets."""
    return frozenset(
        connection
        for protocol in _PROTOCOLS
        for family in (socket.AF_INET, socket.AF_INET6)
        for connection in _connections(protocol, family)
    )


def _connections(protocol: str, family: socket.AddressFamily) -> Iterator[Connection]:
    request = _REQUEST.pack(family, _PROTOCOLS[protocol], 0, _STATES)
    length = 4 if family == socket.AF_INET else 16
    what = f"cannot list {protocol} sockets"
    for body in netlink.dump(NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, request, what):
        local_port, remote_port = _PORTS.unpack_from(body, 4)
        local, remote = (_address(body[at : at + length]) for at in _ADDRESSES)
        yield Connection(protocol, local, local_port, remote, remote_port)


def _address(raw: bytes) -> Address_:
    address = ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
