"""The loop of a watch: wait for notices, look, tell what is new, heal what may be healed.

Nothing is done while nothing happens. A look follows notices, after a moment in which no more of
them come, and (for what the kernel gives no notice of) the interval `every`. While another nftnsr
changes the machine, or a change waits to be confirmed, nothing is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field

from nftnsr.kernel.notices import Files, Notice, Notices
from nftnsr.kernel.supervisor import Supervisor
from nftnsr.report.events import status_text
from nftnsr.spec import SpecError
from nftnsr.spec.model import Spec
from nftnsr.state.model import HOST
from nftnsr.transaction import journal, records
from nftnsr.transaction.lock import Busy
from nftnsr.transaction.signals import Interrupted
from nftnsr.transaction.transact import Unconfirmed, Undone
from nftnsr.watch import looking
from nftnsr.watch.cases import Case, GiveUp, HealAt, RestUntil
from nftnsr.watch.events import (
    Event,
    GaveUp,
    Healed,
    HealFailed,
    Healing,
    InSync,
    Recovered,
    Seen,
    Situation,
    SpecInvalid,
    SpecReloaded,
    Stopping,
    Waiting,
    Watching,
)
from nftnsr.watch.policy import Policy, Source
from nftnsr.watch.requests import Requests, stops

# Seconds without another notice before a look, and the most that it is put off.
_QUIET = {"kernel": (0.005, 0.1), "files": (0.05, 0.5)}
# After a look in vain so many times its duration: foreign events never cost more than a fifth.
_RESPITE = 4.0
# A look at what changes meanwhile may see it nowhere: it is made again, so often in a row at most.
_DISTURBED = 3
# A watchdog reverts what nobody confirms; if even that has died, it is a crash like any other.
_WATCHDOG_SECONDS = 10.0


@define
class Vigil:
    """A watch over the routers of a spec; `tell` is given what there is to tell."""

    source: Source
    policy: Policy
    tell: Callable[[Event], None]
    words: Callable[[Exception], str]
    supervisor: Supervisor
    notices: Notices
    requests: Requests
    _spec: Spec
    _cases: dict[str, Case] = field(factory=dict)
    _wanted: bool = True
    """Whether to look as soon as that is sensible."""
    _blocked: bool = False
    """Whether somebody else's change is waited for, whose end will be noticed."""
    _waiting: Waiting | None = None
    _came: frozenset[Notice] = frozenset()
    """What was noticed during a look."""
    _disturbed: int = 0
    _not_before: float = 0.0
    _next: float = 0.0
    _stopped: bool = False

    def run(self) -> None:
        """Watch until a signal asks to stop."""
        self._attend_to_files()
        self.tell(Watching(self._names(), self.policy.heals))
        self._act()
        self.supervisor.ready(self._status())
        while not self._stopped:
            self._round()
        self.supervisor.stopping()

    def _round(self) -> None:
        came = self._came or self.notices.wait(self._seconds())
        self._came = frozenset()
        if came & _QUIET.keys():
            came = self._settled(came)
        if "request" in came:
            self._obey()
        if "files" in came:
            self._reload()
        if "transactions" in came:
            self._blocked = False
        self._wanted |= bool(came)
        if self.supervisor.interval is not None:
            self.supervisor.alive()
        if not self._stopped:
            self._act()

    def _seconds(self) -> float:
        """How long there is nothing to do but to wait."""
        now = time.monotonic()
        times = [self._next]
        if self._wanted and not self._blocked:
            times.append(self._not_before)
        if self.supervisor.interval is not None:
            times.append(now + self.supervisor.interval)
        for case in self._to_heal().values():
            match case.step(self.policy.limits):
                case HealAt(time=at) | RestUntil(time=at):
                    times.append(at)
                case GiveUp():
                    times.append(now)
        return max(0.0, min(times) - now)

    def _settled(self, came: frozenset[Notice]) -> frozenset[Notice]:
        """Wait for the end of a burst of notices; returns all that came."""
        quiet, most = _QUIET["files" if "files" in came else "kernel"]
        deadline = time.monotonic() + most
        # A request is noticed until it is read.
        while "request" not in came and time.monotonic() < deadline:
            if not (more := self.notices.wait(quiet)):
                break
            came |= more
        return came

    # -- the spec --------------------------------------------------------------------------

    def _obey(self) -> None:
        for number in self.requests.read():
            if stops(number):
                self._stopped = True
                self.tell(Stopping(number.name))
                return
            self._reload()

    def _reload(self) -> None:
        self.supervisor.reloading()
        self._attend_to_files()
        try:
            self._spec = self.source.load()
        except Exception as error:  # whatever is wrong with it: the last good one is still known
            problems = error.problems if isinstance(error, SpecError) else ()
            self.tell(SpecInvalid(self.words(error), problems))
        else:
            looking.forget()
            self._attend_to_files()
            self.tell(SpecReloaded(self._names()))
        # Whoever says that something is different now wants it to be tried again.
        known = {n: c.situation for n, c in self._cases.items() if n in {HOST, *self._names()}}
        self._cases = {n: Case(situation, time.monotonic()) for n, situation in known.items()}
        self._wanted = True
        self._blocked = False
        self.supervisor.ready(self._status())

    def _attend_to_files(self) -> None:
        ours = {"lock", "journal", "last"}
        records.DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
        transactions = Files(journal.directory(), ours.__contains__, "transactions")
        kept = Files(records.DIRECTORY, _is_record, "transactions")
        self.notices.attend_to_files((transactions, kept, *self.source.files(self._spec)))

    # -- looking ---------------------------------------------------------------------------

    def _act(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._attend_to_files()
            self._wanted = True
            self._blocked = False
        if self._wanted and not self._blocked and now >= self._not_before:
            self._look()
        self._heal()
        self.supervisor.status(self._status())

    def _look(self) -> None:
        began = time.monotonic()
        self._next = began + self.policy.every
        if not self._is_free():
            return
        cautious = self.policy.heals and self.policy.cautious
        view = looking.look(self._spec.routers, cautious, self.words)
        if view is None:
            # Its end is noticed; if it has ended by now, it has been.
            self._blocked = True
            return
        # What was made anew is heard of from now on: look at it once more.
        self._wanted = self.notices.attend(view.scopes, view.neighbours)
        if self._is_disturbed():
            self._wanted = True
            return
        told = [self._seen(name, situation) for name, situation in view.situations.items()]
        now = time.monotonic()
        if not any(told) and not self._wanted:
            self._not_before = now + _RESPITE * (now - began)

    def _is_disturbed(self) -> bool:
        """Whether to look again, because something changed during the look."""
        self._came = self.notices.wait(0)
        again = "kernel" in self._came and self._disturbed < _DISTURBED
        self._disturbed = self._disturbed + 1 if again else 0
        return again

    def _is_free(self) -> bool:
        """Whether no other change is under way or waits to be confirmed."""
        now = looking.under_way()
        self._blocked = now is not None
        waiting = now if isinstance(now, Waiting) else None
        if waiting is not None:
            self._next = min(self._next, time.monotonic() + waiting.seconds + _WATCHDOG_SECONDS)
            if waiting != self._waiting:
                self.tell(waiting)
        self._waiting = waiting
        return now is None

    def _seen(self, name: str, situation: Situation) -> bool:
        """Whether this is another situation than before; then it is told."""
        before = self._cases.get(name, Case(InSync() if name == HOST else None))
        self._cases[name] = before.seen(situation, self.policy.limits, time.monotonic())
        if situation == before.situation:
            return False
        self.tell(Seen(name, situation))
        return True

    # -- healing ---------------------------------------------------------------------------

    def _to_heal(self) -> dict[str, Case]:
        """The cases that may be healed as soon as their time has come."""
        if not self.policy.heals or self._wanted or self._blocked:
            return {}
        machine = self._cases.get(HOST, Case(InSync()))
        # Before anything else is done, what was left in the middle is undone.
        return self._cases if machine.situation == InSync() else {HOST: machine}

    def _heal(self) -> None:
        """Give up what was tried often enough, and try the first whose time has come."""
        now, limits = time.monotonic(), self.policy.limits
        for name, each in tuple(self._to_heal().items()):
            case = self._cases[name] = each.calmed(limits, now)
            match case.step(limits):
                case GiveUp():
                    rest = self._cases[name] = case.given_up()
                    quiet = rest.rested(limits) - rest.changed
                    self.tell(GaveUp(name, len(case.tries), limits.within, quiet))
                case HealAt(time=at) if at <= now:
                    self._try(name)
                    return

    def _try(self, name: str) -> None:
        self.tell(Healing(name))
        self.supervisor.status(f"healing {name or 'what was left unfinished'}")
        began = time.monotonic()
        # What has become of it is looked at at once.
        self._wanted, self._not_before = True, began
        router = next((r for r in self._spec.routers if r.name == name), None)
        try:
            recovered, outcome = looking.heal(router, self.policy.cautious)
        except (Busy, Unconfirmed):
            return  # which the next look waits for; it was no try
        except Exception as error:  # whatever it was, it is told, and tried again in time
            if isinstance(error, Undone) and isinstance(error.cause, Interrupted):
                return  # by a signal, which is obeyed next
            self._cases[name] = self._cases[name].tried(time.monotonic())
            self.tell(HealFailed(name, self.words(error)))
            return
        now = time.monotonic()
        healed = InSync() if outcome.differences or recovered else None
        self._cases[name] = self._cases[name].tried(now, healed)
        if recovered is not None:
            self.tell(Recovered(recovered.command, recovered.pid))
        if outcome.differences:
            self.tell(Healed(name, outcome.differences, now - began))

    def _names(self) -> tuple[str, ...]:
        return tuple(router.name for router in self._spec.routers)

    def _status(self) -> str:
        if self._blocked:
            return "waiting for the end of another change"
        return status_text(self._cases)


def _is_record(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")
