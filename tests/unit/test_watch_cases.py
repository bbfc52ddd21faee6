"""Laws of the patience with which a router is healed: pauses, limits and rests, without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nftnsr.state.difference import AddNamespace
from nftnsr.watch.cases import Case, GiveUp, HealAt, Limits, RestUntil
from nftnsr.watch.events import (
    Drift,
    InSync,
    NotApplied,
    Reason,
    Situation,
    Unclear,
    Unfinished,
)

DRIFT = Drift((AddNamespace("ens3"),))
OTHER = Drift((AddNamespace("wan"),))
LIMITS = Limits(heals=4, within=100.0, pause=1.0)


class Fight:
    """A router whose every heal is undone `after` seconds later; time goes on as steps say."""

    def __init__(self, limits: Limits = LIMITS, after: float = 0.5) -> None:
        self.limits, self.after = limits, after
        self.now = 1000.0
        self.heals: list[float] = []
        self.rests: list[float] = []
        self.case = Case().seen(DRIFT, limits, self.now)

    def go(self) -> None:
        """One step: a heal and its undoing, the giving up, or the wait for the end of a rest."""
        self.case = self.case.calmed(self.limits, self.now)
        match self.case.step(self.limits):
            case HealAt(time=at):
                self.now = max(self.now, at)
                self.heals.append(self.now)
                self.case = self.case.tried(self.now, InSync())
                self.now += self.after
                self.case = self.case.seen(DRIFT, self.limits, self.now)
            case GiveUp():
                self.rests.append(self.now)
                self.case = self.case.given_up()
            case RestUntil(time=at):
                self.now = at
            case None:
                raise AssertionError("nothing to do in a fight")


def test_first_heal_comes_at_once() -> None:
    assert Case().seen(DRIFT, LIMITS, 7.0).step(LIMITS) == HealAt(7.0)


@pytest.mark.parametrize(
    "situation",
    [InSync(), NotApplied(), Unclear("?"), Drift(DRIFT.differences, (Reason("a", "b"),))],
)
def test_only_what_can_be_healed_is_healed(situation: Situation) -> None:
    assert Case().seen(situation, LIMITS, 7.0).step(LIMITS) is None


def test_what_a_crash_left_is_healed() -> None:
    assert Case().seen(Unfinished("apply", 1), LIMITS, 7.0).step(LIMITS) == HealAt(7.0)


def test_pauses_double_until_it_is_given_up() -> None:
    fight = Fight()
    while not fight.rests:
        fight.go()
    assert [b - a for a, b in zip(fight.heals, fight.heals[1:], strict=False)] == [1, 2, 4]
    assert len(fight.heals) == LIMITS.heals


def test_one_more_try_comes_after_each_rest_and_rests_double() -> None:
    fight = Fight()
    while len(fight.rests) < 4:
        fight.go()
    assert len(fight.heals) == LIMITS.heals + 3
    between = [b - a for a, b in zip(fight.rests, fight.rests[1:], strict=False)]
    assert between == [100 + 0.5, 200 + 0.5, 400 + 0.5]


@given(st.floats(0.001, 90), st.integers(1, 20), st.floats(0.01, 10), st.integers(1, 300))
def test_no_fight_exceeds_the_limit_in_any_window(
    after: float, heals: int, pause: float, steps: int
) -> None:
    limits = Limits(heals, 100.0, pause)
    fight = Fight(limits, after)
    for _ in range(steps):
        fight.go()
    for start in fight.heals:
        assert sum(start <= t < start + limits.within for t in fight.heals) <= limits.heals


def test_fight_of_a_day_has_few_heals() -> None:
    fight = Fight(Limits(), after=0.01)
    while fight.now < 1000 + 24 * 3600:
        fight.go()
    assert len(fight.heals) < 20


def test_change_while_resting_puts_the_next_try_off() -> None:
    fight = Fight()
    while not fight.rests:
        fight.go()
    later = fight.now + 50
    case = fight.case.seen(OTHER, LIMITS, later)
    assert case.step(LIMITS) == RestUntil(later + LIMITS.within)
    assert case.seen(OTHER, LIMITS, later + 20).step(LIMITS) == RestUntil(later + LIMITS.within)


def test_heal_that_lasts_is_forgotten() -> None:
    case = Case().seen(DRIFT, LIMITS, 0.0)
    for _ in range(3):
        case = case.tried(1.0, InSync()).seen(DRIFT, LIMITS, 2.0)
    case = case.tried(10.0, InSync())
    assert case.seen(DRIFT, LIMITS, 50.0).step(LIMITS) == GiveUp()
    assert case.seen(DRIFT, LIMITS, 111.0).step(LIMITS) == HealAt(111.0)


def test_probe_that_lasts_ends_the_suspicion() -> None:
    fight = Fight()
    while not fight.rests:
        fight.go()
    case = fight.case.calmed(LIMITS, fight.now + 101)
    case = case.tried(fight.now + 101, InSync())
    later = case.seen(DRIFT, LIMITS, fight.now + 500)
    assert (later.rests, later.step(LIMITS)) == (0, HealAt(fight.now + 500))


def test_quiet_in_sync_ends_a_rest_for_good() -> None:
    case = Case(InSync(), 0.0, (0.0,), rests=3, resting=True)
    assert case.seen(DRIFT, LIMITS, 399.0).resting
    again = case.seen(DRIFT, LIMITS, 401.0)
    assert (again.rests, again.step(LIMITS)) == (0, HealAt(401.0))
