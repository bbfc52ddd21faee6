"""Multicast netlink sockets: what the kernel tells of changes, in this and other namespaces.

One socket hears every namespace to which its own has given a number (NETLINK_LISTEN_ALL_NSID,
netlink(7)). So nothing of ours is inside a router's namespace, where it would keep the namespace,
and the uplink in it, from coming back when somebody deletes it. Needs CAP_NET_BROADCAST.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Collection
from pathlib import Path

from nftnsr.kernel import netlink
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.netlink import NETLINK_NETFILTER, attribute, attributes
from nftnsr.state.words import TABLE

_SOL_NETLINK, _ADD_MEMBERSHIP, _LISTEN_ALL_NSID, _SO_RCVBUFFORCE = 270, 1, 8, 33
# RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE,
# IPV4_NETCONF, IPV6_NETCONF, NSID
_RTNETLINK = (1, 3, 5, 7, 8, 9, 11, 19, 24, 25, 28)
_NFTABLES = (7,)  # NFNLGRP_NFTABLES

_NEIGHBOURS = (28, 29)  # RTM_NEWNEIGH, RTM_DELNEIGH
_NDMSG = struct.Struct("=BxxxiHBB")
_NUD_PERMANENT, _NTF_PROXY, _NDA_DST = 0x80, 0x08, 1
_NEWGEN = 15
_NEWNSID, _GETNSID = 88, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3

Tells = Callable[[bytes, bool, Collection[bytes]], bool]
"""Whether a datagram, of the host or not, says anything of interest."""

_DATAGRAM = 1 << 16
# 60000 map elements that come take 4.4 MiB; they go, with their table, in two datagrams. What does
# not fit is no loss: an overrun is a notice, too.
BUFFER = 8 << 20


class Multicast:
    """A socket that is told of changes; made in the host's namespace, read in any thread."""

    def __init__(
        self, family: int, groups: tuple[int, ...], tells: Tells, buffer: int = BUFFER
    ) -> None:
        self._tells = tells
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
            _listen_to_others(self._socket)
            # Without an address of its own it would count as the kernel, the sender itself.
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except BaseException:
            self._socket.close()
            raise

    @classmethod
    def rtnetlink(cls, buffer: int = BUFFER) -> Multicast:
        return cls(socket.NETLINK_ROUTE, _RTNETLINK, _tells_of_links, buffer)

    @classmethod
    def nftables(cls, buffer: int = BUFFER) -> Multicast:
        return cls(NETLINK_NETFILTER, _NFTABLES, _tells_of_rules, buffer)

    def fileno(self) -> int:
        return self._socket.fileno()

    def heard(self, numbers: Collection[int], neighbours: Collection[bytes] = ()) -> bool:
        """Take all that has come; whether any of it concerns the host or a namespace of `numbers`.

        The addresses of `neighbours` are those of which every change does. What did not fit into
        the buffer may concern anybody.
        """
        concerned = False
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_DATAGRAM, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return concerned
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                concerned = True
                continue
            if not concerned:
                number = _number(ancillary)
                concerned = (number is None or number in numbers) and self._tells(
                    data, number is None, neighbours
                )

    def close(self) -> None:
        self._socket.close()


def _listen_to_others(listener: socket.socket) -> None:
    try:
        listener.setsockopt(_SOL_NETLINK, _LISTEN_ALL_NSID, 1)
    except PermissionError as error:
        raise KernelError(
            f"what happens in other namespaces cannot be heard: {error.strerror}",
            "this needs CAP_NET_BROADCAST (in a unit: CapabilityBoundingSet=)",
        ) from error


def namespace_number(path: Path) -> int | None:
    """What the caller's namespace calls the one behind `path`, which gets a number if it has none.

    None where there is no namespace (any more).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for _ in range(2):
            number = _asked(descriptor)
            if number is None or number >= 0:
                return number
            _give_number(descriptor)
        return None
    finally:
        os.close(descriptor)


def _asked(descriptor: int) -> int | None:
    request = bytes(4) + attribute(_NETNSA_FD, struct.pack("=i", descriptor))
    answer = netlink.ask(socket.NETLINK_ROUTE, _GETNSID, request, errno.EINVAL, "cannot ask nsid")
    return None if answer is None else struct.unpack("=i", attributes(answer, 4)[_NETNSA_NSID])[0]


def _give_number(descriptor: int) -> None:
    parts = [(_NETNSA_FD, descriptor), (_NETNSA_NSID, -1)]
    payload = bytes(4) + b"".join(attribute(k, struct.pack("=i", v)) for k, v in parts)
    request = netlink.message(_NEWNSID, netlink.REQUEST | netlink.ACK, payload)
    given = frozenset({errno.EEXIST})
    netlink.perform(socket.NETLINK_ROUTE, [request], given, "cannot give a namespace a number")


def _number(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The number of the namespace that speaks; None for the socket's own."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_NETLINK, _LISTEN_ALL_NSID):
            return int(struct.unpack("=i", data[:4])[0])
    return None


def _tells_of_links(data: bytes, on_host: bool, neighbours: Collection[bytes]) -> bool:
    """Whether there is anything in it but what the kernel learns of its neighbours by itself."""
    for kind, _, body in netlink.split(data):
        if kind not in _NEIGHBOURS:
            return True
        _, _, state, flags, _ = _NDMSG.unpack_from(body)
        if state & _NUD_PERMANENT or flags & _NTF_PROXY:
            return True
        # One that goes is said to have failed first, whatever it was before.
        if attributes(body, _NDMSG.size).get(_NDA_DST) in neighbours:
            return True
    return False


def _tells_of_rules(data: bytes, on_host: bool, neighbours: Collection[bytes]) -> bool:
    """Whether it is about a table of ours; in a router's namespace every table is of interest."""
    if not on_host:
        return True
    ours = TABLE[1].encode()  # the other one begins with the same word
    return any(
        # The first attribute of every message but NFT_MSG_NEWGEN is the table's name.
        kind & 0xFF != _NEWGEN and attributes(body, 4).get(1, b"").startswith(ours)
        for kind, _, body in netlink.split(data)
    )
