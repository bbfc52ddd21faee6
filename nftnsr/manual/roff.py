"""Words to roff, with the macros of man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import wrap

PARAGRAPH = ".PP\n"

_WIDE = 78  # columns of the source, which mandoc wants to be short
_CODE = re.compile(r"`([^`]+)`")


def plain(text: str) -> str:
    """Running text; what stands in backticks becomes bold."""
    said = _CODE.sub(r"\\fB\1\\fR", _escaped(text))
    lines = wrap(said, _WIDE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_safe, lines))


def bold(text: str) -> str:
    """Something to be typed as it is."""
    return f"\\fB{_typed(text)}\\fR"


def italic(text: str) -> str:
    """Something to be put in place of its name."""
    return f"\\fI{_typed(text)}\\fR"


def example(text: str) -> str:
    """Lines as they are, in a fixed font."""
    lines = "\n".join(_safe(_typed(line)) for line in text.rstrip("\n").splitlines())
    return f".in +4n\n.EX\n{lines}\n.EE\n.in\n"


def section(title: str, *parts: str) -> str:
    """A section; between paragraphs and examples stands PARAGRAPH."""
    return f'.SH "{title}"\n' + "".join(parts)


def paragraph(text: str) -> str:
    return f"{plain(text)}\n"


def item(tag: str, text: str) -> str:
    """A tagged paragraph; `tag` is roff already."""
    return f".TP\n{tag}\n{plain(text)}\n"


def page(title: str, number: int, date: str, source: str, sections: Iterable[str]) -> str:
    return f'.TH {title} {number} {date} "{source}"\n' + "".join(sections)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e")


def _typed(text: str) -> str:
    """Without the typography of running text: a minus, not a hyphen, that can be copied."""
    return _escaped(text).replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")


def _safe(line: str) -> str:
    """A line that begins like a request is none."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
