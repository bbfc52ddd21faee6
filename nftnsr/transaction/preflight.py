"""What would make an apply fail, or take something that is not ours, found before it starts."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from nftnsr.kernel.machine import Machine
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Link, State


@frozen
class Obstacle:
    """One reason not to start: the fact and the repair, in a sentence each."""

    message: str
    hint: str
    foreign: bool = False
    """Whether it is somebody else's thing of the same name, which says nothing about drift."""


def obstacles(machine: Machine, spec: Spec, wanted: State, found: State) -> tuple[Obstacle, ...]:
    """All that stands in the way of `spec`; nothing was touched yet."""
    return tuple(o for router in spec.routers for o in _router(machine, router, wanted, found))


def _router(machine: Machine, router: Router, wanted: State, found: State) -> Iterator[Obstacle]:
    name = router.name
    if name in found and not machine.is_ours(name):
        yield Obstacle(
            f"network namespace {name} exists and nftnsr did not make it",
            f"give the router another name, or look into it (ip -n {name} link) and delete it",
            foreign=True,
        )
        return
    if found[HOST].link(router.uplink) is None and found[name].link(router.uplink) is None:
        there = ", ".join(sorted(machine.link_names() - {"lo"})) or "none"
        yield Obstacle(
            f'router "{name}": there is no interface {router.uplink}',
            f"the interfaces here are: {there}",
        )
    for space in (HOST, name):
        yield from _taken(router, space, wanted, found)
    yield from _routes(machine, router, wanted, found)


def _taken(router: Router, space: str, wanted: State, found: State) -> Iterator[Obstacle]:
    """An interface of a name that nftnsr would give, made by somebody else."""
    for item in wanted[space].items:
        if (
            not isinstance(item, Link)
            or item.peer is None
            or item.peer[0] not in (HOST, router.name)
        ):
            continue
        there = found[space].link(item.name)
        # Our veth keeps its MAC even where somebody took its other end away.
        if there is not None and there.peer is None and there.mac != item.mac:
            where = "on this host" if space == HOST else f"in namespace {space}"
            yield Obstacle(
                f"interface {item.name} exists already {where} and nftnsr did not make it",
                f"choose another `interface` in [router.{router.name}.host], or delete that one",
                foreign=True,
            )


def _routes(machine: Machine, router: Router, wanted: State, found: State) -> Iterator[Obstacle]:
    """A default route of the host, over another link, that ours would replace."""
    links = {i.name for s in (wanted, found) for i in s[HOST].items if isinstance(i, Link)}
    for route in machine.routes_in_the_way(wanted[HOST], links | {router.uplink}):
        dev = ", ".join(sorted(route.devs))
        yield Obstacle(
            f"the host has a route {route.destination} over {dev} of the same metric",
            f"give it a metric, or set default_route = false in [router.{router.name}.host]",
        )
