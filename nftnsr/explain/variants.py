"""Every key of a router's table changed once, whether it is written or implied."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, TypeAlias

from nftnsr.spec.problems import Path
from nftnsr.spec.schema import Schema, schema

SINGLY: Final = 16
"""Of so many elements of an array each is left out once; one that has more is long."""
_REPRESENTING: Final = 64
_NUMBER: Final = re.compile(r"\d+")


class Nothing(Enum):
    """Stands in the place of a value for a key that is not written."""

    NOTHING = 0


NOTHING: Final = Nothing.NOTHING
Value: TypeAlias = Any
Change: TypeAlias = tuple[Path, Value]
"""Where in the router's table, and what stands there instead."""


def changes(table: Mapping[str, Value]) -> Iterator[Change]:
    """A change, or some, of every key that the schema knows, and of each element of an array."""
    return _of_table(table, _router(), ())


def changed(table: Value, path: Path, value: Value) -> Value:
    """The table, or array, with another value at `path`; it is not touched itself."""
    name, *rest = path
    copy = table.copy()
    if rest:
        inner = copy.get(name, {}) if isinstance(copy, dict) else copy[name]
        copy[name] = changed(inner, tuple(rest), value)
    elif value is NOTHING:
        del copy[name]
    else:
        copy[name] = value
    return copy


def renamed(table: Mapping[str, Value], path: Path, value: Value) -> Value:
    """The table with another name at `path`, and wherever else the old one is a word."""
    old: Value = table
    for name in path:
        old = old.get(name, {}) if isinstance(old, dict) else old[name]
    if not isinstance(old, str) or not isinstance(value, str):
        return changed(table, path, value)
    return _replaced(table, re.compile(rf"(?<!\S){re.escape(old)}(?!\S)"), value)


def _replaced(value: Value, old: re.Pattern[str], new: str) -> Value:
    match value:
        case dict():
            return {name: _replaced(each, old, new) for name, each in value.items()}
        case list():
            return [_replaced(each, old, new) for each in value]
        case str():
            return old.sub(lambda _: new, value)
        case _:
            return value


def long_arrays(table: Mapping[str, Value], path: Path = ()) -> Iterator[tuple[Path, list[Value]]]:
    """The arrays of so many elements that not each of them can be left out once."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from long_arrays(value, (*path, name))
        elif isinstance(value, list) and len(value) > SINGLY:
            yield (*path, name), value


def representing(array: list[Value]) -> list[Value]:
    """Elements of each kind that there is: those of one kind differ in nothing but numbers."""
    kinds: dict[str, Value] = {}
    for element in array:
        kinds.setdefault(_NUMBER.sub("0", repr(element)), element)
    return list(kinds.values())[:_REPRESENTING]


def default_of(path: Path) -> Value:
    """What a key is that is not written."""
    key = _router()
    for name in path:
        key = _inner(key, name)
    return key["default"]


@cache
def _router() -> Schema:
    found: Schema = schema()["properties"]["router"]["additionalProperties"]
    return found


def _of_table(table: Mapping[str, Value], key: Schema, path: Path) -> Iterator[Change]:
    for name in {**_table(key).get("properties", {}), **table}:
        yield from _of(table.get(name, NOTHING), _inner(key, name), (*path, name))


def _of(value: Value, key: Schema, path: Path) -> Iterator[Change]:
    match value:
        case dict():
            yield from _of_table(value, key, path)
            yield path, NOTHING
        case list():
            yield from (((*path, index), NOTHING) for index in range(len(value)))
            yield path, NOTHING
        case Nothing():
            if "default" in key:
                yield from ((path, other) for other in _others(key["default"], key))
            elif "properties" in key:
                yield from _of_table({}, key, path)
        case _:
            yield path, NOTHING
            yield from ((path, other) for other in _others(value, key))


def _others(value: Value, key: Schema) -> Iterator[Value]:
    """Values of the same type; one that cannot be read is as if it were not written."""
    match value:
        case _ if "enum" in key:
            yield from (each for each in key["enum"] if each != value)
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1)
        case str():
            # Another name, address or number is one that ends otherwise.
            yield value[:-1] + ("8" if value.endswith("7") else "7")
            yield from (each for each in key.get("examples", ()) if each != value)


def _inner(key: Schema, name: str | int) -> Schema:
    """The schema of what is called so in a table, or of every entry where any name will do."""
    table = _table(key)
    entries = [*table.get("patternProperties", {}).values(), table.get("additionalProperties")]
    found: Schema = table.get("properties", {}).get(name) or entries[0] or {}
    return found


def _table(key: Schema) -> Schema:
    """What a key's table can hold, whatever else its value can be."""
    return next((each for each in key.get("anyOf", ()) if "properties" in each), key)
