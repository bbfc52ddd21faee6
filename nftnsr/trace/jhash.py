"""The kernel's hash of a few bytes: Bob Jenkins' lookup3, as linux/jhash.h has it."""

from __future__ import annotations

import struct
import sys

_INITIAL = 0xDEADBEEF
_WORDS = "<III" if sys.byteorder == "little" else ">III"
_ALL = 0xFFFFFFFF


def jhash(data: bytes, seed: int) -> int:
    """32 bits, as nft's `jhash` gives them before they are scaled; they depend on the machine's
    byte order."""
    a = b = c = (_INITIAL + len(data) + seed) & _ALL
    while len(data) > 12:
        x, y, z = struct.unpack_from(_WORDS, data)
        a, b, c = _mix((a + x) & _ALL, (b + y) & _ALL, (c + z) & _ALL)
        data = data[12:]
    if not data:
        return c
    # The rest counts byte by byte, so that bytes beyond it are zero in either byte order.
    x, y, z = struct.unpack("<III", data.ljust(12, b"\0"))
    return _final((a + x) & _ALL, (b + y) & _ALL, (c + z) & _ALL)


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _ALL


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):
        a = (a - c) & _ALL ^ _rotated(c, bits)
        c = (c + b) & _ALL
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, bits)) & _ALL
        a, b, c = b, c, a
    return b
