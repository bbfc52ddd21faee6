"""Which of its own addresses the kernel takes for what it masquerades."""

from __future__ import annotations

from attrs import frozen

from nftnsr.state.model import Address, Address_, Namespace
from nftnsr.trace.packet import Packet


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
    """Its rules 1, 3, 5 and 8; labels (6) prefer none that the longest common prefix would not, of
    the addresses that the internet has today."""
    ip = address.interface.ip
    common = 128 - (int(ip) ^ int(to)).bit_length()
    return (
        int(ip == to),
        int(not address.deprecated),
        int(address.dev == dev),
        min(common, address.interface.network.prefixlen),
    )
