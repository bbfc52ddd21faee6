"""The whole of `apply` and of `down`, for the commands and for a rehearsal alike."""

from __future__ import annotations

from collections.abc import Iterable

from nftnsr.kernel.machine import Machine
from nftnsr.spec.model import Spec
from nftnsr.transaction.intents import apply_intent, down_intent
from nftnsr.transaction.preflight import Obstacle, obstacles
from nftnsr.transaction.records import Record
from nftnsr.transaction.transact import Outcome, transact


class Refused(Exception):
    """Something stands in the way; nothing was touched."""

    def __init__(self, obstacles: tuple[Obstacle, ...]) -> None:
        super().__init__("; ".join(o.message for o in obstacles))
        self.obstacles = obstacles


def apply_spec(machine: Machine, spec: Spec) -> Outcome:
    """Move this machine to `spec`, or leave it as it was (Refused, Undone, UndoFailed)."""
    intent, found = apply_intent(machine, spec)
    if found_obstacles := obstacles(machine, spec, intent.wanted, found):
        raise Refused(found_obstacles)
    return transact(machine, intent, found)


def take_down(machine: Machine, kept: Iterable[Record]) -> Outcome:
    """Give the host back what it had before the first apply of these routers."""
    intent, found = down_intent(machine, kept)
    return transact(machine, intent, found)
