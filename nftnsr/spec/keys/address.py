"""The keys of an address that is a table."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

ADDRESS_KEYS: Final = by_name(
    Key(
        "address",
        Kind.INTERFACE_ADDRESS,
        "The address with its prefix length.",
        '"192.0.2.10/24"',
        required=True,
        field="interface",
    ),
    Key(
        "noprefixroute",
        Kind.FLAG,
        "Whether the address comes without a route to its prefix.",
        "true",
    ),
    Key(
        "nodad",
        Kind.FLAG,
        "Whether an IPv6 address serves at once, without duplicate detection (RFC 4862), which "
        "takes 1-2 s.",
        "false",
    ),
    Key(
        "preferred_lifetime",
        Kind.DURATION,
        "How long after it was added the address is a source of new connections; 0s: never, it "
        "is deprecated from the start. For ever without it.",
        '"0s"',
    ),
    Key(
        "valid_lifetime",
        Kind.DURATION,
        "How long after it was added the address is there at all. For ever without it.",
        '"2h"',
    ),
)
