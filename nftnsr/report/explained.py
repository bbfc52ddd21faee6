"""A script and its rulesets with the reason of each line beside it, as comments or as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from nftnsr.explain import Explanation, Reason, Reasons
from nftnsr.explain.script import Line, ruleset, script
from nftnsr.state.operations import Operation

_WIDEST = 80
"""Columns; behind a line that is longer its comment follows at once."""
_DECLARING = ("\t\ttype ", "\t\tflags ", "\t\tcounter")
_MOST = 3
"""Reasons of each kind in a comment: the first are the most particular; --json has all."""


def explained_text(operations: Iterable[Operation], why: Explanation) -> str:
    """The script of `operations_text`, and as runnable, with comments; a setting a line."""
    return _beside(script(operations), why)


def explained_ruleset(router: str, text: str, why: Explanation) -> str:
    return _beside(ruleset(router, text), why)


def explained_json(operations: Iterable[Operation], why: Explanation) -> list[dict[str, object]]:
    """What the script says, line by line; `router` and `block` are null of what is no rule."""
    return [
        {
            "router": line.router or None,
            "block": line.block or None,
            "line": line.text,
            "reasons": [reason_json(reason) for reason in why.of(line)],
        }
        for _, line in script(operations)
        if line is not None
    ]


def reason_json(reason: Reason) -> dict[str, object]:
    """A key of the spec; `line` is null where it is not written, but implied."""
    return {
        "router": reason.router,
        "key": reason.key,
        "file": reason.file,
        "line": reason.line,
        "text": str(reason),
    }


def reasons_words(reasons: Reasons) -> str:
    """On one line, a file that is named twice in a row without its name."""
    words: list[str] = []
    file = None
    for reason in [each for each in reasons if each.line is not None][:_MOST]:
        words.append(f":{reason.line} {reason.words}" if reason.file == file else str(reason))
        file = reason.file
    implied = [each.words for each in reasons if each.line is None][:_MOST]
    parts = [", ".join(words), f"implied by {', '.join(implied)}" if implied else ""]
    return "; ".join(filter(None, parts))


def _beside(lines: Iterable[tuple[str, Line | None]], why: Explanation) -> str:
    """Comments in one column for the commands, and in one for each ruleset."""
    told = _once((text, why.of(line) if line is not None else ()) for text, line in lines)
    text = ""
    for _, run in groupby(told, key=lambda line: line[0][:1] in ("\t", "")):
        part = list(run)
        lengths = [len(line.expandtabs()) for line, reasons in part if reasons]
        column = max((n for n in lengths if n <= _WIDEST), default=0)
        text += "".join(_commented(line, reasons, column) + "\n" for line, reasons in part)
    return text


def _once(lines: Iterable[tuple[str, Reasons]]) -> Iterator[tuple[str, Reasons]]:
    """What declares a block is there for the reasons of the block, which are told above it."""
    of_block: Reasons = ()
    for line, reasons in lines:
        if line.endswith("{"):
            of_block = reasons
        elif reasons == of_block and line.startswith(_DECLARING):
            reasons = ()
        yield line, reasons


def _commented(line: str, reasons: Reasons, column: int) -> str:
    if not reasons:
        return line
    gap = " " * max(0, column - len(line.expandtabs()))
    return f"{line}{gap}  # {reasons_words(reasons)}"
