"""What a person needs to hear when tomli refuses a text."""

from __future__ import annotations

import re
from typing import Final

import tomli
from attrs import frozen

from .positions import Scanner, Span
from .words import quoted

# tomli's words for a key, table or array that is there already.
_REPEATED: Final = ("Cannot ", "Duplicate ")
_BARE_WORD: Final = re.compile(r"[A-Za-z_][^\s,#\]}]*|\d+(?:\.\d+){3}[^\s,#\]}]*")
_BEFORE_VALUE: Final = " \t\n,[{="


@frozen
class SyntaxFlaw:
    span: Span
    message: str
    hint: str | None = None


def explain(error: tomli.TOMLDecodeError, text: str) -> SyntaxFlaw:
    """The place, the fact and, where it is clear, the repair."""
    if error.msg.startswith(_REPEATED):
        return _repeated(error, text)
    if error.msg.startswith("Illegal character '\\n'") or error.msg == "Unterminated string":
        return _unterminated(text, error.pos)
    if error.pos >= len(text):
        return SyntaxFlaw(_last(text), "the file ends in the middle of a value or a key")
    word = _bare_word(text, error.pos)
    if word is not None:
        hint = f"a string is written in quotes: {quoted(text[word.start : word.end])}"
        return SyntaxFlaw(word, "invalid value", hint)
    message = error.msg[0].lower() + error.msg[1:]
    hints = {"unclosed array": 'a "," or a "]" is missing here'}
    return SyntaxFlaw(_token(error.pos), message, hints.get(message))


def _bare_word(text: str, pos: int) -> Span | None:
    """The word around `pos` where a value should be, such as ens3 or 192.0.2.10/24."""
    start = pos
    while start > 0 and text[start - 1] not in _BEFORE_VALUE:
        start -= 1
    if text[:start].rstrip(" \t\n")[-1:] not in ("=", ",", "["):
        return None
    word = _BARE_WORD.match(text, start)
    return Span(start, word.end()) if word and word.end() > pos else None


def _token(pos: int) -> Span:
    return Span(pos, pos + 1)


def _last(text: str) -> Span:
    """The last character that is not white."""
    end = len(text.rstrip())
    return Span(max(end - 1, 0), max(end, 1))


def _unterminated(text: str, pos: int) -> SyntaxFlaw:
    # tomli points behind the end of the line that lacks the quote.
    end = len(text[:pos].rstrip("\n"))
    start = text.rfind("\n", 0, end) + 1
    line = text[start:end]
    quote = line.rfind('"') if '"' in line else line.rfind("'")
    return SyntaxFlaw(Span(start + max(quote, 0), end), "this string has no closing quote")


def _repeated(error: tomli.TOMLDecodeError, text: str) -> SyntaxFlaw:
    # All before the place of the error has been read by tomli, so the scanner can read it too.
    scanner = Scanner(text[: error.pos])
    scanner.scan()
    if scanner.last is None:
        return SyntaxFlaw(_token(error.pos), error.msg)
    path, span = scanner.last
    for length in range(len(path), 0, -1):
        earlier = scanner.places.get(path[:length])
        if earlier is not None and earlier.key.start < span.start:
            line = text.count("\n", 0, earlier.key.start) + 1
            name = ".".join(str(key) for key in path[:length] if isinstance(key, str))
            return SyntaxFlaw(span, f"{quoted(name)} is already defined (line {line})")
    return SyntaxFlaw(span, error.msg[0].lower() + error.msg[1:])
