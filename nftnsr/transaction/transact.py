"""The transaction: journal, converge, verify; and on any failure back to the state found.

There is one engine for all directions. To apply is to converge to the wanted state, to undo is to
converge to the state that was found, to recover after a crash is the same with the state in the
journal. Each round compares what is wanted with what really is there, so a step that was half
done, or that took more with it than it should, needs no special case, and the end is always an
observation that nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine, Scope
from nftnsr.state.difference import Difference, difference
from nftnsr.state.model import State
from nftnsr.state.operations import Operation
from nftnsr.transaction import records
from nftnsr.transaction.journal import Entry, Journal, discard, unfinished
from nftnsr.transaction.plan import plan
from nftnsr.transaction.records import Record
from nftnsr.transaction.signals import Signals

# One round does it; further ones are for what the kernel takes along when it is told to remove
# something (routes with an address, IPv6 addresses with a link that goes down).
_ROUNDS = 4


@frozen
class Intent:
    """What a command wants: a state, where to look, and the records once it is reached."""

    command: str
    wanted: State
    scope: Scope
    records: Mapping[str, Record | None]


@frozen
class Outcome:
    """What a transaction did: the differences it found, the operations it performed."""

    differences: tuple[Difference, ...] = ()
    operations: tuple[Operation, ...] = ()


class Stuck(Exception):
    """The kernel took every operation, and still differs from what is wanted."""

    def __init__(self, left: tuple[Difference, ...]) -> None:
        super().__init__("the kernel does not keep what it was told")
        self.left = left


class Crashed(Exception):
    """A transaction that ended without its end."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"an earlier {entry.command} (pid {entry.pid}) ended in the middle")


class Undone(Exception):
    """The transaction failed with `cause`, and everything is as it was found."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class UndoFailed(Exception):
    """The undo failed too: `left` is how the kernel differs from the state that was found."""

    def __init__(
        self, cause: Exception, left: tuple[Difference, ...], errors: tuple[KernelError, ...]
    ) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.left = left
        self.errors = errors


def transact(machine: Machine, intent: Intent, found: State) -> Outcome:
    """Make the wanted state of `intent` true, or leave what was `found`.

    Raises Undone or UndoFailed. SIGINT, SIGTERM and SIGHUP are failures like any other.
    """
    differences = difference(intent.wanted, found)
    before = {name: records.read(name) for name in intent.records}
    if not differences:
        keep(intent.records)
        return Outcome()
    with Signals() as signals:
        journal = Journal.open(Entry.now(intent.command, found, intent.scope, before))

        def announce(operation: Operation) -> None:
            signals.check()
            journal.begin(operation)

        try:
            operations = converge(machine, intent.wanted, intent.scope, found, announce)
            signals.check()
            keep(intent.records)
        except Exception as cause:  # whatever it was, a fault of our own included: undo
            undo(machine, found, intent.scope, before, cause)
            journal.close()
            raise Undone(cause) from cause
        journal.close()
    return Outcome(differences, operations)


def recover(machine: Machine) -> Entry | None:
    """Undo the transaction that a crash left unfinished; None where there is none."""
    entry = unfinished()
    if entry is None:
        return None
    with Signals():
        undo(machine, entry.found, entry.scope, entry.records, Crashed(entry))
        discard()
    return entry


def converge(
    machine: Machine,
    wanted: State,
    scope: Scope,
    observed: State,
    announce: Callable[[Operation], None],
) -> tuple[Operation, ...]:
    """Perform operations, each announced first, until an observation agrees with `wanted`."""
    performed: list[Operation] = []
    for _ in range(_ROUNDS):
        differences = difference(wanted, observed)
        if not differences:
            return tuple(performed)
        for operation in plan(differences, wanted, observed):
            announce(operation)
            machine.perform(operation)
            performed.append(operation)
        observed = machine.observe(scope)
    raise Stuck(difference(wanted, observed))


def undo(
    machine: Machine,
    found: State,
    scope: Scope,
    before: Mapping[str, Record | None],
    cause: Exception,
) -> None:
    """Go back to `found`, past every single refusal, or raise UndoFailed with what is left."""
    errors: list[KernelError] = []
    for _ in range(_ROUNDS):
        observed = machine.observe(scope)
        differences = difference(found, observed)
        if not differences:
            keep(before)
            return
        for operation in plan(differences, found, observed):
            try:
                machine.perform(operation)
            except KernelError as error:
                errors.append(error)
    left = difference(found, machine.observe(scope))
    if left:
        raise UndoFailed(cause, left, tuple(errors)) from cause
    keep(before)


def keep(wanted: Mapping[str, Record | None]) -> None:
    """Write, or forget, the records of the routers."""
    for name, record in wanted.items():
        if record is None:
            records.forget(name)
        elif records.read(name) != record:
            records.write(record)
