"""The kernel's own trace of packets: which rules of which chains apply to them (nft(8), "nftrace").

The kernel tells it of packets for which a rule has said `meta nftrace set 1`, as messages of
NFNLGRP_NFTRACE (linux/netfilter/nf_tables.h, enum nft_trace_attributes).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from typing import Literal

from attrs import frozen

from nftnsr.kernel import netlink
from nftnsr.kernel.netlink import NETLINK_NETFILTER, attributes
from nftnsr.kernel.nftables import library

_GROUP = 1 << (9 - 1)  # NFNLGRP_NFTRACE
_TRACE = (10 << 8) | 17  # NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE
_TABLE, _CHAIN, _RULE_HANDLE, _TYPE, _VERDICT, _POLICY = 1, 2, 3, 4, 5, 16
_VERDICT_CODE, _VERDICT_CHAIN = 1, 2
_KINDS: Mapping[int, Kind] = {1: "policy", 2: "return", 3: "rule"}
# NF_DROP, NF_ACCEPT, NFT_CONTINUE, NFT_JUMP, NFT_GOTO, NFT_RETURN
_WORDS = {0: "drop", 1: "accept", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
_BUFFER, _DATAGRAM = 4 << 20, 1 << 16
_HANDLE = re.compile(r"^\t\t.* # handle (\d+)$", re.MULTILINE)
_BLOCK = re.compile(r"^\tchain (\S+) \{.*?^\t\}", re.MULTILINE | re.DOTALL)

Kind = Literal["policy", "return", "rule"]


@frozen
class Event:
    """What a chain says of a packet: by a rule, by its policy, or at its end."""

    table: str
    chain: str
    kind: Kind
    verdict: str
    """As in nft(8); `continue` of a rule that applies and leaves it to the next."""
    target: str | None = None
    """The chain of `jump` and `goto`."""
    handle: int | None = None
    """Of the rule."""


class Tracing:
    """Hears of every packet that is traced in the namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((0, _GROUP))

    def heard(self) -> tuple[Event, ...]:
        """What has come until now; the kernel tells it while it handles the packet."""
        found: list[Event] = []
        while True:
            try:
                data = self._socket.recv(_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return tuple(found)
            found += _events(data)

    def close(self) -> None:
        self._socket.close()


def handles(table: tuple[str, str]) -> dict[int, tuple[str, int]]:
    """The chain of each rule, and its place in that, by its handle; in the caller's namespace."""
    nft = library()
    nft.set_handle_output(True)
    nft.set_stateless_output(True)
    _, listing, _ = nft.cmd(f"list table {table[0]} {table[1]}")
    found = {}
    for block in _BLOCK.finditer(listing):
        for place, handle in enumerate(_HANDLE.findall(block[0])):
            found[int(handle)] = (block[1], place)
    return found


def _events(data: bytes) -> Iterator[Event]:
    for kind, _, body in netlink.split(data):
        if kind == _TRACE:
            yield _event(attributes(body, 4))


def _event(told: dict[int, bytes]) -> Event:
    verdict = attributes(told[_VERDICT]) if _VERDICT in told else {}
    code = verdict.get(_VERDICT_CODE) or told.get(_POLICY) or bytes(4)
    return Event(
        _text(told[_TABLE]),
        _text(told[_CHAIN]),
        _KINDS[int.from_bytes(told[_TYPE], "big")],
        _WORDS.get(int.from_bytes(code, "big", signed=True), "?"),
        _text(verdict[_VERDICT_CHAIN]) if _VERDICT_CHAIN in verdict else None,
        int.from_bytes(told[_RULE_HANDLE], "big") if _RULE_HANDLE in told else None,
    )


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")
