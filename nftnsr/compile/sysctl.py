"""Kernel settings of the router's namespace (Documentation/networking/ip-sysctl.rst).

A new namespace copies its IPv4 settings from the machine's first one and takes the kernel's
defaults for IPv6, so all that matter are set. Where the effective value combines `all` with the
link's own, both are.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile import uplinks
from nftnsr.compile.families import family
from nftnsr.compile.routing import proxied_neighbours
from nftnsr.spec.model import Inner, Interface, Router, Uplink
from nftnsr.state.model import Sysctl

_GIVEN = "1"  # IN6_ADDR_GEN_MODE_NONE: the veth's link-local next hops are given, so no others


def router_sysctls(router: Router) -> Iterator[Sysctl]:
    """What is implied, with what the spec says in its stead, and what it says besides."""
    said = {each.path: each.value for each in router.sysctls}
    implied = tuple(_implied(router))
    yield from (Sysctl(s.path, said.get(s.path, s.value)) for s in implied)
    known = {s.path for s in implied}
    yield from (Sysctl(path, value) for path, value in said.items() if path not in known)


def _implied(router: Router) -> Iterator[Sysctl]:
    links = _links(router)
    yield Sysctl("net/ipv4/ip_forward", "1")
    for dev in links:  # each link has its own, which the first one sets
        yield Sysctl(f"net/ipv4/conf/{dev}/forwarding", "1")
    # Without it, taking the first address of a prefix away takes the others with it.
    yield Sysctl("net/ipv4/conf/all/promote_secondaries", "1")
    # Hairpinned packets leave where they came in: the kernel would tell the host a shorter way.
    for dev in ("all", "default", *links):
        yield Sysctl(f"net/ipv4/conf/{dev}/send_redirects", "0")
    yield Sysctl("net/ipv4/conf/all/accept_redirects", "0")
    for dev in ("all", "default", *links):
        yield Sysctl(f"net/ipv4/conf/{dev}/rp_filter", str(router.rp_filter))
    yield from _ipv6(router)
    yield from uplinks.sysctls(router)


def far_sysctls(router: Router, link: Inner) -> Iterator[Sysctl]:
    veth = f"net/ipv6/conf/{link.interface}"
    yield Sysctl(f"{veth}/addr_gen_mode", _GIVEN)
    if family(router, 6):
        yield Sysctl(f"{veth}/disable_ipv6", "0")


def _ipv6(router: Router) -> Iterator[Sysctl]:
    """Every setting has a value for every spec, so that none stays from the spec before."""
    used = family(router, 6) is not None
    yield Sysctl("net/ipv6/conf/all/forwarding", str(int(used)))
    without = {uplink.dev for uplink in router.uplinks if not any(map(_is_ipv6, uplink.addresses))}
    for dev in _links(router):
        here = used and dev not in without
        yield Sysctl(f"net/ipv6/conf/{dev}/disable_ipv6", str(int(not here)))
        yield Sysctl(f"net/ipv6/conf/{dev}/forwarding", str(int(here)))
    for link in router.links:
        yield Sysctl(f"net/ipv6/conf/{link.peer}/addr_gen_mode", _GIVEN)
    for uplink in router.uplinks:
        yield from _uplink_ipv6(router, uplink)


def _uplink_ipv6(router: Router, uplink: Uplink) -> Iterator[Sysctl]:
    conf = f"net/ipv6/conf/{uplink.dev}"
    yield Sysctl(f"{conf}/accept_ra", str(router.accept_ra))
    # A router solicits neighbours from its link-local address; while that one is tentative
    # (1-2 s after the move) the host behind it would be without IPv6.
    detected = not all(each.nodad for each in uplink.address_options)
    yield Sysctl(f"{conf}/accept_dad", str(int(detected)))
    proxied = any(each.dev == uplink.dev for each in proxied_neighbours(router))
    yield Sysctl(f"{conf}/proxy_ndp", str(int(proxied)))
    yield Sysctl(f"net/ipv6/neigh/{uplink.dev}/proxy_delay", str(router.proxy_delay))


def _is_ipv6(interface: Interface) -> bool:
    return interface.version == 6


def _links(router: Router) -> tuple[str, ...]:
    return (*(uplink.dev for uplink in router.uplinks), *(link.peer for link in router.links))
