"""How messages name values: quoted text, TOML types, address families."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .model import Address, Interface, Network

_LONGEST: Final = 60
_HUGE: Final = 10**18
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def quoted(text: str) -> str:
    """`text` in double quotes, short and without anything that a terminal could obey."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: int) -> str:
    # str() refuses an int of more than 4300 digits, and TOML can hold one in hex.
    return str(value) if abs(value) < _HUGE else "of this size"


def kind_of(value: object) -> str:
    """The TOML type of a value that tomli has read, with its article."""
    match value:
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a float"
        case list():
            return "an array"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def header(keys: Iterable[object]) -> str:
    """The header of a table, `[router.ens3.host]`."""
    names = (str(key) for key in keys)
    return "[" + ".".join(n if _BARE.fullmatch(n) else quoted(n) for n in names) + "]"


def family(version: int) -> str:
    return f"IPv{version}"


def family_of(value: Address | Interface | Network) -> str:
    return family(value.version)
