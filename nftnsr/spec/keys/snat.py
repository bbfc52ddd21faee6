"""The keys of a source translation that is a table."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

SNAT_KEYS: Final = by_name(
    Key(
        "from",
        Kind.NETWORK,
        "The network behind the router.",
        '"10.42.0.0/24"',
        required=True,
        field="network",
    ),
    Key(
        "to",
        Kind.POOL,
        'The public address, or a range of them, "198.51.100.8-198.51.100.15".',
        '"192.0.2.11"',
        required=True,
        field="first",
    ),
    Key(
        "persistent",
        Kind.FLAG,
        "Whether a client leaves with the same address of the range wherever it goes.",
        "true",
    ),
)
