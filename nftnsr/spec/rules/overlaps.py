"""Finding what overlaps, by sweeps: sorted first, so that 60000 of them stay quick."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

from attrs import frozen

from ..model import Network

T = TypeVar("T", covariant=True)


@frozen
class Stretch(Generic[T]):
    """The numbers `first` to `last`, held by `owner`; `rank` is the order of the spec."""

    first: int
    last: int
    rank: int
    owner: T


def bounds(network: Network) -> tuple[int, int]:
    """The numbers of its first and last address, quicker than network[0] and network[-1]."""
    first = int(network.network_address)
    return first, first + (1 << (network.max_prefixlen - network.prefixlen)) - 1


def stretches(owners: Iterable[tuple[Network, T]]) -> list[Stretch[T]]:
    return [Stretch(*bounds(network), rank, owner) for rank, (network, owner) in enumerate(owners)]


def merged(networks: Iterable[Network]) -> list[tuple[int, int]]:
    """The addresses of these networks, of one family, as ranges in order, with a gap between."""
    ranges: list[tuple[int, int]] = []
    for first, last in sorted(map(bounds, networks)):
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], max(last, ranges[-1][1])
        else:
            ranges.append((first, last))
    return ranges


def overlapping(items: Iterable[Stretch[T]]) -> Iterator[tuple[T, T]]:
    """Each item that begins inside another, with that other; the one written first leads."""
    furthest: Stretch[T] | None = None
    for item in sorted(items, key=lambda item: (item.first, -item.last, item.rank)):
        if furthest is not None and item.first <= furthest.last:
            elder, younger = sorted((furthest, item), key=lambda item: item.rank)
            yield elder.owner, younger.owner
        if furthest is None or item.last > furthest.last:
            furthest = item


@frozen
class Area(Generic[T]):
    """The ports `first` to `last`, for the senders `low` to `high`."""

    first: int
    last: int
    low: int
    high: int
    rank: int
    owner: T


def clashing(areas: Iterable[Area[T]]) -> Iterator[tuple[Area[T], Area[T]]]:
    """Each area that overlaps an earlier one, with it, by a sweep over the ports.

    The areas that are open at a port never overlap in their senders, because of two that would
    only one stays open. So the neighbours by sender are all that a new one can meet.
    """
    lows: list[int] = []
    open_areas: list[Area[T]] = []
    ends: list[tuple[int, int]] = []
    for area in sorted(areas, key=lambda area: (area.first, area.rank)):
        while ends and ends[0][0] < area.first:
            _, low = heappop(ends)
            index = bisect_right(lows, low) - 1
            if index >= 0 and lows[index] == low and open_areas[index].last < area.first:
                del lows[index], open_areas[index]
        index = bisect_right(lows, area.low)
        met = next(
            (
                near
                for near in range(max(index - 1, 0), min(index + 1, len(lows)))
                if open_areas[near].low <= area.high and area.low <= open_areas[near].high
            ),
            None,
        )
        if met is None:
            lows.insert(index, area.low)
            open_areas.insert(index, area)
            heappush(ends, (area.last, area.low))
            continue
        other = open_areas[met]
        yield (other, area) if other.rank < area.rank else (area, other)
        same_senders = (other.low, other.high) == (area.low, area.high)
        if same_senders and area.last > other.last:
            open_areas[met] = area
            heappush(ends, (area.last, area.low))
