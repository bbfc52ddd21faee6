"""The transaction: journal, converge, verify, prove; and on any failure back to the state found.

There is one engine for all directions. To apply is to converge to the wanted state, to undo is to
converge to the state that was found, to recover after a crash is the same with the state in the
journal. Each round compares what is wanted with what really is there, so a step that was half
done, or that took more with it than it should, needs no special case, and the end is always an
observation that nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from nftnsr.kernel.errors import KernelError, Stale
from nftnsr.kernel.machine import Machine, Scope
from nftnsr.state.difference import Difference, difference
from nftnsr.state.model import State
from nftnsr.state.operations import Operation
from nftnsr.transaction import journal, records, watchdog
from nftnsr.transaction.journal import Entry, Journal, Unfinished
from nftnsr.transaction.plan import plan
from nftnsr.transaction.proofs import Proof
from nftnsr.transaction.records import Record
from nftnsr.transaction.signals import Signals

# One round does it; further ones are for what the kernel takes along when it is told to remove
# something (routes with an address, IPv6 addresses with a link that goes down).
_ROUNDS = 4
# Looks that somebody else's commit to the ruleset made worthless.
_STALE_LOOKS = 50


@frozen
class Intent:
    """What a command wants: a state, where to look, and the records once it is reached."""

    command: str
    wanted: State
    scope: Scope
    records: Mapping[str, Record | None]


@frozen
class Terms:
    """On what terms the result is kept: proofs that must hold, and seconds to confirm it in."""

    proofs: tuple[Proof, ...] = ()
    confirm: float | None = None


@frozen
class Outcome:
    """What a transaction did: the differences it found, the operations it performed."""

    differences: tuple[Difference, ...] = ()
    operations: tuple[Operation, ...] = ()
    unconfirmed: bool = False


class Stuck(Exception):
    """The kernel took every operation, and still differs from what is wanted."""

    def __init__(self, left: tuple[Difference, ...]) -> None:
        super().__init__("the kernel does not keep what it was told")
        self.left = left


class Crashed(Exception):
    """A transaction that ended without its end."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"an earlier {entry.command} (pid {entry.pid}) ended in the middle")


class Unconfirmed(Exception):
    """A transaction waits for `confirm` or `rollback`; until then nothing else is begun."""

    def __init__(self, waiting: Unfinished) -> None:
        super().__init__(
            f"the last {waiting.entry.command} waits to be confirmed, "
            f"{waiting.seconds_left:.0f} s more"
        )


class Undone(Exception):
    """The transaction failed with `cause`, and everything is as it was found."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@frozen
class UndoFailed(Exception):
    """The undo failed too: `left` is how the kernel differs from the state that was found."""

    cause: Exception
    left: tuple[Difference, ...]
    by_hand: tuple[Operation, ...]
    """The operations that would mend it."""
    errors: tuple[KernelError, ...] = field(default=())

    def __str__(self) -> str:
        return str(self.cause)


def transact(machine: Machine, intent: Intent, found: State, terms: Terms | None = None) -> Outcome:
    """Make the wanted state of `intent` true, or leave what was `found`.

    Raises Undone or UndoFailed. SIGINT, SIGTERM and SIGHUP are failures like any other. With
    `terms.confirm`, a process of its own undoes everything when nobody confirms in time.
    """
    terms = terms or Terms()
    differences = difference(intent.wanted, found)
    before = {name: records.read(name) for name in intent.records}
    if not differences:
        keep(intent.records)
        return Outcome()
    with Signals() as signals:
        entry = Entry.now(intent.command, found, intent.scope, before, terms.confirm)
        written = Journal.open(entry)

        def announce(operation: Operation) -> None:
            signals.check()
            written.begin(operation)

        try:
            if terms.confirm is not None:
                watchdog.arm(entry)
            operations = converge(machine, intent.wanted, intent.scope, found, announce)
            for proof in terms.proofs:
                signals.check()
                proof()
            signals.check()
            keep(intent.records)
            if terms.confirm is not None:
                written.applied()
        except Exception as cause:  # whatever it was, a fault of our own included: undo
            undo(machine, entry, cause)
            raise Undone(cause) from cause
        finally:
            written.close()
        if terms.confirm is None:
            journal.commit()
    return Outcome(differences, operations, unconfirmed=terms.confirm is not None)


def recover(machine: Machine) -> Entry | None:
    """Undo what a crash cut off, or what nobody confirmed in time; None where there is nothing.

    Raises Unconfirmed where there still is time to confirm.
    """
    left = journal.unfinished()
    if left is None:
        return None
    if left.phase == "unconfirmed":
        raise Unconfirmed(left)
    return reject(machine)


def reject(machine: Machine) -> Entry | None:
    """Undo an unfinished transaction whether or not it could still be confirmed."""
    left = journal.unfinished()
    if left is None:
        return None
    with Signals():
        undo(machine, left.entry, Crashed(left.entry))
    return left.entry


def converge(
    machine: Machine,
    wanted: State,
    scope: Scope,
    observed: State,
    announce: Callable[[Operation], None],
) -> tuple[Operation, ...]:
    """Perform operations, each announced first, until an observation agrees with `wanted`."""
    performed: list[Operation] = []
    rounds = stale = 0
    while differences := difference(wanted, observed):
        if rounds == _ROUNDS or stale == _STALE_LOOKS:
            raise Stuck(differences)
        try:
            for operation in plan(differences, wanted, observed):
                announce(operation)
                machine.perform(operation)
                performed.append(operation)
            rounds += 1
        except Stale:
            stale += 1
        observed = machine.observe(scope)
    return tuple(performed)


def undo(machine: Machine, entry: Entry, cause: Exception) -> None:
    """Go back to what `entry` found, past every single refusal, and end its journal.

    Raises UndoFailed, and keeps the journal, if something is left.
    """
    errors: list[KernelError] = []
    for _ in range(_ROUNDS):
        observed = machine.observe(entry.scope)
        if not (differences := difference(entry.found, observed)):
            break
        for operation in plan(differences, entry.found, observed):
            try:
                machine.perform(operation)
            except KernelError as error:
                errors.append(error)
    observed = machine.observe(entry.scope)
    if left := difference(entry.found, observed):
        by_hand = plan(left, entry.found, observed)
        raise UndoFailed(cause, left, by_hand, tuple(errors)) from cause
    keep(entry.records)
    journal.discard()


def keep(wanted: Mapping[str, Record | None]) -> None:
    """Write, or forget, the records of the routers."""
    for name, record in wanted.items():
        if record is None:
            records.forget(name)
        elif records.read(name) != record:
            records.write(record)
