"""The keys of an uplink that is made."""

from __future__ import annotations

from typing import Final

from .key import Key, Kind, by_name

MADE_KEYS: Final = by_name(
    Key(
        "name",
        Kind.INTERFACE,
        "The name of the uplink in the router's namespace; of a veth, that of its other end, too.",
        '"up0"',
        required=True,
    ),
    Key(
        "kind",
        Kind.UPLINK_KIND,
        "What is made: macvlan, ipvlan or vlan upon an interface of the host, or veth into one of "
        "its bridges.",
        '"macvlan"',
        required=True,
    ),
    Key(
        "parent",
        Kind.INTERFACE,
        "The interface of the host upon which it is made; the host keeps it.",
        '"ens3"',
    ),
    Key(
        "bridge",
        Kind.INTERFACE,
        "The bridge of the host into which the other end of the veth is put.",
        '"br0"',
    ),
    Key(
        "mode",
        Kind.UPLINK_MODE,
        "bridge, private or vepa of a macvlan; l2, l3 or l3s of an ipvlan. bridge and l2 without "
        "it.",
        '"bridge"',
    ),
    Key(
        "id",
        Kind.VLAN,
        "The number of the VLAN.",
        "100",
    ),
)
