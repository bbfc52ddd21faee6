"""What this kernel makes of something, tried in a scratch namespace that nobody else sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from attrs import evolve

from nftnsr.kernel import nftables, sysctl
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.state.model import HOST, Item, Link, Namespace, PolicyRule, State, Sysctl

T = TypeVar("T")


def normal_form(wanted: State) -> State:
    """`wanted` in the words in which this kernel answers; its rulesets are proved to load."""
    return State({n: _normal(n, space) for n, space in wanted.namespaces.items()})


def refused(settings: Iterable[Sysctl]) -> tuple[tuple[Sysctl, str], ...]:
    """Settings that a new namespace does not take, with the reasons."""
    with Room.scratch() as room:
        return room.run(lambda: tuple(sysctl.trial(settings)))


def usual(paths: Iterable[str]) -> tuple[Sysctl, ...]:
    """What these settings are in a new namespace."""
    with Room.scratch() as room:
        return room.run(lambda: tuple(sysctl.usual(paths)))


def cannot_make(link: Link) -> str | None:
    """Why this kernel makes no such link upon another."""

    def attempt(rtnetlink: Rtnetlink) -> str | None:
        try:
            rtnetlink.try_lower(link)
        except KernelError as error:
            return str(error)
        return None

    return _with_rtnetlink(attempt)


def _normal(name: str, space: Namespace) -> Namespace:
    own = name != HOST and not space.foreign
    items = (*space.items, *_usual_rules()) if own else space.items
    if not sysctl.has_ipv6():
        # A kernel without IPv6 needs none of it switched off.
        items = tuple(i for i in items if not _speaks_of_ipv6(i))
    return evolve(space, items=items).with_ruleset(nftables.normal_form(space.ruleset))


def _usual_rules() -> tuple[PolicyRule, ...]:
    """The rules of a new namespace: without them its tables are not looked into."""
    return _with_rtnetlink(lambda r: tuple(rule for rule in r.rules() if rule.by_kernel))


def _speaks_of_ipv6(item: Item) -> bool:
    return isinstance(item, Sysctl) and item.path.startswith("net/ipv6/")


def _with_rtnetlink(function: Callable[[Rtnetlink], T]) -> T:
    def run() -> T:
        rtnetlink = Rtnetlink()
        try:
            return function(rtnetlink)
        finally:
            rtnetlink.close()

    with Room.scratch() as room:
        return room.run(run)
