"""Marks of an SVG picture: boxes, words, arrows, and the two palettes they are drawn in.

Colours come from classes alone, so that one file serves light and dark pages; the fonts are the
reader's own, so a word's width is an estimate, on the wide side.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final, Literal
from unicodedata import east_asian_width

SIZE: Final = 13  # of the words, in units of the picture
LINE: Final = 18  # from one line of words to the next
NOTE: Final = 6.4  # width of a character of a note, about
TITLE: Final = 8.6  # of a title
_CELL: Final = SIZE * 0.61  # the same of all else; DejaVu Sans Mono and Menlo have 0.602

Anchor = Literal["start", "middle", "end"]

_SANS: Final = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'
_MONO: Final = 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
_SHAPES: Final = (
    ("text", f"font: 13px {_MONO}"),
    ("text.title", f"font: 600 14px {_SANS}"),
    ("text.note", f"font: 12px {_SANS}"),
    ("path", "fill: none; stroke-width: 1.6"),
    ("path.wire", "stroke-width: 3"),
    ("path.more", "stroke-dasharray: 3 4"),
    ("rect.machine", "stroke-dasharray: 5 4"),
)
_COLOURS: Final = (  # what, of which property, on a light page, on a dark one
    ("text", "fill", "#1f2328", "#f0f6fc"),
    ("text.quiet", "fill", "#59636e", "#9198a1"),
    ("text.note", "fill", "#59636e", "#9198a1"),
    ("rect.page", "fill", "#ffffff", "#0d1117"),
    ("rect.machine", "fill", "#f6f8fa", "#151b23"),
    ("rect.machine", "stroke", "#d1d9e0", "#3d444d"),
    ("rect.box", "fill", "#ffffff", "#0d1117"),
    ("rect.box", "stroke", "#d1d9e0", "#3d444d"),
    ("rect.space", "fill", "#ddf0ff", "#12243d"),
    ("rect.space", "stroke", "#54aeff", "#1f6feb"),
    ("path.thin", "stroke", "#d1d9e0", "#3d444d"),
    ("path.wire", "stroke", "#0969da", "#4493f8"),
    ("path.forward", "stroke", "#1a7f37", "#3fb950"),
    ("path.more", "stroke", "#1a7f37", "#3fb950"),
    ("path.open", "stroke", "#9a6700", "#d29922"),
    ("path.outward", "stroke", "#8250df", "#ab7df8"),
    ("polygon.forward", "fill", "#1a7f37", "#3fb950"),
    ("polygon.more", "fill", "#1a7f37", "#3fb950"),
    ("polygon.open", "fill", "#9a6700", "#d29922"),
    ("polygon.outward", "fill", "#8250df", "#ab7df8"),
)


def style() -> str:
    """The style sheet, of this picture alone where it is put into a page.

    It has no variables: librsvg, and what is built on it, knows none.
    """
    light = [(what, f"{which}: {value}") for what, which, value, _ in _COLOURS]
    dark = [(what, f"{which}: {value}") for what, which, _, value in _COLOURS]
    return f"{_rules((*_SHAPES, *light))}@media (prefers-color-scheme: dark) {{\n{_rules(dark)}}}\n"


def _rules(rules: Iterable[tuple[str, str]]) -> str:
    return "".join(f".nftnsr {what} {{ {said} }}\n" for what, said in rules)


def width(text: str, cell: float = _CELL) -> float:
    """Of one line; Chinese, Japanese and Korean characters take two cells."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text) * cell


def widest(lines: Iterable[str], cell: float = _CELL) -> float:
    return max((width(line, cell) for line in lines), default=0)


def words(x: float, y: float, text: str, kind: str = "", anchor: Anchor = "start") -> str:
    """One line of words; `y` is its baseline."""
    role = f' class="{kind}"' if kind else ""
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{_n(x)}" y="{_n(y)}"{role}{at}>{escape(text)}</text>'


def box(x: float, y: float, wide: float, high: float, kind: str, corner: float = 8) -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}"'
    return f'<rect {place} rx="{_n(corner)}" class="{kind}"/>'


def line(x: float, y: float, to: float, kind: str) -> str:
    """A horizontal line."""
    return f'<path d="M{_n(x)} {_n(y)}H{_n(to)}" class="{kind}"/>'


def arrow(x: float, y: float, to: float, kind: str) -> str:
    """A horizontal line with a head at `to`."""
    back = -9 if to > x else 9
    head = f"{_n(to)},{_n(y)} {_n(to + back)},{_n(y - 4.5)} {_n(to + back)},{_n(y + 4.5)}"
    return line(x, y, to + back / 2, kind) + f'<polygon points="{head}" class="{kind}"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
