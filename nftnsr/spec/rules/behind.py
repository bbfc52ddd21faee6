"""What is behind the host."""

from __future__ import annotations

from bisect import bisect_right

from ..draft import HostDraft
from ..model import Address, Network
from .overlaps import bounds, merged


class Behind:
    """Which addresses are behind the host; a lookup costs the same however many networks."""

    def __init__(self, host: HostDraft) -> None:
        networks: list[Network] = [item.value for item in host.networks]
        networks += [item.value.network for item in host.addresses]
        self._lasts: dict[int, list[int]] = {}
        self._firsts: dict[int, list[int]] = {}
        for version in (4, 6):
            ranges = merged(network for network in networks if network.version == version)
            self._firsts[version] = [first for first, _ in ranges]
            self._lasts[version] = [last for _, last in ranges]

    def __contains__(self, address: Address) -> bool:
        number, version = int(address), address.version
        index = bisect_right(self._firsts[version], number) - 1
        return index >= 0 and number <= self._lasts[version][index]

    def overlaps(self, network: Network) -> bool:
        """Whether anything of `network` is behind the host."""
        first, last = bounds(network)
        index = bisect_right(self._firsts[network.version], last) - 1
        return index >= 0 and first <= self._lasts[network.version][index]
