"""One router's case: what is the matter with it, and when to try to heal it. Knows no clock.

Whoever undoes what nftnsr does will be there again after the next heal, so tries come after
pauses that double, and end: when too many of them did not last, the router rests. Only when
nothing has changed for a while, longer after each rest, there is one more try.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import evolve, frozen

from nftnsr.watch.events import Drift, InSync, Situation, Unfinished

_DOUBLINGS = 10


@frozen
class Limits:
    """So many heals within so many seconds; `pause` seconds after the first, doubled each time."""

    heals: int = 10
    within: float = 600.0
    pause: float = 1.0


@frozen
class HealAt:
    time: float


@frozen
class GiveUp:
    """There were enough tries."""


@frozen
class RestUntil:
    """Given up, and to be tried once more at `time`, if nothing changes until then."""

    time: float


Step: TypeAlias = HealAt | GiveUp | RestUntil


@frozen
class Case:
    """The situation since `changed`, the times of the tries that count, and the rests in a row."""

    situation: Situation | None = None
    changed: float = 0.0
    tries: tuple[float, ...] = ()
    rests: int = 0
    resting: bool = False

    def seen(self, situation: Situation, limits: Limits, now: float) -> Case:
        """The case when this is the situation; an unchanged one changes nothing."""
        calm = self.calmed(limits, now)
        if situation == self.situation:
            return calm
        return evolve(calm, situation=situation, changed=now)

    def calmed(self, limits: Limits, now: float) -> Case:
        """The case with what time has healed: tries are forgotten, and rests end."""
        if self.resting:
            if now < self.rested(limits):
                return self
            rests = 0 if self.situation == InSync() else self.rests
            return evolve(self, tries=(), rests=rests, resting=False)
        tries = tuple(t for t in self.tries if now - t < limits.within)
        lasted = bool(self.tries) and not tries
        return evolve(self, tries=tries, rests=0 if lasted else self.rests)

    def step(self, limits: Limits) -> Step | None:
        """What to do, and when; None where there is nothing to heal."""
        if not _can_be_healed(self.situation):
            return None
        if self.resting:
            return RestUntil(self.rested(limits))
        # Who was given up before has one try, to find out whether the other one still is there.
        if len(self.tries) >= (1 if self.rests else limits.heals):
            return GiveUp()
        if not self.tries:
            return HealAt(self.changed)
        pause = limits.pause * float(2 ** min(len(self.tries) - 1, _DOUBLINGS))
        return HealAt(self.tries[-1] + min(pause, limits.within / 2))

    def tried(self, now: float, situation: Situation | None = None) -> Case:
        """The case after a try to heal, which led to `situation`, or to nothing."""
        case = evolve(self, tries=(*self.tries, now))
        return case if situation is None else evolve(case, situation=situation, changed=now)

    def given_up(self) -> Case:
        return evolve(self, rests=self.rests + 1, resting=True)

    def rested(self, limits: Limits) -> float:
        """When a rest ends, if nothing changes until then."""
        return self.changed + limits.within * float(2 ** min(self.rests - 1, _DOUBLINGS))


def _can_be_healed(situation: Situation | None) -> bool:
    match situation:
        case Drift(obstacles=()) | Unfinished():
            return True
        case _:
            return False
