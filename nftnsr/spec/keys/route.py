"""The keys of a route that is a table."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

ROUTE_KEYS: Final = by_name(
    Key(
        "destination",
        Kind.DESTINATION,
        'A network, an address, or "default".',
        '"10.9.0.0/16"',
        required=True,
    ),
    Key(
        "via",
        Kind.ADDRESS,
        "The next hop.",
        '"192.0.2.9"',
    ),
    Key(
        "dev",
        Kind.INTERFACE,
        "The link: the uplink's name, or that of the router's end of the veth pair. Without it, "
        "the link in whose prefix the next hop is.",
        '"ens3"',
    ),
    Key(
        "metric",
        Kind.COUNT,
        "Of several routes to one destination that with the lowest metric is taken.",
        "5",
    ),
    Key(
        "table",
        Kind.ROUTING_TABLE,
        "The number of the routing table.",
        "100",
    ),
    Key(
        "source",
        Kind.ADDRESS,
        "The source address of what the router itself sends there.",
        '"192.0.2.10"',
    ),
    Key(
        "mtu",
        Kind.MTU,
        "The MTU of the path, in bytes.",
        "1400",
    ),
    Key(
        "type",
        Kind.ROUTE_TYPE,
        "unicast, or what becomes of packets that lead nowhere: blackhole (dropped), unreachable "
        "or prohibit (refused).",
        '"unicast"',
    ),
)
