"""What would make an apply fail, or take something that is not ours, found before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from attrs import frozen

from nftnsr.kernel import scratch
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.modules import missing_translator
from nftnsr.report.words import namespace_words, sysctl_name
from nftnsr.spec.model import MadeUplink, Router, Spec, Uplink
from nftnsr.state.model import HOST, RT_MAIN, Link, Route, State, Sysctl
from nftnsr.transaction import records


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
    if found[name].nameless is not None and machine.exists(name):
        yield Obstacle(
            f"the router's namespace has lost its name {name}, lives on at "
            f"{found[name].nameless}, and another one is called so",
            f"delete that one (ip netns del {name}), or give it another name",
        )
    elif machine.exists(name) and (name not in found or found[name].foreign):
        yield Obstacle(
            f"network namespace {name} exists and nftnsr did not make it",
            f"give the router another name, or look into it (ip -n {name} link) and delete it",
            foreign=True,
        )
        return
    yield from _settings(router)
    yield from _helpers(router)
    for uplink in router.uplinks:
        if uplink.made is not None:
            yield from _unmakeable(machine, router, uplink.made, wanted)
            continue
        if found[HOST].link(uplink.dev) is None and found[name].link(uplink.dev) is None:
            yield _no_uplink(machine, router, uplink)
        yield from _enslaved(uplink.dev, found)
        yield from name_taken(machine, uplink.dev, found, name)
    places = dict.fromkeys(link.namespace or HOST for link in router.links)
    for place in places:
        if place != HOST and (unusable := _unusable(machine, router, place)):
            yield unusable
            continue
        yield from _taken(machine, router, place, wanted, found)
        yield from _routes(machine, router, place, wanted, found)
    yield from _taken(machine, router, name, wanted, found)


def _settings(router: Router) -> Iterator[Obstacle]:
    """Settings that this kernel does not take; those that are implied, every kernel has."""
    said = tuple(Sysctl(each.path, each.value) for each in router.sysctls)
    for setting, reason in scratch.refused(said) if said else ():
        what = f"sysctl {sysctl_name(setting.path)} = {setting.value}"
        yield Obstacle(
            f'router "{router.name}": {what}: {reason}',
            f"change `sysctls` in [router.{router.name}]",
        )


def _helpers(router: Router) -> Iterator[Obstacle]:
    """Helpers that would let the other end be told a private address."""
    for helper in router.helpers:
        if module := missing_translator(helper):
            yield Obstacle(
                f'router "{router.name}": helper "{helper}" needs the kernel module {module}, '
                "which is not loaded",
                f"`modprobe {module}` loads it, the line {module} in "
                "/etc/modules-load.d/nftnsr.conf at every boot",
            )


def _no_uplink(machine: Machine, router: Router, uplink: Uplink) -> Obstacle:
    kept = records.read(router.name)
    before = kept.before[HOST].link(uplink.dev) if kept is not None else None
    there = ", ".join(sorted(machine.link_names() - {"lo"})) or "none"
    hint = f"the interfaces here are: {there}"
    if before is None or before.mac is None:
        return Obstacle(f'router "{router.name}": there is no interface {uplink.dev}', hint)
    return Obstacle(
        f'router "{router.name}": there is no interface {uplink.dev} any more, nor one of its '
        f"address {before.mac} under another name",
        f"{hint}; nftnsr down {router.name} cleans up what the router left",
    )


def _unmakeable(
    machine: Machine, router: Router, made: MadeUplink, wanted: State
) -> Iterator[Obstacle]:
    """What an uplink shall be made upon, or put into, is not there, or this kernel makes none."""
    on = made.parent or made.bridge or ""
    what = "interface" if made.bridge is None else "bridge"
    if on not in machine.link_names():
        there = ", ".join(sorted(machine.link_names() - {"lo"})) or "none"
        hint = f"the interfaces here are: {there}"
        yield Obstacle(f'router "{router.name}": there is no {what} {on} on this host', hint)
    elif made.bridge is not None and not machine.is_bridge(on):
        yield Obstacle(f'router "{router.name}": interface {on} is no bridge', "name a bridge")
    link = wanted[router.name].link(made.name)
    if link is not None and link.lower is not None and (reason := scratch.cannot_make(link)):
        hint = "load its module, or choose another kind of uplink: macvlan, or veth into a bridge"
        yield Obstacle(f'router "{router.name}": {reason}', hint)


def _enslaved(uplink: str, found: State) -> Iterator[Obstacle]:
    link = found[HOST].link(uplink)
    if link is not None and link.master is not None:
        kind, master = link.master
        yield Obstacle(
            f"interface {uplink} belongs to {kind} {master}, which would lose it",
            f"configure it as an interface of its own; `ip link set dev {quote(uplink)} nomaster` "
            f"takes it out now, and cuts off what is reached over {master}",
        )


def name_taken(machine: Machine, uplink: str, found: State, goes_to: str) -> Iterator[Obstacle]:
    """Another link that has the name of an uplink, where that is or shall be."""
    for space, items in found.namespaces.items():
        link = items.link(uplink)
        if link is None or link.made:
            continue
        for where in {space, goes_to} & found.namespaces.keys():
            itself = where == space and link.called == uplink
            if not itself and uplink in machine.link_names(where):
                yield Obstacle(
                    f"the interface that was {uplink} is {link.called} in {namespace_words(space)} "
                    f"now, and another one is {uplink} in {namespace_words(where)}",
                    "give that one another name: "
                    f"{ip_words(where, found)} link set dev {quote(uplink)} name NAME",
                )


def ip_words(namespace: str, found: State) -> str:
    """How to run ip(8) in a namespace, also in one that has lost its name."""
    if namespace == HOST:
        return "ip"
    path = found[namespace].nameless
    return f"ip -n {quote(namespace)}" if path is None else f"nsenter --net={path} ip"


def _unusable(machine: Machine, router: Router, place: str) -> Obstacle | None:
    """Why no inner link can lead to a namespace that should be somebody else's."""
    if not machine.exists(place):
        fact = f"there is no network namespace {place}"
        repair = f"make it (ip netns add {quote(place)}), or take out what leads there"
    elif machine.is_ours(place):
        fact = f"network namespace {place} is that of a router"
        repair = "name one of somebody else's"
    elif machine.identity(place) == machine.identity(HOST):
        fact, repair = f"network namespace {place} is the host's own", "leave `namespace` out"
    else:
        return None
    return Obstacle(f'router "{router.name}": {fact}', repair)


def _table(router: Router, space: str, dev: str | None) -> str:
    """The table of a spec that speaks of a link of ours in a namespace."""
    for link in router.inner:
        if (space, dev) in ((link.namespace or HOST, link.interface), (router.name, link.peer)):
            return f"[router.{router.name}.inner.{link.name}]"
    return f"[router.{router.name}.host]"


def _taken(
    machine: Machine, router: Router, space: str, wanted: State, found: State
) -> Iterator[Obstacle]:
    """An interface of a name that nftnsr would give, made by somebody else."""
    there = machine.link_names(space) if space in found or space == HOST else frozenset()
    for item in wanted[space].items:
        if not isinstance(item, Link) or not item.made:
            continue
        if space != router.name and item.peer is not None and item.peer[0] != router.name:
            continue  # another router's
        if item.name in there and found[space].link(item.name) is None:
            where = "on this host" if space == HOST else f"in namespace {space}"
            yield Obstacle(
                f"interface {item.name} exists already {where} and nftnsr did not make it",
                f"choose another `interface` in {_table(router, space, item.name)}, or delete that "
                "one",
                foreign=True,
            )


def _routes(
    machine: Machine, router: Router, place: str, wanted: State, found: State
) -> Iterator[Obstacle]:
    """A default route there, over another link, that ours would replace."""
    links = {
        dev for s in (wanted, found) for i in s[place].items if isinstance(i, Link)
        for dev in (i.name, i.called)
    }  # fmt: skip
    links |= {uplink.dev for uplink in router.uplinks} if place == HOST else set()
    who = "the host" if place == HOST else namespace_words(place)
    for route in machine.routes_in_the_way(place, wanted[place], links):
        over = f" over {', '.join(sorted(route.devs))}" if route.devs else ""
        main = route.table == RT_MAIN
        where = "" if main else f" in table {route.table}"
        instead = "set default_route = false" if main else "write another `table`"
        ours = (i for i in wanted[place].items if isinstance(i, Route) and i.place == route.place)
        devs = (dev for each in ours for dev in sorted(each.devs))
        yield Obstacle(
            f"{who} has a route {route.destination}{over}{where} of the same metric",
            f"give it a metric, or {instead} in {_table(router, place, next(devs, None))}",
        )
