"""The keys of `[router.NAME.inner.NAME]`."""

from __future__ import annotations

from typing import Final

from .host import HOST_KEYS
from .key import Key, Kind, by_name

INNER_KEYS: Final = by_name(
    Key(
        "interface",
        Kind.INTERFACE,
        "The name of the far end of the veth pair.",
        '"eth0"',
        required=True,
    ),
    Key(
        "namespace",
        Kind.NAMESPACE,
        "The network namespace of somebody else's in which the far end is; without it, the host.",
        '"vm1"',
    ),
    Key(
        "addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the far end. An IPv6 address of the uplink's own prefix is written with "
        "/128.",
        '["10.43.0.2/24"]',
        required=True,
    ),
    Key(
        "router_addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the router's end.",
        '["10.43.0.1/24"]',
    ),
    Key(
        "router_interface",
        Kind.INTERFACE,
        "The name of the router's end; the inner link's own unless it is written.",
        '"vm1"',
    ),
    Key(
        "networks",
        Kind.NETWORKS,
        "Networks that are reached through the far end.",
        '["10.44.0.0/16"]',
    ),
    Key(
        "default_route",
        Kind.FLAG,
        "Whether the default routes of the far end lead to the router; those of the host over a "
        "further link only if it is written.",
        "true",
    ),
    Key(
        "link_local",
        Kind.LINK_LOCAL,
        "The link-local IPv6 address of the far end.",
        '"fe80::2"',
    ),
    HOST_KEYS["router_link_local"],
    HOST_KEYS["mtu"],
    Key(
        "mac",
        Kind.MAC,
        "The MAC address of the far end; without it, one made of the names of router and link.",
        '"02:00:00:00:00:05"',
    ),
    Key(
        "table",
        Kind.ROUTING_TABLE,
        "A routing table at the far end for the default routes that lead to the router, taken by "
        "what comes from its addresses here and from `networks`; everything else goes as before. "
        "It needs default_route = false.",
        "101",
    ),
)
