"""What is behind a router."""

from __future__ import annotations

from bisect import bisect_right

from ..draft import RouterDraft
from ..model import Address, Network
from .overlaps import bounds, merged


class Behind:
    """Which addresses are behind a router; a lookup costs the same however many networks.

    `whom` and `of` are how messages speak of what leads there.
    """

    def __init__(self, router: RouterDraft) -> None:
        links, further = router.links, router.inner.items
        self.whole = router.links_whole and all(
            link.networks.whole and link.addresses.whole for link in links
        )
        self.whom = "any inner link" if further else "the host"
        self.of = "the link that leads there" if further else "the host"
        networks: list[Network] = [item.value for link in links for item in link.networks]
        networks += [item.value.network for link in links for item in link.addresses]
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
        """Whether anything of `network` is behind the router."""
        first, last = bounds(network)
        index = bisect_right(self._firsts[network.version], last) - 1
        return index >= 0 and first <= self._lasts[network.version][index]

    def holds(self, network: Network) -> bool:
        """Whether all of `network` is behind the router."""
        first, last = bounds(network)
        index = bisect_right(self._firsts[network.version], first) - 1
        return index >= 0 and last <= self._lasts[network.version][index]
