"""Which of its own addresses the kernel takes for what it masquerades."""

from __future__ import annotations

from ipaddress import IPv6Network

from attrs import frozen

from nftnsr.state.model import Address, Address_, Namespace
from nftnsr.trace.packet import Packet

# The default labels of net/ipv6/addrlabel.c (RFC 6724, section 2.1), the narrower first.
_LABELS = tuple(
    (IPv6Network(prefix), label)
    for prefix, label in (
        ("::1/128", 0), ("::/96", 3), ("::ffff:0:0/96", 4), ("2001:10::/28", 7),
        ("2001::/32", 6), ("fec0::/10", 11), ("2002::/16", 2), ("3ffe::/16", 12),
        ("fc00::/7", 5), ("::/0", 1),
    )
)  # fmt: skip


@frozen
class Sources:
    """The addresses of a namespace, in the order in which they were added."""

    addresses: tuple[Address, ...]

    @classmethod
    def of(cls, space: Namespace) -> Sources:
        return cls(tuple(i for i in space.items if isinstance(i, Address)))

    def masquerading(self, packet: Packet) -> Address_ | None:
        """The source of a packet that leaves by its link; None where that has no address."""
        to = packet.destination.address
        if to.version == 4:
            return self._nearest(packet.oif, packet.next_hop or to)
        return self._selected(packet.oif, to)

    def _nearest(self, dev: str, next_hop: Address_) -> Address_ | None:
        """The first one in whose network the next hop is, else the first (inet_select_addr)."""
        here = [a.interface for a in self.addresses if a.dev == dev and a.interface.version == 4]
        near = (i.ip for i in here if next_hop in i.network)
        return next(near, here[0].ip if here else None)

    def _selected(self, dev: str, to: Address_) -> Address_ | None:
        """As RFC 6724, section 5, has it (ipv6_dev_get_saddr); any link's address can be it."""
        # A link-local one has a smaller scope than any destination that is routed (rule 2).
        usable = [
            a for a in self.addresses
            if a.interface.version == 6 and not a.interface.is_link_local
        ]  # fmt: skip
        best = max(usable, key=lambda a: _preference(a, dev, to), default=None)
        return None if best is None else best.interface.ip


def _preference(address: Address, dev: str, to: Address_) -> tuple[int, ...]:
    ip = address.interface.ip
    common = 128 - (int(ip) ^ int(to)).bit_length()
    return (
        int(ip == to),  # rule 1
        int(not address.deprecated),  # rule 3
        int(address.dev == dev),  # rule 5
        int(_label(ip) == _label(to)),  # rule 6
        min(common, address.interface.network.prefixlen),  # rule 8
    )


def _label(address: Address_) -> int:
    return next(label for prefix, label in _LABELS if address in prefix)
