"""The generation of a namespace's ruleset: a number that changes with every commit, and only then.

It is asked for with NFT_MSG_GETGEN (linux/netfilter/nf_tables.h) in 0.1 ms. libnftables sends its
own freshly read number with a transaction, so a change by somebody else since our observation is
seen by comparing the number before, and its successor after, our own.
"""

from __future__ import annotations

import errno

from nftnsr.kernel import netlink
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.netlink import NETLINK_NETFILTER

_GETGEN = (10 << 8) | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_NFTA_GEN_ID = 1
_HEAD = bytes(4)  # struct nfgenmsg


def generation() -> int:
    """The generation of the ruleset in the namespace of the calling thread."""
    what = "the ruleset cannot be read"
    # EINVAL: nfnetlink knows no such subsystem.
    answer = netlink.ask(NETLINK_NETFILTER, _GETGEN, _HEAD, errno.EINVAL, what)
    if answer is None:
        raise KernelError("the kernel has no nf_tables", "load it: modprobe nf_tables")
    return int.from_bytes(netlink.attributes(answer, len(_HEAD))[_NFTA_GEN_ID], "big")
