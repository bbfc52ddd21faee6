"""Block lists, read again: the elements of their sets that differ, and nothing else.

The rest of the spec is compared without them, so that what else differs is known, and told. What is
wanted is the ruleset that was found, with other elements.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from attrs import evolve

from nftnsr.compile.guard import blocklist_sets
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.session import current
from nftnsr.spec.model import Router, Spec
from nftnsr.state.difference import difference
from nftnsr.state.model import Namespace, Set, State
from nftnsr.transaction import records
from nftnsr.transaction.apply import Refused
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.lockout import kept_out
from nftnsr.transaction.preflight import Obstacle
from nftnsr.transaction.remarks import Remark
from nftnsr.transaction.transact import Goal, Intent, Outcome, transact

Lists: TypeAlias = Mapping[str, tuple[Set, ...]]
"""The sets of the block lists, by the router's name."""


def reload_lists(machine: Machine, spec: Spec, *, cautious: bool = False) -> Outcome:
    """Make the sets of the block lists what their files say (Refused, Undone, UndoFailed).

    A `cautious` reload is refused where a list would shut out whoever works over the network.
    """
    routers = tuple(r for r in spec.routers if r.filter.blocklists)
    if not routers:
        return Outcome()
    intent, found = diff_intent(machine, Spec(tuple(map(_without_lists, routers))))
    lists = {router.name: tuple(blocklist_sets(router)) for router in routers}
    in_the_way = tuple(_not_applied(lists, found))
    if cautious:
        in_the_way = (*in_the_way, *kept_out(current(), routers, found))
    if in_the_way:
        raise Refused(in_the_way)
    spaces = {n: found[n].with_ruleset(_with(found[n], sets)) for n, sets in lists.items()}
    wanted = State({**found.namespaces, **spaces})
    kept = {name: records.read(name) for name in lists}
    goal = Goal(wanted, intent.goal.scope, State({}))
    remarks = _others(intent.goal, found, lists)
    return evolve(transact(machine, Intent("reload", goal, kept), found), remarks=tuple(remarks))


def _without_lists(router: Router) -> Router:
    """With lists that hold nothing."""
    empty = tuple(evolve(each, networks=()) for each in router.filter.blocklists)
    return evolve(router, filter=evolve(router.filter, blocklists=empty))


def _not_applied(lists: Lists, found: State) -> Iterator[Obstacle]:
    for name, sets in lists.items():
        if not any(each.key in found[name].by_key for each in sets):
            yield Obstacle(
                f'router "{name}": none of its block lists is loaded',
                "nftnsr apply loads them",
            )


def _with(space: Namespace, sets: Collection[Set]) -> Iterator[Set]:
    """The ruleset that was found, with the elements of `sets` where it has these."""
    elements = {each.key: each.elements for each in sets}
    for item in space.ruleset:
        if isinstance(item, Set) and item.key in elements:
            item = evolve(item, elements=elements[item.key])
        yield item  # type: ignore[misc]


def _others(goal: Goal, found: State, lists: Lists) -> Iterator[Remark]:
    """That something else differs, which is left as it is."""
    spaces = dict(goal.wanted.namespaces)
    for name, sets in lists.items():
        there = [found[name].by_key[s.key] for s in sets if s.key in found[name].by_key]
        spaces[name] = spaces[name].plus(there)
    if others := difference(State(spaces), found, goal.ours):
        number = (
            f"{len(others)} other things differ" if len(others) > 1 else "something else differs"
        )
        yield Remark(
            f"{number} from the spec, left as found", "nftnsr diff tells, nftnsr apply mends"
        )
