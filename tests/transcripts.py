"""What the documentation shows of a terminal: commands, and what they print.

```console          a command after `# ` (root) or `$ `, then what it prints; a line `...`
                    stands for any lines
```{code-block} toml
:caption: PATH      a file that the reader writes
% before: COMMAND   what has happened before, unseen
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from attrs import frozen

_BLOCK = re.compile(r"^```([^\n`]+)\n((?:.*\n)*?)^```$|^% before: (.*)$", re.MULTILINE)
_CAPTION = re.compile(r":caption: (\S+)\n(?::.*\n)*\n?")
_PROMPT = re.compile(r"^[#$] ", re.MULTILINE)


@frozen
class Step:
    """A command with what it prints, or a file with what it holds; `start` and `end` are where."""

    kind: Literal["command", "file", "before"]
    what: str
    text: str
    start: int
    end: int


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(page):
        if block[3] is not None:
            yield Step("before", block[3], "", block.start(), block.end())
        elif block[1] == "console":
            yield from _commands(block[2], block.start(2))
        elif caption := _CAPTION.match(block[2]):
            text = block[2][caption.end() :]
            yield Step("file", caption[1], text, block.start(2), block.end(2))


def _commands(text: str, offset: int) -> Iterator[Step]:
    prompts = [m.start() for m in _PROMPT.finditer(text)]
    for start, end in zip(prompts, [*prompts[1:], len(text)], strict=True):
        command, _, output = text[start:end].partition("\n")
        yield Step("command", command[2:], output, offset + start, offset + end)


def agrees(shown: str, said: str) -> bool:
    """Whether `said` is what is shown, where a line `...` stands for any lines."""
    parts = re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)
    pattern = r"(?:.*\n)*?".join(map(re.escape, parts))
    return re.fullmatch(pattern, said) is not None


def timeless(said: str) -> str:
    """Without what is another each time: process ids, times, counts of what is not shown.

    The tests' uplink is a veth, which ip(8) shows with its other end; a real one has none.
    """
    for pattern, plain in (
        (r"\bpid \d+", "pid 1234"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-02 03:04:05"),
        (r"\b\d+\.\d s\b", "0.4 s"),
        (r"\b\d+ s ago\b", "9 s ago"),
        (r"\b\d+ s more\b", "59 s more"),
        (r"(\d+) of \1 probes", "44 of 44 probes"),
        (r"^ens3@if\d+ ", "ens3     "),
        (r"[ \t]+$", ""),
    ):
        said = re.sub(pattern, plain, said, flags=re.MULTILINE)
    return said
