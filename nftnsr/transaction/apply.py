"""The whole of `apply` and of `down`, for the commands and for a rehearsal alike."""

from __future__ import annotations

from collections.abc import Iterable

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.session import Session
from nftnsr.spec.model import Spec
from nftnsr.transaction import journal
from nftnsr.transaction.intents import apply_intent, down_intent
from nftnsr.transaction.lockout import lockouts
from nftnsr.transaction.preflight import Obstacle, obstacles
from nftnsr.transaction.records import Record
from nftnsr.transaction.transact import Intent, Outcome, Terms, transact


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
    session: Session | None = None,
) -> Outcome:
    """Move this machine to `spec`, or leave it as it was (Refused, Undone, UndoFailed).

    With the ssh `session` that runs this, it is refused where a new one could not be opened.
    """
    intent, found = apply_intent(machine, spec)
    in_the_way = obstacles(machine, spec, intent.wanted, found)
    if in_the_way := (*in_the_way, *lockouts(session, spec, found)):
        raise Refused(in_the_way)
    return transact(machine, intent, found, terms)


def take_down(machine: Machine, kept: Iterable[Record], terms: Terms | None = None) -> Outcome:
    """Give the host back what it had before the first apply of these routers."""
    intent, found = down_intent(machine, kept)
    return transact(machine, intent, found, terms)


def roll_back(machine: Machine) -> Outcome | None:
    """Undo the last committed transaction; None where this boot has seen none."""
    done = journal.last()
    if done is None:
        return None
    entry = done.entry
    found = machine.observe(entry.scope)
    intent = Intent("rollback", entry.found, entry.scope, entry.records)
    return transact(machine, intent, found)
