"""What an apply means for the memory of a router: what the host had, and gets back.

Each uplink is remembered by itself: of several, one may come, go or stay as another one does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_interface

from attrs import evolve, frozen

from nftnsr.compile import compile_far, compile_router
from nftnsr.compile.families import families
from nftnsr.compile.handover import places
from nftnsr.compile.routing import default_routes
from nftnsr.spec.model import Router, Uplink
from nftnsr.state.model import (
    HOST,
    RULESET,
    Address,
    Item,
    Link,
    Namespace,
    Neighbour,
    Route,
    State,
    Sysctl,
    Table,
)
from nftnsr.transaction.records import Record

_KEPT = ("mac", "mtu", "queue_length", "alias", "altnames", "arp", "multicast")


@frozen
class Change:
    """What an apply means for the memory of one router."""

    record: Record
    released: tuple[Item, ...] = ()
    """What the host gets back because the router does not use an uplink any more."""

    @classmethod
    def of(
        cls,
        router: Router,
        old: Record | None,
        found: State,
        host: Namespace,
        shapes: tuple[Link, ...],
    ) -> Change:
        """`host` is what the router wants in the host's namespace."""
        earlier = Namespace() if old is None else old.before[HOST]
        before = [i for uplink in router.moved for i in _before(router, uplink, earlier, found)]
        devs = {uplink.dev for uplink in router.moved}
        rest = [i for i in earlier.items if not any(on(i, dev) for dev in devs)]
        # Routes in whose place the router's own are now (the default) come back with `down` only.
        taken = {i.place for i in host.items if isinstance(i, Route)}
        withheld = [i for i in rest if isinstance(i, Route) and i.place in taken]
        released = tuple(i for i in rest if i not in withheld)
        record = Record(router.name, only_host((*before, *withheld)), applied(router), taken=shapes)
        return cls(record, released)


def _before(router: Router, uplink: Uplink, earlier: Namespace, found: State) -> Iterator[Item]:
    """What the host had of an uplink, or has of it now that it is to be taken."""
    dev = uplink.dev
    here = [i for i in found[HOST].items if on(i, dev)]
    configured = any(isinstance(i, Address) and not i.interface.is_link_local for i in here)
    if earlier.link(dev) is not None and not configured:
        # What the host had before the first apply stays remembered through all later ones,
        # and through a reboot after which nobody configured the uplink.
        yield from (i for i in earlier.items if on(i, dev))
    else:
        yield from here or _assumed(router, uplink)


def assumed(router: Router) -> tuple[Item, ...]:
    """What the host had before, told from the spec alone: better than to leave it unreachable."""
    return tuple(i for uplink in router.moved for i in _assumed(router, uplink))


def _assumed(router: Router, uplink: Uplink) -> Iterator[Item]:
    yield Link(uplink.dev)
    for each in families(router):
        mine = tuple(i for i in each.public if i in uplink.addresses)
        if each.version == 6 and mine:
            length = mine[0].network.prefixlen
            near = [i for i in each.host if i.ip in mine[0].network]
            mine = tuple(ip_interface((i.ip, length)) for i in near) or mine
        yield from (Address(uplink.dev, i) for i in mine)
    yield from default_routes(uplink)


def shapes(router: Router, old: Record | None, found: State) -> tuple[Link, ...]:
    """How the uplinks were when they were taken, or are now that they are to be taken."""
    known = {} if old is None else {link.name: link for link in old.taken}
    shaped = (_shape(router, uplink.dev, known.get(uplink.dev), found) for uplink in router.moved)
    return tuple(link for link in shaped if link is not None)


def _shape(router: Router, dev: str, taken: Link | None, found: State) -> Link | None:
    here = found[router.name].link(dev)
    if here is None:
        return found[HOST].link(dev) or taken
    return taken or here


def shaped(compiled: State, router: Router, shapes: Iterable[Link]) -> State:
    """The wanted uplinks: what the spec does not say of one stays as it was when it was taken."""
    links = []
    for shape in shapes:
        link = compiled[router.name].link(shape.name)
        assert link is not None
        kept = {w: getattr(shape, w) for w in _KEPT if getattr(link, w) is None}
        links.append(evolve(link, **kept))
    return State({router.name: Namespace(tuple(links))} if links else {})


def only_host(items: tuple[Item, ...]) -> State:
    return State({HOST: Namespace(items)})


def applied(router: Router) -> State:
    """Where the router lives, for a later observation: everything but the ruleset's contents."""
    space = compile_router(router)
    kept = tuple(i for i in space.items if not isinstance(i, RULESET) or isinstance(i, Table))
    lives = State({router.name: Namespace(kept)})
    return State.union((compile_far(router), lives, places(router)))


def on(item: Item, dev: str) -> bool:
    """Whether it is a link, or something on it."""
    match item:
        case Link(name):
            return name == dev
        case Address() | Neighbour():
            return item.dev == dev
        case Route():
            return dev in item.devs
        case Sysctl(path, _):
            return f"/{dev}/" in path
        case _:
            return False
