"""Netlink by hand, for dumps of tens of thousands of messages of which few are wanted.

pyroute2 decodes every attribute of every message, about 0.15 ms each; here a message stays the
bytes that it is until somebody asks. A socket belongs to the namespace of the thread that made it.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice

from nftnsr.kernel.errors import KernelError

NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER = 0, 4, 12
REQUEST, ACK, DUMP = 0x01, 0x04, 0x300
CREATE = 0x600  # NLM_F_CREATE, and NLM_F_EXCL: what is there already is an error
NESTED = 0x8000

_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: what is listed has changed meanwhile
_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 1 << 18
_CHUNK = 128  # an answer takes 768 bytes of the usual buffer of 208 KiB


def message(kind: int, flags: int, payload: bytes, sequence: int = 1) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, payload: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(attributes))


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes in `data` by kind, without the flags for nesting and byte order."""
    found = {}
    end = len(data)
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def dump(family: int, kind: int, payload: bytes, what: str) -> Iterator[bytes]:
    """The payload of every message with which the kernel answers a request for a dump."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
        netlink.send(message(kind, REQUEST | DUMP, payload))
        while True:
            for answer, flags, body in split(netlink.recv(_BUFFER)):
                if flags & _INTERRUPTED:
                    raise KernelError(f"{what}: it changed while it was listed")
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    raise KernelError(f"{what}: {os.strerror(_status(body))}")
                yield body


def ask(family: int, kind: int, payload: bytes, none: int, what: str) -> bytes | None:
    """The payload of the one answer; None where the kernel says the error number `none`."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
        netlink.send(message(kind, REQUEST, payload))
        answer, _, body = next(split(netlink.recv(_BUFFER)))
    if answer != _ERROR:
        return body
    if _status(body) == none:
        return None
    raise KernelError(f"{what}: {os.strerror(_status(body))}")


def perform(family: int, messages: Iterable[bytes], ignore: frozenset[int], what: str) -> int:
    """Send requests that the kernel acknowledges; how many of them it did.

    Those refused with an error number of `ignore` are passed over.
    """
    return sum(not each for each in outcomes(family, messages, ignore, what))


def outcomes(
    family: int, messages: Iterable[bytes], ignore: frozenset[int], what: str
) -> Iterator[int]:
    """The same, with the error number of each in their order, 0 for what was done."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
        for chunk, count in _chunks(messages):
            netlink.send(chunk)
            while count:
                for answer, _, body in split(netlink.recv(_BUFFER)):
                    if answer != _ERROR:
                        continue
                    count -= 1
                    status = _status(body)
                    if status and status not in ignore:
                        raise KernelError(f"{what}: {os.strerror(status)}")
                    yield status


def _chunks(messages: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Messages put together, as many as the answers to them surely find room for."""
    left = iter(messages)
    while held := tuple(islice(left, _CHUNK)):
        yield b"".join(held), len(held)


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, payload) of each message."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, flags, *_ = _HEADER.unpack_from(data, start)
        yield kind, flags, data[start + _HEADER.size : start + length]
        start += (length + 3) & ~3


def _status(body: bytes) -> int:
    return -int(struct.unpack_from("=i", body)[0])
