"""The nftables tables of the caller's namespace by name and hooks, without what is in them.

`nft list tables` would read every element of every set (libnftables 1.0.6).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

from nftnsr.kernel.netlink import NETLINK_NETFILTER, attributes, dump
from nftnsr.state.model import Table

_GETTABLE, _GETCHAIN = 10 << 8 | 1, 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GET...
_TABLE_NAME, _CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _HOOK_PRIORITY = 1, 1, 3, 4, 2
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_GENERIC = struct.pack("BBH", 0, 0, 0)  # struct nfgenmsg, of any family


def foreign_tables(known: Collection[tuple[str, str]]) -> tuple[Table, ...]:
    """Those but for the `known` ones (family, name); their lines are their base chains."""
    hooks = tuple(_base_chains())
    names = (
        (_family(body), _text(attributes(body, 4)[_TABLE_NAME]))
        for body in dump(NETLINK_NETFILTER, _GETTABLE, _GENERIC, "the tables cannot be read")
    )
    return tuple(
        Table(*name, tuple(words for table, words in hooks if table == name))
        for name in names
        if name not in known
    )


def _base_chains() -> Iterator[tuple[tuple[str, str], str]]:
    for body in dump(NETLINK_NETFILTER, _GETCHAIN, _GENERIC, "the chains cannot be read"):
        found = attributes(body, 4)
        if _CHAIN_HOOK in found:
            raw = attributes(found[_CHAIN_HOOK])[_HOOK_PRIORITY]
            priority = struct.unpack("!i", raw)[0]
            table = (_family(body), _text(found[_CHAIN_TABLE]))
            yield table, f"chain {_text(found[_CHAIN_NAME])} priority {priority}"


def _family(body: bytes) -> str:
    return _FAMILIES.get(body[0], str(body[0]))


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="backslashreplace")
