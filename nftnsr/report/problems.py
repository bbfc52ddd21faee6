"""Problems of a spec as text for people and as data for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from nftnsr.spec.problems import Problem

_WIDTH: Final = 100
_MARGIN: Final = 30


def problems_text(problems: Iterable[Problem], colour: bool) -> str:
    """Each problem with its line, a caret under its place and, where there is one, its hint."""
    return "".join(_problem_text(problem, colour) for problem in problems)


def _problem_text(problem: Problem, colour: bool) -> str:
    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    lines = [f"{paint(f'{problem.place}:', '1')} {problem.message}"]
    if problem.line is not None:
        source, before, under = _excerpt(problem)
        lines.append(f"  {source}")
        lines.append(f"  {_blank(before)}{paint('^' * max(_width(under), 1), '1;31')}")
    if problem.hint is not None:
        lines.append(f"  {paint('hint:', '36')} {problem.hint}")
    return "\n".join(lines) + "\n"


def _excerpt(problem: Problem) -> tuple[str, str, str]:
    """The part of the source line that is shown, what of it precedes the place, and the place."""
    column = problem.column or 1
    start, end = column - 1, (problem.end_column or column + 1) - 1
    source = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in problem.source)
    if len(source) <= _WIDTH:
        return source, source[:start], source[start:end]
    first = max(0, start - _MARGIN)
    last = min(len(source), first + _WIDTH)
    head = "…" if first else ""
    tail = "…" if last < len(source) else ""
    return (
        head + source[first:last] + tail,
        head + source[first:start],
        source[start : min(end, last)],
    )


def _blank(text: str) -> str:
    """As wide as `text`: a tab stays one, so that the caret meets its place on any terminal."""
    return "".join("\t" if c == "\t" else " " * _width(c) for c in text)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def problems_json(problems: Iterable[Problem]) -> list[dict[str, str | int | None]]:
    return [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "end_column": problem.end_column,
            "message": problem.message,
            "hint": problem.hint,
            "source": problem.source,
        }
        for problem in problems
    ]
