"""Whether a new connection would reach the host: asked of the spec alone, before it is applied."""

from __future__ import annotations

from nftnsr.compile.families import family
from nftnsr.compile.nat import target
from nftnsr.spec.model import Address, Forward, Router


def reaches_host(router: Router, client: Address, port: int) -> bool:
    """Whether some forward leads a TCP connection of `client` to the host's own `port`."""
    return any(_leads(router, forward, client, port) for forward in router.forward)


def stays_open(router: Router, client: Address, address: Address, port: int) -> bool:
    """Whether TCP from `client` to `port` of the host's own IPv6 `address` goes on to be let in."""
    each = family(router, address.version)
    if each is None or not any(address in network for network in each.open):
        return False
    if router.inbound_ipv6 == "open" or not router.forward_filter:
        return True
    return any(
        _allows(forward, client) and forward.protocol == "tcp" and _has(forward, port)
        for forward in router.forward
        if forward.target is None and forward.target_port is None
    )


def _leads(router: Router, forward: Forward, client: Address, port: int) -> bool:
    each = family(router, client.version)
    if each is None or forward.protocol != "tcp" or not _allows(forward, client):
        return False
    inside = target(forward, each)
    if inside is None or inside not in [i.ip for i in each.host]:
        return False
    return _has(forward, port) if forward.target_port is None else forward.target_port == port


def _allows(forward: Forward, client: Address) -> bool:
    if not forward.sources:
        return True
    return any(client in n for n in forward.sources if n.version == client.version)


def _has(forward: Forward, port: int) -> bool:
    return forward.ports.first <= port <= forward.ports.last
