"""What may pass beyond what a router implies, and what may not."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from .terms import Network, Ports, Protocol, Rate


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
