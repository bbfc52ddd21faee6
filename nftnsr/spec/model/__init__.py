"""What a person can say: the specification of routers, as frozen values.

Everything here has been parsed once, at the edge: an address is an `ipaddress` object and a
port is an int, so that nothing further in has to ask again what a string may hold.
"""

from .filter import NOBODYS, Blocklist, Egress, Filter, Service
from .forwards import HOST_ITSELF, Balance, Forward, Target
from .links import (
    HOST_LINK_LOCAL,
    ROUTER_LINK_LOCAL,
    AddressOptions,
    Inner,
    MadeUplink,
    Uplink,
    UplinkKind,
)
from .router import InboundIPv6, Router, Spec
from .routing import (
    FIRST_TABLE,
    MAIN_TABLE,
    RouteType,
    RoutingRule,
    Setting,
    StaticNeighbour,
    StaticRoute,
)
from .terms import Address, Interface, Limit, Network, Ports, Protocol, Rate
from .translations import HELPER_PORTS, Helper, OneToOne, PrefixPair, SourceNat, SourcePorts

__all__ = [
    "FIRST_TABLE",
    "HELPER_PORTS",
    "HOST_ITSELF",
    "HOST_LINK_LOCAL",
    "MAIN_TABLE",
    "NOBODYS",
    "ROUTER_LINK_LOCAL",
    "Address",
    "AddressOptions",
    "Balance",
    "Blocklist",
    "Egress",
    "Filter",
    "Forward",
    "Helper",
    "InboundIPv6",
    "Inner",
    "Interface",
    "Limit",
    "MadeUplink",
    "Network",
    "OneToOne",
    "Ports",
    "PrefixPair",
    "Protocol",
    "Rate",
    "RouteType",
    "Router",
    "RoutingRule",
    "Service",
    "Setting",
    "SourceNat",
    "SourcePorts",
    "Spec",
    "StaticNeighbour",
    "StaticRoute",
    "Target",
    "Uplink",
    "UplinkKind",
]
