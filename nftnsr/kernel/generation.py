"""The generation of a namespace's ruleset: a number that changes with every commit, and only then.

It is asked for with NFT_MSG_GETGEN (linux/netfilter/nf_tables.h) in 0.1 ms. libnftables sends its
own freshly read number with a transaction, so a change by somebody else since our observation is
seen by comparing the number before, and its successor after, our own.
"""

from __future__ import annotations

import socket
import struct

from nftnsr.kernel.errors import KernelError

_NETLINK_NETFILTER = 12
_GETGEN = (10 << 8) | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_NFTA_GEN_ID = 1
_NLM_F_REQUEST = 1
_HEADERS = 20  # struct nlmsghdr and struct nfgenmsg


def generation() -> int:
    """The generation of the ruleset in the namespace of the calling thread."""
    request = struct.pack("=LHHLLBBH", _HEADERS, _GETGEN, _NLM_F_REQUEST, 1, 0, 0, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.send(request)
        answer = netlink.recv(8192)
    place = _HEADERS
    while place + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, place)
        if kind == _NFTA_GEN_ID:
            return int(struct.unpack_from("!L", answer, place + 4)[0])
        place += max(4, (length + 3) & ~3)
    raise KernelError("the kernel has no nf_tables", "load it: modprobe nf_tables")
