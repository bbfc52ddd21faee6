"""A TOML file as text, as data, and as places: turns faults into problems."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import tomli

from . import positions, syntax
from .positions import Place, Span
from .problems import Fault, Path, Problem, SpecError
from .words import quoted


class Document:
    """One spec file; raises SpecError when it is no TOML."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        # What tomli counts in: it takes the same view of line ends. Editors do not count a BOM.
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self.data = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            return tomli.loads(self.text)
        except tomli.TOMLDecodeError as error:
            flaw = syntax.explain(error, self.text)
            raise SpecError((self._problem(flaw.span, flaw.message, flaw.hint),)) from None
        except RecursionError:
            problem = self._whole("its arrays, tables or keys are nested too deeply")
            raise SpecError((problem,)) from None
        except ValueError:
            # Python does not read a decimal number of more than 4300 digits.
            raise SpecError((self._whole("one of its numbers has too many digits"),)) from None

    def _whole(self, message: str, hint: str | None = None) -> Problem:
        return Problem(self.file, None, None, None, message, hint)

    @cached_property
    def _places(self) -> Mapping[Path, Place]:
        return positions.scan(self.text)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        while (end := self.text.find("\n", starts[-1])) >= 0:
            starts.append(end + 1)
        return starts

    def line_of(self, path: Path) -> int | None:
        span = self._span(path, on_key=True)
        return bisect_right(self._line_starts, span.start) if span else None

    def writes(self, path: Path) -> bool:
        return path[1:] in self._places

    def source_of(self, path: Path) -> str | None:
        """The value of `path` as it is written; None where it is not, or has a header."""
        place = self._places.get(path[1:])
        if place is None or place.value is None:
            return None
        return self.text[place.value.start : place.value.end]

    def _span(self, path: Path, on_key: bool) -> Span | None:
        """The place of `path` or, if it is not written, of the table or string that lacks it."""
        keys = path[1:]
        while keys and keys not in self._places:
            keys, on_key = keys[:-1], False
        place = self._places.get(keys)
        if place is None:
            return None
        return place.key if on_key or place.value is None else place.value

    def problem(self, fault: Fault, also: str | None = None) -> Problem:
        span = self._span(fault.path, fault.on_key)
        message = self._subject(fault.path) + fault.message + (f" ({also})" if also else "")
        if span is not None and fault.slice is not None:
            span = self._narrowed(span, *fault.slice)
        if span is None:
            return self._whole(message, fault.hint)
        return self._problem(span, message, fault.hint)

    def _problem(self, span: Span, message: str, hint: str | None) -> Problem:
        line = bisect_right(self._line_starts, span.start)
        start = self._line_starts[line - 1]
        end = self.text.find("\n", start)
        source = self.text[start:] if end < 0 else self.text[start:end]
        column = span.start - start + 1
        last = min(span.end - start, len(source)) + 1
        return Problem(self.file, line, column, max(last, column + 1), message, hint, source)

    def _narrowed(self, span: Span, start: int, end: int) -> Span:
        """The part of a string's place that the characters `start` to `end` of the string take."""
        literal = self.text[span.start : span.end]
        escaped = literal[0] == '"' and "\\" in literal
        if literal[0] not in "\"'" or escaped or literal[:3] in ('"""', "'''"):
            return span
        first = span.start + 1 + start
        return Span(first, max(first + 1, span.start + 1 + end))

    def _subject(self, path: Path) -> str:
        """What a message begins with: the forward or else the router that the path is in."""
        match path[1:]:
            case ("router", str(name), "forward", int(index), *_):
                return f"forward {self._forward(name, index)}: "
            case ("router", str(name), *_):
                return f"router {quoted(name)}: "
            case _:
                return ""

    def _forward(self, router: str, index: int) -> str:
        match self.data["router"][router]["forward"][index]:
            case str(text):
                return quoted(text)
            case {"name": str(name)}:
                return quoted(name)
            case {"port": port, **rest} if written := _written(port):
                protocol = rest.get("protocol", "tcp")
                return quoted(f"{written}/{protocol}" if isinstance(protocol, str) else written)
            case _:
                return str(index + 1)


def _written(port: object) -> str:
    """The ports of a forward as its short form would have them; nothing where they are none."""
    if isinstance(port, list):
        return ",".join(filter(None, map(_written, port)))
    return str(port) if isinstance(port, int | str) and not isinstance(port, bool) else ""
