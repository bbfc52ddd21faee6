"""Laws of what a watch tells: one line of JSON, words for people, and what needs somebody."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError

import pytest

from nftnsr.commands.terms import frequency, period
from nftnsr.report.events import event_json, event_text, is_remark, is_trouble, status_text
from nftnsr.state.difference import Add, AddNamespace
from nftnsr.state.model import HOST, Link
from nftnsr.watch import events as ev
from nftnsr.watch.cases import Case

MOMENT = 1_700_000_000.0625
DRIFT = ev.Drift((AddNamespace("ens3"), Add("ens3", Link("ens3"))))
STUCK = ev.Drift((), (ev.Reason("the fact", "the repair"),))

# Event, its name, the other keys than time and router, whether it is trouble, and a remark.
EVENTS: tuple[tuple[ev.Event, str, set[str], bool, bool], ...] = (
    (ev.Watching(("ens3",), True), "watching", {"routers", "heal"}, False, True),
    (ev.Seen("ens3", ev.InSync()), "in-sync", set(), False, True),
    (ev.Seen("ens3", ev.NotApplied()), "not-applied", set(), False, False),
    (ev.Seen("ens3", DRIFT), "drift", {"differences", "obstacles"}, False, False),
    (ev.Seen("ens3", STUCK), "drift", {"differences", "obstacles"}, True, False),
    (ev.Seen(HOST, ev.Unfinished("apply", 7)), "unfinished", {"command", "pid"}, True, False),
    (ev.Seen("ens3", ev.Unclear("why")), "unclear", {"error"}, True, False),
    (ev.Waiting("apply", 59.7), "waiting", {"command", "seconds"}, False, False),
    (ev.Healing("ens3"), "healing", set(), False, True),
    (ev.Healed("ens3", DRIFT.differences, 0.0421), "healed", {"seconds", "differences"}, False,
     False),
    (ev.Recovered("apply", 7), "recovered", {"command", "pid"}, False, False),
    (ev.HealFailed("ens3", "no\n  hint: so"), "heal-failed", {"error"}, True, False),
    (ev.GaveUp("ens3", 10, 600.0, 600.0), "gave-up", {"tries", "within", "quiet"}, True, False),
    (ev.SpecReloaded(("ens3",)), "spec-reloaded", {"routers"}, False, True),
    (ev.SpecInvalid("a:1:1: no", ()), "spec-invalid", {"error", "problems"}, True, False),
    (ev.Stopping("SIGTERM"), "stopping", {"signal"}, False, True),
)  # fmt: skip


@pytest.mark.parametrize(("event", "name", "keys", "trouble", "remark"), EVENTS)
def test_event_is_a_line_for_programs(
    event: ev.Event, name: str, keys: set[str], trouble: bool, remark: bool
) -> None:
    data = json.loads(json.dumps(event_json(event, MOMENT)))
    assert (data["event"], data["time"]) == (name, "2023-11-14T22:13:20.062Z")
    named = {"router"} if hasattr(event, "router") else set()
    assert set(data) == {"event", "time"} | keys | named
    assert (is_trouble(event), is_remark(event)) == (trouble, remark)


def test_event_of_the_machine_names_no_router() -> None:
    assert event_json(EVENTS[5][0], MOMENT)["router"] is None


def test_every_event_has_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [event_text(event, MOMENT) for event, *_ in EVENTS]
    assert all(text.count("\n") >= 1 and text[19:24] == ".062 " for text in texts)
    assert texts[3][24:] == (
        "router ens3: drift\n  namespace ens3:\n    + namespace ens3\n    + link ens3 up\n"
    )
    assert texts[4][24:] == "router ens3: drift\n  the fact\n    hint: the repair\n"
    assert texts[5][24:].startswith("machine: the apply of pid 7 ended in the middle")
    assert texts[9][24:] == "router ens3: healed in 42 ms\n"
    assert "10 times within 10 min" in texts[12]


def test_drift_is_told_with_colour_where_that_is_wanted() -> None:
    assert "\x1b[" in event_text(EVENTS[3][0], MOMENT, colour=True)
    assert "\x1b[" not in event_text(EVENTS[3][0], MOMENT)


def test_status_is_one_line() -> None:
    cases = {HOST: Case(ev.InSync()), "a": Case(DRIFT), "b": Case(DRIFT, resting=True)}
    assert status_text(cases) == "machine: in sync; router a: drift; router b: drift, given up"


@pytest.mark.parametrize(("text", "meant"), [("10/10m", (10, 600.0)), ("3/500ms", (3, 0.5))])
def test_frequency_is_so_often_in_a_time(text: str, meant: tuple[int, float]) -> None:
    assert frequency(text) == meant


@pytest.mark.parametrize("text", ["", "10", "/10m", "0/10m", "3/0s", "x/10m", "-1/1m", "3/x"])
def test_frequency_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write"):
        frequency(text)


def test_period_takes_some_time() -> None:
    assert period("5m") == 300.0
    with pytest.raises(ArgumentTypeError, match="no time"):
        period("0s")
