"""What a terminal shows of a rehearsal that goes on."""

from __future__ import annotations

import io
from typing import get_args

from rich.console import Console

from nftnsr.rehearsal.outcome import Kind, Result, Stage, StageName
from nftnsr.report.progress import _WORDS, WHAT, Tally


def shown(tally: Tally, width: int) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(tally)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def result(kind: Kind, ok: bool, seen: str = "refused") -> Result:
    return Result("ens3", kind, "[2001:db8::1]:22/tcp from host", "anybody", seen, ok, 1.0)


def test_every_kind_and_stage_has_words() -> None:
    assert set(WHAT) == set(get_args(Kind))
    assert set(_WORDS) == set(get_args(StageName))
    assert max(map(len, WHAT.values())) < 40


def test_bars_fill_and_failures_are_below_them() -> None:
    tally = Tally()
    assert shown(tally, 80)[0].endswith(
        "building the provider, the internet and a twin of this host"
    )
    tally.add(Stage("probes", (("ens3", "in", 4), ("wan", "out", 2))))
    for ok in (True, False, True):
        tally.add(result("in", ok))
    lines = shown(tally, 80)
    assert lines[0] == "router ens3" and "2/4   1 failed" in lines[1]
    assert "router wan" in lines
    assert lines[-1].endswith("trying")
    assert "FAILED in  [2001:db8::1]:22/tcp from host" in lines


def test_while_it_goes_on_only_the_latest_failures_are_shown() -> None:
    tally = Tally()
    for number in range(10):
        tally.add(result("in", False, f"seen {number}"))
    text = "\n".join(shown(tally, 80))
    assert "seen 9" in text and "seen 6" not in text
    tally.stage = None
    assert "seen 0" in "\n".join(shown(tally, 80))


def test_no_line_is_wider_than_the_terminal() -> None:
    tally = Tally(None)
    for kind in WHAT:
        for _ in range(12):
            tally.add(result(kind, False))
    for width in (60, 80, 120):
        lines = shown(tally, width)
        assert max(map(len, lines)) <= width
        assert sum("12 failed" in line for line in lines) == len(WHAT)
