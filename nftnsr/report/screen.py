"""The pages of `report.status` on a terminal, by rich; imported where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from nftnsr.report.status import Cell, Page, Table, foot, tables, title


def live(*, colour: bool, whole: bool) -> Live:
    """A display of pages on this terminal: over all of it, or where the cursor is."""
    console = Console(no_color=not colour, highlight=False)
    # What does not fit is cut off in a screen that is refreshed, and scrolls by in one that is not.
    return Live(
        console=console,
        screen=whole,
        auto_refresh=False,
        vertical_overflow="crop" if whole else "visible",
    )


def pages(shown: Iterable[Page], now: float, message: str) -> Group:
    """All pages, one below the other, and above them what is the matter with a transaction."""
    parts = [part for page in shown for part in _page(page, now)]
    if not parts:
        parts = [Text("no router is applied here", style="dim")]
    warning = [Text(message, style="bold yellow"), Text()] if message else []
    return Group(*warning, *parts)


def _page(page: Page, now: float) -> Iterator[RenderableType]:
    name, state, *rest = title(page, now)
    mark = Cell("●", state.colour)
    words = (Cell(name.text, "bold"), mark, state, *rest)
    yield Text("  ").join(_text(word) for word in words if word.text)
    for table in tables(page):
        yield Padding(_grid(table), (1, 0, 0, 2))
    if last := foot(page):
        yield Padding(Text(last, style="dim"), (1, 0, 0, 2))
    yield Text()


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1), header_style="bold")
    for number, head in enumerate(table.head):
        right = number in table.right
        # Numbers and states stay whole; what is long, addresses and routes, goes on below.
        grid.add_column(head, justify="right" if right else "left", overflow="fold",
                        no_wrap=right or head in ("STATE", "MAC"))  # fmt: skip
    for row in table.rows:
        grid.add_row(*map(_text, row))
    return grid


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=cell.colour or "")
