"""The keys of `[router.NAME.host]`."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

HOST_KEYS: Final = by_name(
    Key(
        "interface",
        Kind.INTERFACE,
        "The name of the host's end of the veth pair.",
        '"vens3"',
        required=True,
    ),
    Key(
        "addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the host's end. An IPv6 address of the uplink's own prefix is written "
        "with /128.",
        '["192.168.158.2/24"]',
        required=True,
    ),
    Key(
        "router_addresses",
        Kind.INTERFACE_ADDRESSES,
        "The addresses of the router's end.",
        '["192.168.158.1/24"]',
    ),
    Key(
        "router_interface",
        Kind.INTERFACE,
        "The name of the router's end; the same as `interface` unless it is written.",
        '"veth0"',
    ),
    Key(
        "networks",
        Kind.NETWORKS,
        "Networks that are reached through the host, such as those of containers and VMs.",
        '["10.42.0.0/24"]',
    ),
    Key(
        "default_route",
        Kind.FLAG,
        "Whether the host's default routes lead to the router.",
        "true",
    ),
    Key(
        "link_local",
        Kind.LINK_LOCAL,
        "The link-local IPv6 address of the host's end.",
        '"fe80::2"',
    ),
    Key(
        "router_link_local",
        Kind.LINK_LOCAL,
        "The link-local IPv6 address of the router's end.",
        '"fe80::1"',
    ),
    Key(
        "mtu",
        Kind.MTU,
        "The MTU of both ends of the veth pair, in bytes.",
        "1500",
    ),
    Key(
        "mac",
        Kind.MAC,
        "The MAC address of the host's end; without it, one made of the router's name.",
        '"02:00:00:00:00:04"',
    ),
    Key(
        "table",
        Kind.ROUTING_TABLE,
        "A routing table of the host's for the default routes that lead to the router, taken by "
        "what comes from the host's addresses here and from `networks`; everything else goes as "
        "before. It needs default_route = false.",
        "100",
    ),
)
