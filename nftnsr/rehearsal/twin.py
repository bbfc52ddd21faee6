"""The twin of a host as that is at this moment, and not as the spec has it.

What lies behind the host (the networks and targets of the spec) is the rehearsal's own, so what
the host has of these is left out: everybody there must be somebody who answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from nftnsr.kernel import sysctl, wires
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.rehearsal.scene import Scene, Segment
from nftnsr.report.words import item_words
from nftnsr.spec.model import Network
from nftnsr.state.model import (
    Address,
    Item,
    Link,
    Namespace,
    Neighbour,
    PolicyRule,
    Route,
    Sysctl,
)


def stand_ins(live: Namespace, scene: Scene) -> tuple[Link, ...]:
    """The host's links, other than those that the scene has, on which anything depends."""
    own = {segment.uplink_wire.near.link for segment in scene.segments}
    made = (segment.uplink.made for segment in scene.segments)
    own |= {each.bridge for each in made if each is not None and each.bridge is not None}
    used = {a.dev for a in live.items if isinstance(a, Address)}
    used |= {dev for r in live.items if isinstance(r, Route) for dev in r.devs}
    links = (i for i in live.items if isinstance(i, Link) and i.name not in own)
    return tuple(link for link in links if link.name in used)


def settle(live: Namespace) -> None:
    """The settings that are of no link, in a namespace that has none yet."""
    settings = [i for i in live.items if isinstance(i, Sysctl) and not _of_link(i, live)]
    # Some belong to the machine, and cannot be set for one namespace.
    with suppress(KernelError):
        sysctl.write(settings)


def resemble(live: Namespace, scene: Scene) -> tuple[str, ...]:
    """Make the links that are there what they are on the host; what cannot be made so."""
    inside = tuple(i.network for i in (*scene.inner, *scene.stray))
    refused: list[str] = []
    with wires.rtnetlink() as rtnl:
        there = rtnl.links().keys()
        for item in _in_order(live, there, inside):
            try:
                _make(rtnl, item, live, there)
            except KernelError as error:
                refused.append(f"{item_words(item)}: {error}")
    return tuple(refused)


def absent(live: Namespace, segments: Iterable[Segment]) -> Iterator[str]:
    """The interfaces that a spec takes, or makes its uplink upon, and that the host has not."""
    for segment in segments:
        made = segment.uplink.made
        name = segment.uplink.dev if made is None else made.parent or made.bridge
        if name is not None and live.link(name) is None:
            yield name


def _in_order(
    live: Namespace, there: Collection[str], inside: Collection[Network]
) -> Iterator[Item]:
    """The items on links that are there, each after those that it depends on."""
    items = [i for i in live.items if _is_here(i, live, there) and not _is_inside(i, inside)]
    for kinds in ((Link,), (Sysctl,), (Address,), (Neighbour,)):
        yield from (i for i in items if isinstance(i, kinds))
    routes = [i for i in items if isinstance(i, Route)]
    # A next hop has to be on a link before there is a route to it.
    yield from sorted(routes, key=lambda r: any(hop.via is not None for hop in r.hops))
    yield from (i for i in items if isinstance(i, PolicyRule))


def _is_here(item: Item, live: Namespace, there: Collection[str]) -> bool:
    match item:
        case Link(name):
            return name in there
        case Address() | Neighbour():
            return item.dev in there
        case Route():
            return item.devs <= set(there)
        case Sysctl():
            return any(f"/{dev}/" in item.path for dev in there if live.link(dev) is not None)
        case _:
            return isinstance(item, PolicyRule)


def _is_inside(item: Item, inside: Collection[Network]) -> bool:
    match item:
        case Address():
            return any(item.interface.ip in network for network in inside)
        case Route():
            goal = item.destination
            return any(
                goal.version == n.version and goal.subnet_of(n)  # type: ignore[arg-type]
                for n in inside
            )
        case _:
            return False


def _make(rtnl: Rtnetlink, item: Item, live: Namespace, there: Collection[str]) -> None:
    match item:
        case Link(name):
            rtnl.set_link(item)
            if item.master is not None and item.master[1] in there:
                rtnl.set_master(name, item.master[1])
            rtnl.set_up(name, up=item.up)
        case Sysctl():
            sysctl.write([item])
        case Address():
            rtnl.add_address(item)
        case Neighbour():
            rtnl.add_neighbour(item)
        case Route():
            rtnl.add_route(item)
        case PolicyRule():
            rtnl.add_rule(item)


def _of_link(setting: Sysctl, live: Namespace) -> bool:
    return any(f"/{i.name}/" in setting.path for i in live.items if isinstance(i, Link))
