"""Helpers: of protocols whose connections tell the other end where further ones shall go.

The kernel reads along on the well-known port, puts translated addresses and ports into what it
reads, and expects the connections that are spoken of: they are `related`, which the forward filter
accepts, and are translated like the one that announced them.

The port is looked at after the destination was translated: it is the server's, whatever a forward
calls it. Where a forward leads from the well-known port to another one, what the client asked for
counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.spec.model import HELPER_PORTS, Helper, Protocol, Router
from nftnsr.state.model import Block, Chain
from nftnsr.state.words import TABLE

# After dstnat, and before the entry is confirmed, after which a helper cannot be set any more.
_HOOK = "type filter hook prerouting priority filter; policy accept;"


def objects(router: Router) -> Iterator[Block]:
    for helper in router.helpers:
        for protocol, _ in HELPER_PORTS[helper]:
            lines = (f'type "{helper}" protocol {protocol}', "l3proto inet")
            yield Block(TABLE, "ct helper", _name(helper, protocol), lines)


def chains(router: Router) -> Iterator[Chain]:
    if rules := tuple(_rules(router)):
        yield Chain(TABLE, "helpers", _HOOK, rules)


def _rules(router: Router) -> Iterator[str]:
    for helper in router.helpers:
        for protocol, port in HELPER_PORTS[helper]:
            assign = f'ct helper set "{_name(helper, protocol)}"'
            yield f"{protocol} dport {port} {assign}"
            if _moved(router, protocol, port):
                yield f"meta l4proto {protocol} ct original proto-dst {port} {assign}"


def _moved(router: Router, protocol: Protocol, port: int) -> bool:
    """Whether a forward leads from this port to another one."""
    return any(
        target.port_for(port, ports) != port
        for forward in router.forward
        if protocol in forward.protocols
        for ports in forward.ports
        if port in ports
        for target in forward.targets
    )


def _name(helper: Helper, protocol: Protocol) -> str:
    """A helper is of one transport protocol."""
    return f"{helper}_{protocol}"
