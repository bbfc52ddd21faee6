"""A rehearsal told while it goes on: as a table on a terminal, as lines elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from nftnsr.commands.console import Console
from nftnsr.rehearsal.outcome import Rehearsal, Result, Stage
from nftnsr.report.rehearsal import rehearsal_text, result_text, summary

if TYPE_CHECKING:
    from rich.live import Live

    from nftnsr.report.progress import Tally


@frozen
class Lines:
    """A line for each probe; of a quiet rehearsal, for those that fail."""

    console: Console

    def progress(self, progress: Stage | Result) -> None:
        if isinstance(progress, Result) and not (self.console.quiet and progress.ok):
            self.console.say(result_text(progress, colour=self.console.colour))

    def end(self, rehearsal: Rehearsal) -> None:
        if not self.console.quiet:
            # Once more what failed: it may be far above.
            self.console.say(rehearsal_text(rehearsal, colour=self.console.colour))
        elif not rehearsal.ok:
            self.console.say(summary(rehearsal))


@frozen
class Board:
    """A table that fills."""

    console: Console
    tally: Tally
    live: Live

    def progress(self, progress: Stage | Result) -> None:
        # Not before: its thread would be there when the rehearsal forks.
        if not self.live.is_started:
            self.live.start(refresh=True)
        self.tally.add(progress)
        if isinstance(progress, Result) and progress.kind == "flow" and progress.ok:
            # What a change does to each is worth a line, which stays above the table.
            self.live.console.print(result_text(progress), markup=False)

    def end(self, rehearsal: Rehearsal) -> None:
        self.console.say(rehearsal_text(rehearsal, failed=False, colour=self.console.colour))


@contextmanager
def told(console: Console) -> Iterator[Lines | Board]:
    """What tells it; a table stays on the terminal as it is when the `with` ends."""
    dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
    if not console.terminal or console.json or console.quiet or dumb:
        yield Lines(console)
        return
    # Imported late: it takes as long as to build the world.
    from nftnsr.report.progress import Tally, live

    tally = Tally()
    board = Board(console, tally, live(tally, colour=console.colour))
    try:
        yield board
        tally.stage = None
    finally:
        board.live.stop()
