"""The whole of `apply` and of `down`, for the commands and for a rehearsal alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.notices import wait_for_links
from nftnsr.spec.model import Spec
from nftnsr.state.model import HOST, State
from nftnsr.transaction import journal, records
from nftnsr.transaction.ending import obstacles_to_end
from nftnsr.transaction.intents import apply_intent, down_intent, rollback_intent, uplink_scope
from nftnsr.transaction.lockout import lockouts
from nftnsr.transaction.preflight import Obstacle, obstacles
from nftnsr.transaction.records import Record
from nftnsr.transaction.remarks import (
    Ending,
    about_ends,
    about_lasting,
    about_lost,
    about_managers,
    lost_uplinks,
)
from nftnsr.transaction.transact import Intent, Outcome, Terms, transact

_RETURN_SECONDS = 3.0


class Refused(Exception):
    """Something stands in the way; nothing was touched."""

    def __init__(self, obstacles: tuple[Obstacle, ...]) -> None:
        super().__init__("; ".join(o.message for o in obstacles))
        self.obstacles = obstacles


def apply_spec(
    machine: Machine,
    spec: Spec,
    terms: Terms | None = None,
    *,
    cautious: bool = False,
) -> Outcome:
    """Move this machine to `spec`, or leave it as it was (Refused, Undone, UndoFailed).

    A `cautious` apply is refused where it could lock out whoever works over the network.
    """
    intent, found = look(machine, lambda: apply_intent(machine, spec), _records(spec))
    in_the_way = obstacles(machine, spec, intent.goal.wanted, found)
    if cautious:
        in_the_way = (*in_the_way, *lockouts(machine, spec, found))
    if in_the_way:
        raise Refused(in_the_way)
    remarks = tuple(about_managers(machine, spec, found))
    return evolve(transact(machine, intent, found, terms), remarks=remarks)


def take_down(machine: Machine, kept: Iterable[Record], terms: Terms | None = None) -> Outcome:
    """Give the host back what it had before the first apply of these routers."""
    kept = tuple(kept)
    intent, found = look(machine, lambda: down_intent(machine, kept), kept)
    if in_the_way := obstacles_to_end(machine, kept, found):
        raise Refused(in_the_way)
    lost = lost_uplinks(kept, found)
    own = (n for n, space in found.namespaces.items() if n != HOST and not space.foreign)
    endings = [Ending.of(machine, name) for name in own]
    outcome = transact(machine, intent, found, terms)
    remarks = (*about_lost(lost), *about_lasting(intent.records, lost), *about_ends(endings))
    return evolve(outcome, remarks=remarks)


def look(
    machine: Machine, intend: Callable[[], tuple[Intent, State]], kept: Iterable[Record]
) -> tuple[Intent, State]:
    """An intent and the state found, once the hardware has come back that may be on its way."""
    intent, found = intend()
    # A NIC comes back about a second after its namespace has ended; a virtual link ends with it.
    returning = {link.name for _, link in lost_uplinks(kept, found) if link.permanent}
    if returning and wait_for_links(
        lambda: returning <= machine.uplinks(intent.goal.scope).keys(), _RETURN_SECONDS
    ):
        return intend()
    return intent, found


def await_uplinks(
    machine: Machine, spec: Spec, seconds: float, tell: Callable[[frozenset[str]], None]
) -> None:
    """Wait, no longer than `seconds`, for the uplinks of `spec`; `tell` is told which, once."""
    scope = uplink_scope(spec)
    moved = frozenset(uplink.dev for router in spec.routers for uplink in router.moved)
    missing = moved - machine.uplinks(scope).keys()
    if missing and seconds > 0:
        tell(missing)
        wait_for_links(lambda: missing <= machine.uplinks(scope).keys(), seconds)


def _records(spec: Spec) -> tuple[Record, ...]:
    kept = (records.read(router.name) for router in spec.routers)
    return tuple(record for record in kept if record is not None)


def roll_back(machine: Machine) -> Outcome | None:
    """Undo the last committed transaction; None where this boot has seen none."""
    done = journal.last()
    if done is None:
        return None
    intent, found = rollback_intent(machine, done.entry)
    outcome = transact(machine, intent, found)
    new = {n: r for n, r in intent.records.items() if r != done.entry.records[n]}
    return evolve(outcome, remarks=tuple(about_lasting(new, ())))
