"""Choosing addresses that the spec does not use, for those who only take part in a rehearsal."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from nftnsr.spec.model import Address, Network

EVERYWHERE: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}

# For documentation and benchmarks only (RFC 5737, 2544, 3849), so no spec needs them for itself.
_SPARE: dict[int, tuple[Network, ...]] = {
    4: (
        *map(IPv4Network, ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")),
        *IPv4Network("198.18.0.0/15").subnets(new_prefix=24),
    ),
    6: tuple(IPv6Network((0x20010DB8 << 96 | n << 80, 48)) for n in range(0xFFFF, 0xFF00, -1)),
}
_UNUSABLE: tuple[Network, ...] = (
    *map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")),
    *map(IPv6Network, ("::/8", "fe80::/9", "ff00::/8")),
)


def joined(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The same addresses in as few networks as can be, sorted in each family."""
    every = tuple(networks)
    return tuple(n for version in (4, 6) for n in _collapsed(every, version))


def free(network: Network, taken: Iterable[Network]) -> Address | None:
    """The lowest address of `network` that a host can have and that is in none of `taken`."""
    # The first and the last address of a network are no host's, where there is room for that.
    roomy = network.num_addresses > 2
    candidate = network[1] if roomy else network[0]
    for block in _collapsed((*taken, *_UNUSABLE), network.version):
        if candidate in block:
            if int(block.broadcast_address) >= int(network.broadcast_address):
                return None
            candidate = block.broadcast_address + 1
    return None if roomy and candidate == network.broadcast_address else candidate


def spare(version: int, taken: Iterable[Network]) -> Address:
    """An address in a network that overlaps with none of `taken`."""
    same = [t for t in taken if t.version == version]
    for network in _SPARE[version]:
        if not any(network.overlaps(t) for t in same):
            return network[1]
    # A spec can name the whole internet as a source: then nothing is spare.
    return free(EVERYWHERE[version], same) or _SPARE[version][0][1]


def single(address: Address) -> Network:
    """The network that is this one address."""
    return ip_network(address)


def _collapsed(networks: Iterable[Network], version: int) -> list[Network]:
    same = [n for n in networks if n.version == version]
    return sorted(collapse_addresses(same))  # type: ignore[type-var]
