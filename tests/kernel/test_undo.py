"""Whatever fails, wherever: everything is as it was found, or as it was wanted, never a third.

Every operation of every plan is made to fail, and the process is killed before and after it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define, field

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state import operations as op
from nftnsr.state.difference import Add
from nftnsr.state.model import Link
from nftnsr.state.operations import Operation
from nftnsr.transaction import journal, records
from nftnsr.transaction.apply import apply_spec, take_down
from nftnsr.transaction.lock import Busy, lock
from nftnsr.transaction.transact import Outcome, UndoFailed, Undone, recover

from .conftest import ARTICLE, Segment, assert_same, everything, sh

CHANGED = (
    ARTICLE.replace('"22/tcp"', '"23/tcp", "30000-30100/udp"')
    .replace("1.2.3.4/24", "1.2.3.6/24")
    .replace("192.168.158", "192.168.77")
    .replace('"1.2.3.1"', '"1.2.3.254"')
)

Act = Callable[[Machine], object]


def first(machine: Machine) -> object:
    return apply_spec(machine, parse(ARTICLE, "article.toml"))


def change(machine: Machine) -> object:
    return apply_spec(machine, parse(CHANGED, "changed.toml"))


def down(machine: Machine) -> object:
    return take_down(machine, [r for n in records.names() if (r := records.read(n))])


# What is done before, and the transaction that fails.
CASES: dict[str, tuple[tuple[Act, ...], Act]] = {
    "first apply": ((), first),
    "change": ((first,), change),
    "down": ((first,), down),
}


@define
class Faulty(Machine):
    """A machine on which something happens at the operation of one number."""

    number: int = 0
    before: Callable[[Operation], None] = field(default=lambda _: None)
    after: Callable[[Operation], None] = field(default=lambda _: None)
    count: int = 0

    def perform(self, operation: Operation) -> None:
        self.count += 1
        if self.count == self.number:
            self.before(operation)
        # Called on the class: `super` in a slotted class made anew by attrs needs its own cell.
        Machine.perform(self, operation)
        if self.count == self.number:
            self.after(operation)


def refuse(operation: Operation) -> None:
    raise KernelError(f"no {type(operation).__name__} today")


def die(_: Operation) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(acts: tuple[Act, ...]) -> None:
    with Machine() as machine:
        for act in acts:
            act(machine)


@pytest.mark.parametrize("name", ["first apply", "change"])
def test_failed_operation_leaves_everything_as_found(segment: Segment, name: str) -> None:
    prior, act = CASES[name]
    prepare(prior)
    found = everything()
    kept = {n: records.read(n) for n in records.names()}
    for number in range(1, 200):
        with Faulty(number=number, before=refuse) as machine:
            if _passes(act, machine):
                break
        assert_same(everything(), found)
        assert {n: records.read(n) for n in records.names()} == kept
        assert journal.unfinished() is None
    assert number > 5


def test_down_goes_on_past_an_operation_that_failed_once(segment: Segment) -> None:
    """It gives back all the same: it looks again, and what is left to do is done then."""
    for number in range(1, 200):
        before = everything()
        prepare((first,))
        refused: list[Operation] = []

        def refuse_once(operation: Operation, refused: list[Operation] = refused) -> None:
            refused.append(operation)
            refuse(operation)

        with Faulty(number=number, before=refuse_once) as machine:
            outcome = down(machine)
            assert isinstance(outcome, Outcome)
            assert outcome.left == ()
            # An address that comes back later than its neighbour is a secondary one.
            if not any(isinstance(o, op.AddAddress) for o in refused):
                assert_same(everything(), before)
            assert not records.names()
            if machine.count < number:
                break
    assert number > 5


def test_down_ends_with_what_it_cannot_give_back_told(segment: Segment) -> None:
    prepare((first,))

    class Stubborn(Faulty):
        def perform(self, operation: Operation) -> None:
            if isinstance(operation, op.AddRoute) and operation.route.metric == 5:
                refuse(operation)
            Faulty.perform(self, operation)

    with Stubborn() as machine:
        outcome = down(machine)
    assert isinstance(outcome, Outcome)
    assert [str(d.item.destination) for d in outcome.left if isinstance(d, Add)] == ["10.9.0.0/16"]
    assert "no AddRoute today" in str(outcome.refusals[0])
    assert not records.names()
    assert "ens3" not in sh("ip netns list")
    assert "default via 1.2.3.1" in sh("ip route")


def test_down_that_cannot_move_the_uplink_is_undone(segment: Segment) -> None:
    prepare((first,))
    found = everything()

    class Stubborn(Faulty):
        def perform(self, operation: Operation) -> None:
            if isinstance(operation, op.MoveLink) and operation.target == "":
                refuse(operation)
            Faulty.perform(self, operation)

    with Stubborn() as machine, pytest.raises(Undone):
        down(machine)
    assert_same(everything(), found)
    assert records.names() == ("ens3",)


def _passes(act: Act, machine: Machine) -> bool:
    try:
        act(machine)
    except Undone as undone:
        assert "today" in str(undone)
        return False
    return True


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_killed_process_is_recovered_by_the_next(segment: Segment, name: str, when: str) -> None:
    prior, act = CASES[name]
    prepare(prior)
    found = everything()
    kept = {n: records.read(n) for n in records.names()}
    for number in range(1, 200):
        if not _killed(act, number, when):
            break
        left = journal.unfinished()
        assert left is not None
        assert left.phase == "cut off"
        assert len(left.steps) == number
        with Machine() as machine:
            assert recover(machine) == left.entry
        assert_same(everything(), found)
        assert {n: records.read(n) for n in records.names()} == kept
        assert journal.unfinished() is None
    assert number > 5


def _killed(act: Act, number: int, when: str) -> bool:
    """Run `act` in a child that kills itself at operation `number`; whether it came that far."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with Faulty(number=number, **{when: die}) as machine:
                act(machine)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_in_the_middle_undoes(segment: Segment, article: Spec, number: int) -> None:
    found = everything()
    before = signal.getsignal(number)
    with Faulty(number=15, after=lambda _: os.kill(os.getpid(), number)) as machine:
        with pytest.raises(Undone, match="interrupted by SIG"):
            apply_spec(machine, article)
        assert machine.count > 15
    assert_same(everything(), found)
    assert signal.getsignal(number) == before


def test_signals_do_not_disturb_the_undo(segment: Segment, article: Spec) -> None:
    found = everything()

    class Pestered(Faulty):
        def perform(self, operation: Operation) -> None:
            Faulty.perform(self, operation)
            if self.count > 15:
                os.kill(os.getpid(), signal.SIGINT)

    with Pestered() as machine, pytest.raises(Undone, match="SIGINT"):
        apply_spec(machine, article)
    assert_same(everything(), found)


def test_undo_that_fails_keeps_the_journal_and_says_what_is_left(
    segment: Segment, article: Spec
) -> None:
    found = everything()

    class Stubborn(Faulty):
        def perform(self, operation: Operation) -> None:
            if isinstance(operation, op.MoveLink) and operation.target == "":
                raise KernelError("the link will not come back")
            if isinstance(operation, op.AddNeighbour) and operation.namespace == "ens3":
                refuse(operation)
            Faulty.perform(self, operation)

    with Stubborn() as machine, pytest.raises(UndoFailed) as failure:
        apply_spec(machine, article)
    left = [d.item for d in failure.value.left if isinstance(d, Add)]
    assert Link("ens3", mac="02:00:00:00:00:03").key in [item.key for item in left]
    assert journal.unfinished() is not None
    with Machine() as machine:
        recover(machine)
    assert_same(everything(), found)


def test_journal_of_another_boot_is_no_journal(segment: Segment, article: Spec) -> None:
    assert _killed(first, 15, "after")
    path = journal.DIRECTORY / "journal"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path.write_text(path.read_text().replace(boot, "0" * len(boot)))
    assert journal.unfinished() is None
    assert not path.exists()


def test_torn_last_line_of_the_journal_does_no_harm(segment: Segment) -> None:
    found = everything()
    assert _killed(first, 15, "after")
    path = journal.DIRECTORY / "journal"
    path.write_text(path.read_text()[:-20])
    left = journal.unfinished()
    assert left is not None
    assert len(left.steps) == 14
    with Machine() as machine:
        assert recover(machine) is not None
    assert_same(everything(), found)


def test_second_transaction_waits_or_says_that_it_is_busy(box: None) -> None:
    told: list[str] = []
    with lock(), pytest.raises(Busy, match=f"pid {os.getpid()}"), lock(0.1, told.append):
        pass
    assert told == [str(os.getpid())]
    with lock():
        pass


def test_waiting_transaction_goes_on_when_the_other_ends(box: None) -> None:
    with lock():
        ended = time.monotonic() + 0.5
        child = os.fork()
        if child == 0:
            # A process of its own: the lock belongs to the open file, not to the process.
            os.closerange(3, 256)
            with lock(5):
                os._exit(0 if time.monotonic() >= ended else 1)
        time.sleep(0.5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_empty_journal_is_no_journal(box: None) -> None:
    path = journal.directory() / "journal"
    path.touch()
    assert journal.unfinished() is None
    assert not path.exists()


def test_journal_is_for_root_only(segment: Segment, article: Spec) -> None:
    os.umask(0)
    with Machine() as machine:
        apply_spec(machine, article)
    for path in (journal.DIRECTORY, records.DIRECTORY):
        assert path.stat().st_mode & 0o077 == 0 or path.is_mount()
        for file in path.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file
