"""One look at a router, and one try to heal it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from attrs import frozen

from nftnsr.compile import compile_router
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.nftables import normal_form
from nftnsr.kernel.scope import Scope
from nftnsr.spec.model import Router, Spec
from nftnsr.state.difference import difference
from nftnsr.state.model import HOST, Address_
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import apply_spec
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.journal import Entry
from nftnsr.transaction.lock import holder, lock
from nftnsr.transaction.lockout import lockouts
from nftnsr.transaction.preflight import Obstacle, obstacles
from nftnsr.transaction.records import RecordError
from nftnsr.transaction.transact import Outcome, recover
from nftnsr.watch.events import (
    Drift,
    InSync,
    NotApplied,
    Reason,
    Situation,
    Unclear,
    Unfinished,
    Waiting,
)

# A look at what goes away in the same moment can fail; the next one sees it gone.
_LOOKS = 3
_LOOK_SECONDS = 0.05


@frozen
class View:
    """What was seen: the situation of each router (HOST: of the machine), and what to hear of."""

    situations: dict[str, Situation]
    scopes: tuple[Scope, ...] = ()
    neighbours: frozenset[Address_] = frozenset()


def under_way() -> str | Waiting | None:
    """Who is changing this machine just now, by pid, or what waits to be confirmed."""
    if (pid := holder()) is not None:
        return pid
    with suppress(RecordError):  # told as the machine's situation
        left = journal.unfinished()
        if left is not None and left.phase == "unconfirmed":
            return Waiting(left.entry.command, left.seconds_left)
    return None


def look(
    routers: Collection[Router], cautious: bool, words: Callable[[Exception], str]
) -> View | None:
    """A view of all routers; None where another nftnsr changed something meanwhile."""
    stamp = journal.stamp()
    situations: dict[str, Situation] = {HOST: _of_machine(words)}
    scopes = []
    with Machine() as machine:
        for router in routers:
            situations[router.name], scope = _patient(machine, router, cautious, words)
            scopes += [] if scope is None else [scope]
    if journal.stamp() != stamp or holder() is not None:
        return None
    statics = (n.address for router in routers for n in router.neighbours)
    return View(situations, tuple(scopes), frozenset(statics))


def heal(router: Router | None, cautious: bool) -> tuple[Entry | None, Outcome]:
    """Undo what was left unfinished, then apply `router`, by the transaction of `apply`.

    One that was taken down in the meantime stays down.
    """
    with lock(), Machine() as machine:
        recovered = recover(machine)
        if router is None or not _is_applied(router):
            return recovered, Outcome()
        return recovered, apply_spec(machine, Spec((router,)), cautious=cautious)


def forget() -> None:
    """Let go of what was made of a spec that is no longer in force."""
    compile_router.cache_clear()
    normal_form.cache_clear()


def _of_machine(words: Callable[[Exception], str]) -> Situation:
    try:
        left = journal.unfinished()
    except RecordError as error:
        return Unclear(words(error))
    return InSync() if left is None else Unfinished(left.entry.command, left.entry.pid)


def _patient(
    machine: Machine, router: Router, cautious: bool, words: Callable[[Exception], str]
) -> tuple[Situation, Scope | None]:
    for number in range(_LOOKS):
        try:
            return _router(machine, router, cautious)
        except Exception as error:  # whatever it was, the watch goes on
            failure = words(error)
            time.sleep(_LOOK_SECONDS if number < _LOOKS - 1 else 0)
    return Unclear(failure), None


def _router(machine: Machine, router: Router, cautious: bool) -> tuple[Situation, Scope | None]:
    if not _is_applied(router):
        return NotApplied(), None
    spec = Spec((router,))
    intent, found = diff_intent(machine, spec)
    goal = intent.goal
    differences = difference(goal.wanted, found, goal.ours)
    if not differences:
        return InSync(), goal.scope
    in_the_way = obstacles(machine, spec, goal.wanted, found)
    if any(o.foreign for o in in_the_way):
        # What differs from somebody else's things says nothing.
        return Drift((), _reasons(in_the_way)), goal.scope
    if cautious:
        in_the_way = (*in_the_way, *lockouts(machine, spec, found))
    return Drift(differences, _reasons(in_the_way)), goal.scope


def _is_applied(router: Router) -> bool:
    record = records.read(router.name)
    return record is not None and not record.down


def _reasons(in_the_way: Iterable[Obstacle]) -> tuple[Reason, ...]:
    return tuple(Reason(o.message, o.hint) for o in in_the_way)
