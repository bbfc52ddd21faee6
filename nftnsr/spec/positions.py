"""Where each key and value of a TOML text stands.

tomli keeps no positions. This scanner reads a text that tomli has accepted, so it checks nothing;
it runs only when there is a problem to show. It also copes with an accepted text that is cut off
at the point where tomli found a key repeated.
"""

from __future__ import annotations

import re
from typing import Final

import tomli
from attrs import frozen

from .problems import Path

_BLANK: Final = re.compile(r"[ \t]*")
_GAP: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_KEY: Final = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' | [A-Za-z0-9_-]+ """, re.VERBOSE)
_SCALAR: Final = re.compile(
    r'''
      """ (?: \\. | [^\\] )*? "{3,5}          # up to two quotes may end the content
    | \'\'\' .*? '{3,5}
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    | \d{4}-\d\d-\d\d [ ] \d\d: [^\s,\]}\#]*  # a date and time with a space between them
    | [^\s,\]}\#]*
    ''',
    re.VERBOSE | re.DOTALL,
)


@frozen
class Span:
    """A stretch of the text; `end` is exclusive."""

    start: int
    end: int


@frozen
class Place:
    """Where a key stands and, unless it is a table with a header, where its value stands.

    An array's element has no key: `key` is then its value. A table that is only implied by a
    longer key or header is not `declared`.
    """

    key: Span
    value: Span | None = None
    declared: bool = True


class Scanner:
    """One pass over a text, collecting the first place of each path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[Path, Place] = {}
        self.last: tuple[Path, Span] | None = None  # the key whose statement was read last
        self._pos = 0
        self._cut = False  # the text ends inside an array or an inline table
        self._lengths: dict[Path, int] = {}  # of each array of tables

    def scan(self) -> dict[Path, Place]:
        table: Path = ()
        self._skip(_GAP)
        while self._pos < len(self.text):
            if self._takes("[["):
                table = self._header(appends=True)
                self._takes("]]")
            elif self._takes("["):
                table = self._header(appends=False)
                self._takes("]")
            else:
                self._pair(table)
            self._skip(_GAP)
        return self.places

    def _takes(self, token: str) -> bool:
        found = self.text.startswith(token, self._pos)
        if found:
            self._pos += len(token)
        return found

    def _skip(self, pattern: re.Pattern[str]) -> Span:
        match = pattern.match(self.text, self._pos)
        start = self._pos
        self._pos = match.end() if match else len(self.text)
        return Span(start, self._pos)

    def _key(self) -> list[tuple[str, Span]]:
        """The parts of a dotted key, and where each stands."""
        parts: list[tuple[str, Span]] = []
        while True:
            self._skip(_BLANK)
            span = self._skip(_KEY)
            parts.append((_unquoted(self.text[span.start : span.end]), span))
            self._skip(_BLANK)
            if not self._takes("."):
                return parts

    def _imply(self, table: Path, parts: list[tuple[str, Span]]) -> Path:
        for name, span in parts:
            table = (*table, name)
            self.places.setdefault(table, Place(span, declared=False))
            if table in self._lengths:
                table = (*table, self._lengths[table] - 1)
        return table

    def _header(self, appends: bool) -> Path:
        *parents, (name, span) = self._key()
        path = (*self._imply((), parents), name)
        self.last = path, span
        known = self.places.get(path)
        if known is None or not known.declared:
            self.places[path] = Place(span)
        if appends:
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            self.places[path] = Place(span)
        return path

    def _pair(self, table: Path) -> None:
        *parents, (name, key) = self._key()
        path = (*self._imply(table, parents), name)
        self._takes("=")
        self._skip(_BLANK)
        self._value(path, key)
        if not self._cut:
            self.last = path, key

    def _value(self, path: Path, key: Span | None) -> None:
        start = self._pos
        if self._takes("["):
            self._array(path)
        elif self._takes("{"):
            self._table(path)
        else:
            self._skip(_SCALAR)
        span = Span(start, self._pos)
        self.places.setdefault(path, Place(key or span, span))

    def _array(self, path: Path) -> None:
        index = 0
        self._skip(_GAP)
        while not self._closes("]"):
            self._value((*path, index), None)
            index += 1
            self._separator()

    def _table(self, path: Path) -> None:
        self._skip(_GAP)
        while not self._closes("}"):
            self._pair(path)
            self._separator()

    def _closes(self, bracket: str) -> bool:
        self._cut = self._cut or self._pos >= len(self.text)
        return self._cut or self._takes(bracket)

    def _separator(self) -> None:
        self._skip(_GAP)
        self._takes(",")
        self._skip(_GAP)


def _unquoted(key: str) -> str:
    if key.startswith('"') and "\\" in key:
        decoded: str = tomli.loads(f"key = {key}")["key"]
        return decoded
    return key[1:-1] if key[:1] in ("'", '"') else key


def scan(text: str) -> dict[Path, Place]:
    """The place of each path in a text that tomli has accepted; lines end in a bare newline."""
    return Scanner(text).scan()
