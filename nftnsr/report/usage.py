"""What came through each forward, from the kernel's counters and its table of connections.

All of it is told by family, public protocol and port: forwards that share a port (each for other
senders, say) share what is counted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from attrs import define, field, frozen

from nftnsr.compile.accounting import RANGES, SINGLES, Service, services
from nftnsr.spec.model import Ports, Router
from nftnsr.state.ruleset import Counter, natural

_PORTS = re.compile(r"(\d+)(?:-(\d+))?")
_FAMILY = re.compile(r"_(ipv[46])(?:_|$)")

Flows = Mapping[tuple[str, str, int], int]
"""Family, protocol and public port of the flows that there are now, to their number."""


@frozen
class Usage:
    """What came through one forward since its elements were loaded.

    `packets` and `bytes` are None where the spec does not ask for `counters`.
    """

    forward: str
    name: str | None
    connections: int
    packets: int | None
    bytes: int | None
    flows: int

    @property
    def label(self) -> str:
        return self.name or self.forward


def usage(router: Router, counters: Iterable[Counter], flows: Flows) -> tuple[Usage, ...]:
    """Of each forward that translates, in the order of the spec: of others nothing is counted."""
    counted = _Counted.of(counters)
    found = ((f.text, f.name, services(router, f)) for f in router.forward if f.nat)
    return tuple(counted.usage(text, name, all_of, flows) for text, name, all_of in found)


def usage_without_spec(counters: Iterable[Counter], flows: Flows) -> tuple[Usage, ...]:
    """Of each element of the translation maps: all that can be told without the spec."""
    counters = tuple(counters)
    counted = _Counted.of(counters)
    forwards: dict[str, dict[Service, None]] = defaultdict(dict)
    for name, match, target, *_ in counters:
        if target and (service := _service(name, match)):
            text = f"{service.ports}/{service.protocol} -> {_target(target)}"
            forwards[text][service] = None
    ordered = sorted(forwards.items(), key=lambda item: natural(item[0]))
    return tuple(counted.usage(text, None, tuple(all_of), flows) for text, all_of in ordered)


@define
class _Sum:
    """Packets and bytes by service."""

    _of: dict[Service, tuple[int, int]] = field(factory=dict)
    _starts: dict[tuple[str, str], list[tuple[int, int]]] = field(factory=dict)
    """First and last ports of all that was counted, in order, once somebody asked for a range."""

    def add(self, service: Service, packets: int, octets: int) -> None:
        before, held = self._of.get(service, (0, 0))
        self._of[service] = (before + packets, held + octets)

    def within(self, services: Iterable[Service]) -> tuple[int, int]:
        parts = [self._of.get(p, (0, 0)) for s in services for p in self._parts(s)]
        return sum(p for p, _ in parts), sum(o for _, o in parts)

    def _parts(self, service: Service) -> Iterator[Service]:
        """What was counted of a service: a range may be counted in parts, or port by port."""
        if service.ports.single:
            yield service
            return
        family, protocol, ports = service.family, service.protocol, service.ports
        at = self._sorted().get((family, protocol), [])
        for first, last in at[bisect_left(at, (ports.first, 0)) :]:
            if first > ports.last:
                return
            if last <= ports.last:
                yield Service(family, protocol, Ports(first, last))

    def _sorted(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        if not self._starts:
            for each in sorted(self._of, key=lambda s: (s.ports.first, s.ports.last)):
                at = self._starts.setdefault((each.family, each.protocol), [])
                at.append((each.ports.first, each.ports.last))
        return self._starts


@define
class _Counted:
    """The counters of a router: its translation maps count connections, the others packets."""

    _connections: _Sum = field(factory=_Sum)
    _singles: _Sum = field(factory=_Sum)
    _ranges: _Sum = field(factory=_Sum)
    _is_counted: bool = False

    @classmethod
    def of(cls, counters: Iterable[Counter]) -> _Counted:
        made = cls()
        sums = {SINGLES: made._singles, RANGES: made._ranges}
        for name, match, target, packets, octets in counters:
            made._is_counted |= name in sums
            # Of the sets only those two are ours to read; what a map counts are connections.
            total = sums.get(name, made._connections if target else None)
            if total is not None and (service := _service(name, match)) is not None:
                total.add(service, packets, octets)
        return made

    def usage(
        self, text: str, name: str | None, services: tuple[Service, ...], flows: Flows
    ) -> Usage:
        connections, _ = self._connections.within(services)
        now = sum(number for s in services for number in _numbers(s, flows))
        if not self._is_counted:
            return Usage(text, name, connections, None, None, now)
        singles = self._singles.within(s for s in services if s.ports.single)
        ranges = self._ranges.within(s for s in services if not s.ports.single)
        packets, octets = (one + other for one, other in zip(singles, ranges, strict=True))
        return Usage(text, name, connections, packets, octets, now)


def _numbers(service: Service, flows: Flows) -> Iterator[int]:
    if service.ports.single:
        yield flows.get((service.family, service.protocol, service.ports.first), 0)
        return
    ports = range(service.ports.first, service.ports.last + 1)
    for (family, protocol, port), number in flows.items():
        if (family, protocol) == (service.family, service.protocol) and port in ports:
            yield number


def _service(name: str, match: str) -> Service | None:
    """What an element speaks of; its family is in its key, or in the name of its map."""
    *before, protocol, ports = ("", *match.split(" . "))[-3:]
    found = _FAMILY.search(name)
    family = found[1] if found else "".join(before)
    numbers = _PORTS.fullmatch(ports)
    if numbers is None or not family.startswith("ipv"):
        return None
    first = int(numbers[1])
    return Service(family, protocol, Ports(first, int(numbers[2] or first)))  # type: ignore[arg-type]


def _target(value: str) -> str:
    address, *port = value.split(" . ")
    bracketed = f"[{address}]" if ":" in address else address
    return ":".join((bracketed, *port))
