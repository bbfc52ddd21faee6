"""Whether a new connection would reach the host: asked of the spec alone, before it is applied."""

from __future__ import annotations

from nftnsr.compile.families import Family, family
from nftnsr.compile.ways import Way, untranslated, ways
from nftnsr.spec.model import Address, Router, Target


def reaches_host(router: Router, client: Address, server: Address, port: int) -> bool:
    """Whether some forward of `server` leads a TCP connection of `client` to the host's `port`.

    `server` is the address that the client talks to; an address of the host stands for any
    public one.
    """
    each = family(router, client.version)
    if each is None:
        return False
    if server in each.alone:
        hosts = _hosts(each)
        return any(p.public == server and p.inner in hosts for p in router.one_to_one)
    return any(_leads(found, client, server, port) for found in ways(router, each))


def stays_open(router: Router, client: Address, address: Address, port: int) -> bool:
    """Whether TCP from `client` to `port` of the host's own IPv6 `address` goes on to be let in."""
    each = family(router, address.version)
    if each is None or not any(address in network for network in each.open):
        return False
    if router.inbound_ipv6 == "open" or not router.forward_filter:
        return True
    here = [w for w in ways(router, each) if w.forward.to_host and not w.addresses]
    here += [w for w in untranslated(router, each) if address in w.addresses]
    return any(_allows(w, client) and any(port in ports for ports in w.forward.ports) for w in here)


def _hosts(each: Family) -> frozenset[Address]:
    """The host's addresses, at the ends of all links that lead to it."""
    sides = (side for side in each.sides if side.link.namespace is None)
    return frozenset(i.ip for side in sides for i in side.far)


def _leads(way: Way, client: Address, server: Address, port: int) -> bool:
    if not _allows(way, client):
        return False
    if way.addresses and server not in way.addresses and server in way.each.shared:
        return False
    # Of several targets any may be chosen: all must be the host.
    hosts = _hosts(way.each)
    return all(ip in hosts and _arrives(way, target, port) for ip, target in way.targets)


def _arrives(way: Way, target: Target, port: int) -> bool:
    return any(port in (target.ports or ports) for ports in way.forward.ports)


def _allows(way: Way, client: Address) -> bool:
    if "tcp" not in way.forward.protocols:
        return False
    return not way.sources or any(client in network for network in way.sources)
