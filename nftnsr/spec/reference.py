"""The reference of the spec's keys, section by section, as the JSON Schema has them.

So a key that the schema knows is in the manual page, in the documentation and in the README, or a
test fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from .schema import Schema, schema

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Row:
    """One key; `default` and `example` are TOML, and `default` is None where there is none."""

    name: str
    type: str
    required: bool
    default: str | None
    doc: str
    example: str


@frozen
class Section:
    """The keys of one table; `title` is where it stands in a spec."""

    title: str
    rows: tuple[Row, ...]


def reference() -> tuple[Section, ...]:
    """The router's keys first, then the tables in it, as deep as they go."""
    router = schema()["properties"]["router"]["additionalProperties"]
    return tuple(_sections("[router.NAME]", router))


def _sections(title: str, table: Schema) -> Iterator[Section]:
    properties = table["properties"]
    rows = (_row(name, each, name in table["required"]) for name, each in properties.items())
    yield Section(title, tuple(rows))
    for name, each in properties.items():
        if "properties" in each:
            yield from _sections(f"{title[:-1]}.{name}]", each)
        named = each.get("additionalProperties")
        if isinstance(named, dict) and "properties" in named:
            yield from _sections(f"{title[:-1]}.{name}.NAME]", named)
        for choice in each.get("items", each).get("anyOf", ()):
            if choice["type"] == "object":
                yield from _sections(f"a table in {name} of {title}", choice)


def _row(name: str, value: Schema, required: bool) -> Row:
    default = toml(value["default"]) if "default" in value else None
    example = toml(value["examples"][0])
    return Row(name, _type(value), required, default, value["description"], example)


def _type(value: Schema) -> str:
    """The type in words."""
    if "enum" in value:
        return " or ".join(map(toml, value["enum"]))
    if "anyOf" in value:
        return " or ".join(map(_type, value["anyOf"]))
    match value["type"]:
        case "array":
            items = value["items"].get("anyOf", [value["items"]])
            most = f", at most {value['maxItems']}" if "maxItems" in value else ""
            return f"array of {' or '.join(_plural(_type(each)) for each in items)}{most}"
        case "boolean":
            return "true or false"
        case "integer":
            return f"{value['minimum']} to {value['maximum']}"
        case "object":
            return "table"
        case _:
            return str(value.get("title", "string"))


def _plural(noun: str) -> str:
    """Of `address with prefix length`: addresses with prefix length."""
    head, link, tail = noun.partition(" with ")
    return head + ("es" if head.endswith("s") else "s") + link + tail


def toml(value: Any) -> str:
    """A value as TOML; what JSON writes of strings, numbers and booleans is TOML, too."""
    match value:
        case dict():
            pairs = ((k if _BARE.fullmatch(k) else toml(k), toml(v)) for k, v in value.items())
            return "{ " + ", ".join(f"{key} = {each}" for key, each in pairs) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
