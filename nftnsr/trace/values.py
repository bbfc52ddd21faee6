"""Values as rules and elements write them, single or from one to another, and looking them up."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from attrs import frozen

from nftnsr.state.model import Address_
from nftnsr.state.ruleset import plain

Value: TypeAlias = int | str | Address_ | frozenset[str]
"""A number, a word, an address; or words of which several hold at once, as of `ct status`."""

AND, TO = " . ", " : "  # between the parts of a concatenation, a key and what it leads to


@frozen
class Span:
    """All values from `first` to `last`."""

    first: int | str | Address_
    last: int | str | Address_

    def holds(self, value: Value) -> bool:
        if isinstance(value, frozenset):
            return self.first in value
        if type(value) is not type(self.first):
            return False
        return self.first <= value <= self.last  # type: ignore[operator]


def span(text: str) -> Span:
    """Values as nft writes them: `443`, `80-90`, `tcp`, `10.0.0.0/8`, `1.2.3.4-1.2.3.9`, `"lo"`."""
    if text.startswith('"'):
        return Span(text[1:-1], text[1:-1])
    if "/" in text:
        network = ip_network(text)
        return Span(network[0], network[-1])
    first, dash, last = text.partition("-")
    if dash and _is_number_or_address(first):
        return Span(_single(first), _single(last))
    return Span(_single(text), _single(text))


def _single(text: str) -> int | str | Address_:
    if text[0].isdigit() and not _is_address(text):
        return int(text, 0)
    return ip_address(text) if _is_address(text) else text


def _is_number_or_address(text: str) -> bool:
    return text[0].isdigit() or _is_address(text)


def _is_address(text: str) -> bool:
    return ":" in text or ("." in text and text[0].isdigit())


@frozen
class Element:
    """An element of a set, or with what its key leads to of a map."""

    text: str
    key: tuple[Span, ...]
    value: str | None = None

    def holds(self, values: tuple[Value, ...]) -> bool:
        return len(values) == len(self.key) and all(
            part.holds(value) for part, value in zip(self.key, values, strict=True)
        )


def element(text: str) -> Element:
    key, _, value = plain(text).partition(TO)
    return Element(text, tuple(map(span, key.split(AND))), value or None)


@frozen(slots=False)
class Elements:
    """The elements of a set or a map; of a named one they are read when it is first asked."""

    texts: Iterable[str]
    name: str | None = None

    def find(self, values: tuple[Value, ...]) -> Element | None:
        return next((each for each in self._read if each.holds(values)), None)

    @cached_property
    def _read(self) -> tuple[Element, ...]:
        return tuple(map(element, sorted(self.texts)))
