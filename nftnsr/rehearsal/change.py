"""The rehearsal of a change: what becomes of flows that are under way when a spec replaces another.

The old spec is applied, flows go through everything that it promises (a bounded sample), the new
one is applied over it by the same transaction as on the real machine, and each flow is judged by
what the two specs say of it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import assert_never

from attrs import frozen

from nftnsr.rehearsal import expectations
from nftnsr.rehearsal.fates import Fate, fate, way_of
from nftnsr.rehearsal.merged import pairs
from nftnsr.rehearsal.outcome import Result, Untried
from nftnsr.rehearsal.probes import Reach
from nftnsr.rehearsal.scene import Scene
from nftnsr.rehearsal.traffic import PULSE, Arrival, Log, Traffic
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Router, Spec

ENOUGH = 4
"""Flows of a kind (where from, protocol, family, fate): more would only slow one another."""


@frozen
class Flow:
    """A flow that got to a server, and what must become of it."""

    reach: Reach
    first: Arrival
    fate: Fate


@frozen
class Span:
    """From before the new spec is applied to when that is done, by the monotonic clock."""

    start: float
    end: float


def apply_over(
    world: World, old: Spec, new: Spec, apply: Callable[[], object]
) -> tuple[tuple[Result, ...], tuple[Untried, ...]]:
    """Apply the new spec while flows go on, and tell what became of each."""
    routers = {r.name: (r, n) for r, n in pairs(old, new)}
    world.answer_through_other_routers()
    world.let_out_either()
    reaches, untried = _candidates(world.scene, routers)
    with Traffic(world, reaches) as traffic:
        start = time.monotonic()
        apply()
        end = time.monotonic()
        flows = {
            number: Flow(reaches[number], first, _fate(reaches[number], first, routers))
            for number, first in traffic.began.items()
        }
        logs = traffic.end([n for n, flow in flows.items() if flow.fate == "goes on"])
    results = (
        _result(reach, flows.get(number), logs[number], Span(start, end))
        for number, reach in enumerate(reaches)
    )
    return (*results, *_leaks(world, routers)), untried


def _candidates(
    scene: Scene, routers: Mapping[str, tuple[Router, Router]]
) -> tuple[tuple[Reach, ...], tuple[Untried, ...]]:
    """Of the flows that the old spec promises, as many of each kind as are enough."""
    groups: dict[object, list[Reach]] = defaultdict(list)
    untried: list[Untried] = []
    places = [segment.itself for segment in scene.segments]
    for probe in expectations.probes(scene):
        if not isinstance(probe, Reach) or probe.expect is None or probe.server.place in places:
            continue
        way = way_of(probe, routers[probe.router][0])
        if way is not None and way.forward.limit is not None:
            reason = "a flow would count against the limit of those who try the forward afterwards"
            untried.append(Untried(probe.router, f"flows through {way.forward.text}", reason))
            continue
        becomes = _fate(probe, _expected(probe), routers)
        groups[probe.kind, probe.server.protocol, probe.address.version, becomes].append(probe)
    chosen = tuple(reach for group in groups.values() for reach in _spread(group))
    return chosen, tuple(dict.fromkeys(untried))


def _spread(group: Sequence[Reach]) -> Iterator[Reach]:
    """`ENOUGH` of a group, from its first to its last."""
    count = min(ENOUGH, len(group))
    return (group[number * len(group) // count] for number in range(count))


def _expected(reach: Reach) -> Arrival:
    """The first pulse of a flow as it should arrive."""
    clients = reach.expect.clients if reach.expect is not None else ()
    seen = clients[0] if clients else reach.server.address
    address = seen if isinstance(seen, IPv4Address | IPv6Address) else seen.network_address
    return Arrival(0.0, reach.server, address)


def _fate(reach: Reach, first: Arrival, routers: Mapping[str, tuple[Router, Router]]) -> Fate:
    old, new = routers[reach.router]
    return fate(reach, first.server, first.client, old, new)


def _result(reach: Reach, flow: Flow | None, log: Log, span: Span) -> Result:
    if flow is None:
        seen = f"it never began: {log.error or 'no answer'}"
        return Result(reach.router, "flow", reach.name, "it goes on", seen, False, 0.0)
    lasted = [a for a in log.arrivals if a.sent > span.end and _same(a, flow.first)]
    answered = any(asked > span.end for asked, _ in log.answers)
    still = _standstill(log, span) if lasted and answered else 0.0
    if lasted and answered:
        seen = f"went on, stood still {still:.0f} ms"
    elif lasted:
        seen = f"gets to {flow.first.server}, but no answer comes back"
    else:
        seen = f"ended: {_reason(log, flow, span)}"
    match flow.fate:
        case "goes on":
            expected, ok = "it goes on", bool(lasted and answered)
        case "ends":
            expected, ok = f"nothing more of it gets to {flow.first.server}", not lasted
        case "either":
            expected, ok = "of a flow that has begun nothing is promised", True
        case _:
            assert_never(flow.fate)
    return Result(reach.router, "flow", reach.name, expected, seen, ok, still)


def _same(arrival: Arrival, first: Arrival) -> bool:
    return (arrival.server, arrival.client) == (first.server, first.client)


def _reason(log: Log, flow: Flow, span: Span) -> str:
    """What became of what was said after the change."""
    for arrival in log.arrivals:
        if arrival.sent > span.end:
            return f"what it says gets to {arrival.server} from {arrival.client}"
    return log.error or "no answer"


def _standstill(log: Log, span: Span) -> float:
    """The longest time without an answer, in ms, beyond that from one pulse to the next."""
    times = [came for _, came in log.answers]
    gaps = (after - before for before, after in pairwise(times) if after > span.start)
    return max(0.0, max(gaps, default=0.0) - PULSE) * 1000


def _leaks(world: World, routers: Mapping[str, tuple[Router, Router]]) -> Iterator[Result]:
    """What left meanwhile with an address that neither spec lets out."""
    for segment in world.scene.segments:
        _, new = routers[segment.router.name]
        if segment.uplink.name not in [uplink.name for uplink in new.uplinks]:
            continue  # It is back at the host, who may send what he likes.
        name = f"sources that neither spec lets out by {segment.way}, while the new one was applied"
        leaked = world.leaked(segment.name)
        sources = [f"{source} ({number} packets)" for source, number in leaked.items()]
        seen = f"left: {', '.join(sources)}" if sources else "none"
        yield Result(segment.router.name, "leak", name, "none", seen, not sources, 0.0)
