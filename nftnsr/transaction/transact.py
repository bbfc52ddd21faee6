"""The transaction: journal, converge, verify, prove; and on any failure back to the state found.

There is one engine for all directions. To apply is to converge to the wanted state, to undo is to
converge to the state that was found, to recover after a crash is the same with the state in the
journal. Each round compares what is wanted with what really is there, so a step that was half
done, or that took more with it than it should, needs no special case, and the end is always an
observation that nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from nftnsr.kernel.errors import KernelError, Stale
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.scope import Scope
from nftnsr.state.difference import Add, Change, Difference, difference
from nftnsr.state.model import HOST, State
from nftnsr.state.operations import Operation
from nftnsr.transaction import journal, records, stamps, watchdog
from nftnsr.transaction.journal import Entry, Journal, Unfinished
from nftnsr.transaction.plan import plan
from nftnsr.transaction.proofs import Proof
from nftnsr.transaction.records import Record
from nftnsr.transaction.remarks import Remark
from nftnsr.transaction.signals import Signals

# One round does it; further ones are for what the kernel takes along when it is told to remove
# something (routes with an address, IPv6 addresses with a link that goes down).
_ROUNDS = 4
# Looks that somebody else's commit to the ruleset made worthless.
_STALE_LOOKS = 50


@frozen
class Goal:
    """A state to reach, where to look, and what nftnsr made there and may remove."""

    wanted: State
    scope: Scope
    ours: State


@frozen
class Intent:
    """What a command wants: a goal, and the records of the routers once it is reached."""

    command: str
    goal: Goal
    records: Mapping[str, Record | None]
    restores: bool = False
    """Whether it gives back what others had made: what cannot be given back does not stop it."""


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
    left: tuple[Difference, ...] = ()
    """What could not be given back."""
    refusals: tuple[KernelError, ...] = ()
    """Why not."""
    remarks: tuple[Remark, ...] = ()


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


class UndoFailed(Exception):
    """The undo failed too: `left` is how the kernel differs from the state that was found."""

    def __init__(
        self,
        cause: Exception,
        left: tuple[Difference, ...],
        by_hand: tuple[Operation, ...],
        errors: tuple[Exception, ...],
    ) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.left = left
        self.by_hand = by_hand
        """The operations that would mend it."""
        self.errors = errors


def transact(machine: Machine, intent: Intent, found: State, terms: Terms | None = None) -> Outcome:
    """Make the goal of `intent` true, or leave what was `found`.

    Raises Undone or UndoFailed. SIGINT, SIGTERM and SIGHUP are failures like any other. With
    `terms.confirm`, a process of its own undoes everything when nobody confirms in time.
    """
    terms = terms or Terms()
    goal = intent.goal
    differences = difference(goal.wanted, found, goal.ours)
    before = {name: records.read(name) for name in intent.records}
    if not differences:
        keep(intent.records)
        if intent.command == "apply":
            stamps.stamp(intent.records)
        return Outcome()
    records.prove_writable()
    # What an undo may remove is what this transaction may have made, too.
    made = State.union([goal.ours, _without_rulesets(goal.wanted)])
    with Signals() as signals:
        entry = Entry.now(intent.command, found, goal.scope, made, before, terms.confirm)
        written = Journal.open(entry)
        work = _Work(machine, signals, written, tolerant=intent.restores)
        try:
            if terms.confirm is not None:
                watchdog.arm(entry)
            left = converge(machine, goal, found, work.perform)
            if left and not (intent.restores and all(_restores(each) for each in left)):
                raise Stuck(left)
            for proof in terms.proofs:
                proof(signals.check)
            signals.check()
            keep(intent.records)
            if terms.confirm is None:
                journal.commit()
            else:
                written.applied()
        except Exception as cause:  # whatever it was, a fault of our own included: undo
            undo(machine, entry, cause)
            raise Undone(cause) from cause
        finally:
            written.close()
    waits = terms.confirm is not None
    if intent.command == "apply" and not waits:
        stamps.stamp(intent.records)
    return Outcome(differences, tuple(work.performed), waits, left, tuple(work.refusals))


def recover(machine: Machine, *, accept: bool = False) -> Entry | None:
    """Undo what a crash cut off, or what nobody confirmed in time; None where there is nothing.

    Raises Unconfirmed where there still is time to confirm, and UndoFailed unless what cannot be
    undone is to be accepted.
    """
    left = journal.unfinished()
    if left is None:
        return None
    if left.phase == "unconfirmed":
        raise Unconfirmed(left)
    return reject(machine, accept=accept)


def reject(machine: Machine, *, accept: bool = False) -> Entry | None:
    """Undo an unfinished transaction whether or not it could still be confirmed."""
    left = journal.unfinished()
    if left is None:
        return None
    with Signals():
        undo(machine, left.entry, Crashed(left.entry), accept=accept)
    return left.entry


def converge(
    machine: Machine, goal: Goal, observed: State, perform: Callable[[Operation], None]
) -> tuple[Difference, ...]:
    """Perform operations until an observation agrees with the goal; returns what still differs."""
    rounds = stale = 0
    while differences := difference(goal.wanted, observed, goal.ours):
        if rounds == _ROUNDS or stale == _STALE_LOOKS:
            return differences
        try:
            for operation in plan(differences, goal.wanted, observed):
                perform(operation)
            rounds += 1
        except Stale:
            stale += 1
        observed = machine.observe(goal.scope)
    return ()


def undo(machine: Machine, entry: Entry, cause: Exception, *, accept: bool = False) -> None:
    """Go back to what `entry` found, past every single refusal, and end its journal.

    Raises UndoFailed, and keeps the journal, if something is left and that is not to `accept`.
    """
    goal = Goal(entry.found, entry.scope, entry.ours)
    work = _Work(machine, tolerant=True)
    try:
        left = converge(machine, goal, machine.observe(goal.scope), work.perform)
        if left and not accept:
            by_hand = plan(left, goal.wanted, machine.observe(goal.scope))
            raise UndoFailed(cause, left, by_hand, tuple(work.refusals))
        keep(entry.records)
        journal.discard()
    except UndoFailed:
        raise
    except Exception as error:
        raise UndoFailed(cause, (), (), (*work.refusals, error)) from error


def keep(wanted: Mapping[str, Record | None]) -> None:
    """Write, or forget, the records of the routers."""
    for name, record in wanted.items():
        if record is None:
            records.forget(name)
        elif records.read(name) != record:
            records.write(record)


@define
class _Work:
    """The performing of operations: each is journalled first, and refusals may be tolerated."""

    machine: Machine
    signals: Signals = field(factory=Signals)
    journal: Journal | None = None
    tolerant: bool = False
    performed: list[Operation] = field(factory=list)
    refusals: list[KernelError] = field(factory=list)

    def perform(self, operation: Operation) -> None:
        self.signals.check()
        if self.journal is not None:
            self.journal.begin(operation)
        try:
            self.machine.perform(operation)
        except Stale:
            raise
        except KernelError as refusal:
            if not self.tolerant:
                raise
            # Every round meets it again.
            if refusal.message not in [r.message for r in self.refusals]:
                self.refusals.append(refusal)
        else:
            self.performed.append(operation)


def _restores(each: Difference) -> bool:
    """Whether it is something that the host had, and that could not be given back."""
    return isinstance(each, Add | Change) and each.namespace == HOST


def _without_rulesets(state: State) -> State:
    return State({n: space.without_ruleset() for n, space in state.namespaces.items()})
