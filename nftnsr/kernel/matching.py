"""Which packets the flows of a ruleset mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from nftnsr.state.flows import Flows
from nftnsr.state.model import Address_


@frozen
class Tuple:
    """One direction of a flow, as the entry's first packet, or the answer to it, shows it."""

    protocol: str
    source: Address_
    source_port: int
    destination: Address_
    port: int

    @property
    def turned(self) -> Tuple:
        """What the answer to it looks like where nothing is translated."""
        return Tuple(self.protocol, self.destination, self.port, self.source, self.source_port)


def looks(packet: Tuple, flows: Flows) -> bool:
    return (
        flows.protocol in (None, packet.protocol)
        and (flows.ports is None or flows.ports[0] <= packet.port <= flows.ports[1])
        and (not flows.destinations or packet.destination in flows.destinations)
        and (flows.source is None or packet.source in flows.source)
        and (flows.into is None or packet.destination in flows.into)
    )


class Index:
    """Flows, found by port where they have a single one."""

    def __init__(self, flows: Iterable[Flows]) -> None:
        self._by_port: dict[int, list[Flows]] = {}
        self._wide: list[Flows] = []
        for each in flows:
            if each.ports is not None and each.ports[0] == each.ports[1]:
                self._by_port.setdefault(each.ports[0], []).append(each)
            else:
                self._wide.append(each)

    def near(self, packet: Tuple) -> Iterator[Flows]:
        """Those that can be meant by a packet to this port."""
        yield from self._by_port.get(packet.port, ())
        yield from self._wide
