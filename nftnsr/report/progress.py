"""A rehearsal that goes on, on a terminal, by rich; imported where there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import assert_never

from attrs import define, field
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table as Grid
from rich.text import Text

from nftnsr.rehearsal.outcome import Kind, Result, Stage, StageName

WHAT: dict[Kind, str] = {
    "flow": "connections while the spec changes",
    "ndp": "IPv6 addresses on the uplink",
    "out": "what goes out, and as whom",
    "route": "static routes and rules",
    "in": "forwards and open addresses",
    "hairpin": "the same from inside",
    "across": "between inner links",
    "closed": "what nobody forwards",
    "blocked": "block lists and egress",
    "transit": "through the router, for others",
    "size": "large transfers on narrow paths",
    "leak": "private addresses that get out",
    "outage": "uplinks that fail",
}
_WORDS: dict[StageName, str] = {
    "world": "building the provider, the internet and a twin of this host",
    "apply": "applying the spec",
    "change": "applying the spec over the old one",
    "probes": "trying",
}
_BAR = 16
_LATEST = 3
"""Failures that are shown while it goes on; in the end all are."""


@define
class Tally:
    """A rehearsal as far as it is known."""

    stage: StageName | None = "world"
    """What it is at; None when it is over."""
    planned: Counter[tuple[str, Kind]] = field(factory=Counter)
    passed: Counter[tuple[str, Kind]] = field(factory=Counter)
    failed: list[Result] = field(factory=list)
    spinner: Spinner = field(factory=lambda: Spinner("dots"))

    def add(self, progress: Stage | Result) -> None:
        match progress:
            case Stage(name, planned):
                self.stage = name
                self.planned.update({(router, kind): number for router, kind, number in planned})
            case Result(router, kind, ok=True):
                self.passed[router, kind] += 1
            case Result():
                self.failed.append(progress)
            case _:
                assert_never(progress)

    def __rich__(self) -> Group:
        return Group(*_parts(self))


def live(tally: Tally, *, colour: bool) -> Live:
    """A display of a tally, where the cursor is."""
    console = Console(no_color=not colour, highlight=False)
    return Live(tally, console=console, refresh_per_second=10, vertical_overflow="crop")


def _parts(tally: Tally) -> Iterator[RenderableType]:
    over = tally.stage is None
    failed = Counter((r.router, r.kind) for r in tally.failed)
    keys = [*dict.fromkeys((*tally.planned, *tally.passed, *failed))]
    for router in dict.fromkeys(router for router, _ in keys):
        yield Text(f"router {router}", style="bold")
        kinds = [kind for kind in WHAT if (router, kind) in keys]
        yield Padding(_grid(tally, failed, router, kinds), (0, 0, 1, 2))
    for result in tally.failed if over else tally.failed[-_LATEST:]:
        yield from _failure(result)
    if over and tally.failed:
        yield Text()
    if tally.stage is not None:
        tally.spinner.update(text=Text(_WORDS[tally.stage], style="dim"))
        yield tally.spinner


def _grid(tally: Tally, failed: Counter[tuple[str, Kind]], router: str, kinds: list[Kind]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, show_header=False, padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(style="dim")
    grid.add_column(no_wrap=True, width=_BAR)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(no_wrap=True, style="red")
    for kind in kinds:
        passed, bad = tally.passed[router, kind], failed[router, kind]
        total = max(tally.planned[router, kind], passed + bad)
        style = "red" if bad else "green"
        bar = ProgressBar(
            total, passed + bad, width=_BAR, complete_style=style, finished_style=style
        )
        grid.add_row(kind, WHAT[kind], bar, f"{passed}/{total}", f"{bad} failed" if bad else "")
    return grid


def _failure(result: Result) -> Iterator[RenderableType]:
    yield Text.assemble(("FAILED ", "red"), f"{result.kind}  {result.name}")
    yield Padding(Text(f"expected: {result.expected}"), (0, 0, 0, 7))
    yield Padding(Text(f"seen:     {result.seen}"), (0, 0, 0, 7))
