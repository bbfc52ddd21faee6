"""The keys of an uplink; the first one has them in the router's own table."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from .key import Key, Kind, by_name

UPLINK_KEYS: Final = by_name(
    Key(
        "uplink",
        Kind.UPLINK,
        "The interface that moves from the host into the router's namespace; a table says how one "
        "is made instead.",
        '"ens3"',
        required=True,
        field="dev",
    ),
    Key(
        "addresses",
        Kind.UPLINK_ADDRESSES,
        "The uplink's own addresses, each with its prefix length; a table says more of one.",
        '["192.0.2.10/24"]',
        required=True,
    ),
    Key(
        "gateways",
        Kind.GATEWAYS,
        "The next hops of the default routes, at most one of each address family. A gateway "
        "outside the uplink's prefixes is reached on-link.",
        '["192.0.2.1", "fe80::1"]',
    ),
    Key(
        "mtu",
        Kind.MTU,
        "The uplink's MTU in bytes while it is in the router; without it, the one it has.",
        "1450",
    ),
    Key(
        "mac",
        Kind.MAC,
        "The uplink's MAC address while it is in the router; without it, the one it has.",
        '"02:00:00:00:00:03"',
    ),
    Key(
        "altnames",
        Kind.ALTNAMES,
        "The uplink's alternative names while it is in the router (ip-link(8)); without it, those "
        "it has.",
        '["wan"]',
    ),
)

FURTHER_KEYS: Final = by_name(
    evolve(
        UPLINK_KEYS["uplink"],
        doc="The interface, as in the router's own table; without it, the one of this name.",
        example='"ens4"',
        required=False,
    ),
    evolve(UPLINK_KEYS["addresses"], example='["198.51.100.7/24"]'),
    evolve(UPLINK_KEYS["gateways"], example='["198.51.100.1"]'),
    Key(
        "metric",
        Kind.METRIC,
        "Of its default routes: of all uplinks that have a carrier, what begins inside takes the "
        "one with the lowest. The router's own has 0. Without it 100, 200 and so on, in the order "
        "of the names.",
        "200",
    ),
    Key(
        "mark",
        Kind.MARK,
        "The mark of the connections over it, by which a packet can choose it; 1000 and its metric "
        "unless it is written, as the number of its routing table.",
        "0x2",
    ),
    Key(
        "networks",
        Kind.NETWORKS,
        "Networks inside that leave by it as long as it has a carrier.",
        '["10.42.0.0/24"]',
    ),
    UPLINK_KEYS["mtu"],
    UPLINK_KEYS["mac"],
    UPLINK_KEYS["altnames"],
)
