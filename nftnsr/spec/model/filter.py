"""What may pass beyond what a router implies, and what may not."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from attrs import frozen

from .terms import Network, Ports, Protocol, Rate

# RFC 6890, without what is global in it, and the IPv4 multicast and reserved space: no host on the
# internet has an address of these. fe80::/10 and :: are neighbours' (RFC 4861).
NOBODYS: Final[tuple[Network, ...]] = tuple(map(ip_network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    "::1/128", "::ffff:0:0/96", "100::/64", "2001:2::/48", "2001:10::/28", "2001:db8::/32",
    "3fff::/20", "5f00::/16", "fc00::/7",
)))  # fmt: skip


@frozen
class Service:
    """Ports of the router's own addresses that may be reached from the uplink's side."""

    ports: tuple[Ports, ...]
    protocols: tuple[Protocol, ...] = ("tcp",)
    sources: tuple[Network, ...] = ()


@frozen
class Egress:
    """Where `source`, which is behind the router, may go out to; what names it adds up.

    Without a `destination` it is anywhere, without `ports` it is every protocol; `nothing` says
    that there is nowhere.
    """

    source: Network
    destination: Network | None = None
    ports: tuple[Ports, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    nothing: bool = False


@frozen
class Blocklist:
    """Networks that nobody behind the router talks to; disjoint, sorted within each family."""

    name: str
    file: str
    networks: tuple[Network, ...]
    place: str
    """Where that file lies, which is named from beside the spec."""


@frozen
class Filter:
    """What may pass beyond what the router implies, and what may not, as `[router.NAME.filter]`."""

    input: tuple[Service, ...] | None = None  # None: the router itself is open
    ping: bool = True
    egress: tuple[Egress, ...] = ()
    inbound: tuple[Network, ...] = ()
    blocklists: tuple[Blocklist, ...] = ()
    bogons: bool = False
    reverse_path_ipv6: bool = False
    log_drops: Rate | None = None
    log_prefix: str | None = None  # None: "nftnsr" and the router's name
    log_group: int | None = None  # None: the kernel's log


NOTHING_FILTERED: Final = Filter()
